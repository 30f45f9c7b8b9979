"""Labelled entities to a registered model."""
