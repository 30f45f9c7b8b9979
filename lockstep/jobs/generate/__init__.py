"""Generators of raw data, one use case a module, found by its name.

A use case's module has a frozen dataclass `Options` (its defaults are the demo's) and
`generate_frames(options) -> Iterator[pl.DataFrame]`: the rows as the use case's own file
would hold them, so many at a time as memory has room for. Modules without it are parts of
a use case and start with its name, or serve all of them.
"""
