"""The networks behind the feature extractors, one file each, and how images and weights reach them."""
