"""Tests of gan_hub/hub/."""
