"""What trained the adapter of the default model: its examples and the training."""
