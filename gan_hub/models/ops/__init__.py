"""Convolutions that torch lacks: grouped ones with a cheap second derivative, and Winograd for inference on a CPU."""
