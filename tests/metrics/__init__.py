"""Tests of gan_hub.metrics."""
