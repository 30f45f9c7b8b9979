"""A request to features to a score."""
