"""Ingest of raw files into the lake, one use case a module, found by its name.

A use case's module has `ingest_spec(*, label_delay_days) -> IngestSpec`: its columns and
the tables derived from them. Everything else here serves every use case: reading
(`source`, `text`), validation (`column`, `parse`, `check`), comparison with the lake
(`compare`, `plan`), writing (`run`, `rejected`) and the account of it (`receipt`).
"""
