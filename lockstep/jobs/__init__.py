"""Runners of the core over the lake, ingest and data generators."""
