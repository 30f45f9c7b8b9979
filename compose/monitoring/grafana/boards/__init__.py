"""What each dashboard shows: one module a dashboard, and what they are built from."""
