"""The one file that `feast apply` scans: all that the installed package defines."""

from feature_repo.discovery import feast_objects

globals().update(feast_objects())
