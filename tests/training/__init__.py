"""Tests of gan_hub.training."""
