"""The core's Spark runner: sessions, and builds of any size by many machines."""
