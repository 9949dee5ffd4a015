"""Functions that the model may call: known by their description only, with unseen names and values."""
