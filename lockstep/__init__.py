"""Lockstep: models are served exactly the numbers that they were trained on."""
