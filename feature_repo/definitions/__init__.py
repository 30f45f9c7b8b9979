"""Entities, sources, views and services; one module a use case."""
