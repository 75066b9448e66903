"""Convolutions of our own: grouped ones with a cheap second derivative, and Winograd for inference on a CPU."""
