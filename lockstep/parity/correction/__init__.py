"""Corrections from a file to the online store: ingested, built, materialised and read back."""
