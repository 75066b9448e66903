"""Tests of gan_hub/models/."""
