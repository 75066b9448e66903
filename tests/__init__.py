"""The tests; this folder mirrors gan_hub/."""
