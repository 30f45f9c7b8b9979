"""Which entity is to be forgotten: one column, one id."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl

from lockstep.jobs.ingest.parse import parse
from lockstep.jobs.ingest.spec import IngestSpec
from lockstep.parity.erasure.errors import ErasureError


@dataclass(frozen=True)
class ErasedEntity:
    """The rows whose `column`, a join key, has the id `value`."""

    column: str
    value: int

    @classmethod
    def parsed(cls, text: str, spec: IngestSpec, *, join_keys: Mapping[str, str]) -> ErasedEntity:
        """The entity of `customer=42`, or `customer_id=42`; ids are written as in the files.

        `join_keys` gives the join key of each entity by its name. Those count which the files
        have as a column: of others rows could not be refused when they come again.

        Raises:
            ErasureError: it is no such text, names several, or an entity or id that there is not.
        """
        name, separator, id_ = (part.strip() for part in text.partition("="))
        if not (name and separator and id_):
            raise ErasureError.not_an_entity(text)
        if "=" in id_ or "," in id_:
            raise ErasureError.composite(text)
        known = {n: key for n, key in join_keys.items() if key in spec.names}
        column = known.get(name, name)
        if column not in known.values():
            raise ErasureError.unknown_entity(spec.use_case, name, known)
        return cls(column, _id(spec, column, id_))

    def rows(self) -> pl.Expr:
        """Whether a row is the entity's, where its ids are integers."""
        return (pl.col(self.column) == self.value).fill_null(value=False)

    def raw_rows(self, spec: IngestSpec) -> pl.Expr:
        """The same where ids stand as text, as files have them."""
        return (self._read(spec) == self.value).fill_null(value=False)

    def unreadable(self, spec: IngestSpec) -> pl.Expr:
        """Whether a row has no id there that can be read."""
        return self._read(spec).is_null()

    def _read(self, spec: IngestSpec) -> pl.Expr:
        (column,) = (each for each in spec.columns if each.name == self.column)
        return parse(column, pl.String()).value

    def is_in(self, document: object) -> bool:
        """Whether a record of JSON is the entity's."""
        return isinstance(document, Mapping) and document.get(self.column) == self.value


def _id(spec: IngestSpec, name: str, text: str) -> int:
    (column,) = (each for each in spec.columns if each.name == name)
    parsed = parse(column, pl.String())
    told = pl.DataFrame({name: [text]}).select(id=parsed.value, problem=parsed.problem)
    value, problem = told.row(0)
    if value is None or not column.minimum <= value <= column.maximum:
        raise ErasureError.bad_id(name, text, problem or "out of range")
    return int(value)
