"""Builds of any size by many machines: the core in the tasks of Spark."""
