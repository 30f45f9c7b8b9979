"""Erasure of an entity, and correction of rows, wherever they stand; one module a place.

`run` says in what order. A `place` finds what is left of the entity and erases it; what it says
of itself is found by reading, before and after. What is not the lake's or MLflow's (the files that
were ingested, backups, versions that a bucket keeps) is named in the receipt, not erased.
"""
