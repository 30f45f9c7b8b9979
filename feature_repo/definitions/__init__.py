"""Entities, sources, views and services; one module a domain."""
