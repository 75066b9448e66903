"""A model's folder: the names and rules of its files, strict reading, checksums, and what may lie beside the weights."""
