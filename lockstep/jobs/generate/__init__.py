"""Generators of raw data, one use case a module, found by its name.

A use case's module has a frozen dataclass `Options` (its defaults are the demo's) and
`generate(options) -> pl.DataFrame`: the rows as the use case's own file would hold them.
Modules without `generate` are parts of a use case and start with its name.
"""
