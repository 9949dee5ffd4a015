"""What the model is to know by heart, as plain tables."""
