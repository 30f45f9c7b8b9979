"""Ingest of raw files into the lake, one use case a module, found by its name.

A use case's module has `ingest_spec(*, label_delay_days) -> IngestSpec`: its columns and
the tables derived from them. Everything else here serves every use case, in the order of
an ingest (`run`): finding and cutting files (`source`, `survey`, `split`, `text`),
validation (`column`, `parse`, `check`), comparison with the lake (`settle`, `stored`,
`history`), writing (`stage`, `commit`, `merge`, `rejected`) and the account of it (`counts`,
`receipt`); on whatever runs it (`engine`, `local`, `spark`).
"""
