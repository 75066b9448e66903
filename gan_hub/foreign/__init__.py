"""Other people's checkpoints: read without running anything in them, recognised, and written as models of this library."""
