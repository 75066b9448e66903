"""Concept discovery: latent directions that change one property of an image, and the statistics that measure it."""
