"""The command line: one module a group, heavy imports inside the commands."""
