"""Checks that both sides saw the same numbers."""
