"""What the features are, as Feast objects."""
