"""Finding concepts: directions of a latent space that change one thing in an image, and the statistics that measure it."""
