"""Spark: the session, its settings, and how it reads the lake."""
