"""Records as bytes: a compact form of fixed width, or JSON.

The compact form is the schema's mark of four bytes, then each field as a little-endian int64. JSON
is one object with the fields' names and whole numbers, and nothing else. A record is JSON where its
first byte is an opening brace, with which no mark begins.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import msgspec
import numpy as np
import polars as pl
from numpy.typing import NDArray

from lockstep.contract.record_schema import RecordSchema

_TIME = pl.Datetime("us", "UTC")
_JSON = b"{"


@dataclass(frozen=True)
class Decoded:
    """What could be read, in the order of the input: `rows`, and the place of each in the input.

    `refused` says why the others could not, by their places.
    """

    rows: pl.DataFrame
    places: NDArray[np.int64]
    refused: dict[int, str]


class Codec:
    """Reads and writes the records of one schema."""

    def __init__(self, schema: RecordSchema) -> None:
        if schema.mark.startswith(_JSON):
            raise ValueError(f"the mark of {schema.table!r} begins as JSON does: rename a field")
        self._schema = schema
        self._mark = np.frombuffer(schema.mark, "<u4")[0]
        self._layout = np.dtype([("mark", "<u4"), *((name, "<i8") for name in schema.names)])
        fields = [
            (field.name, Annotated[int, msgspec.Meta(ge=field.minimum, le=field.maximum)])
            for field in schema.fields
        ]
        record = msgspec.defstruct("Record", fields, forbid_unknown_fields=True, array_like=False)
        self._one = msgspec.json.Decoder(record)
        self._many = msgspec.json.Decoder(list[record])  # type: ignore[valid-type]

    def encode(self, rows: pl.DataFrame) -> list[bytes]:
        """Each row as a compact record.

        Raises:
            polars.exceptions.ColumnNotFoundError: a field is missing.
        """
        records = np.empty(rows.height, self._layout)
        records["mark"] = self._mark
        for name in self._schema.names:
            records[name] = rows.get_column(name).to_physical().to_numpy()
        data, size = records.tobytes(), self._layout.itemsize
        return [data[start : start + size] for start in range(0, len(data), size)]

    def encode_json(self, rows: pl.DataFrame) -> list[bytes]:
        """Each row as JSON."""
        names = self._schema.names
        plain = rows.select(pl.col(name).to_physical() for name in names)
        encode = msgspec.json.encode
        return [encode(dict(zip(names, row, strict=True))) for row in plain.iter_rows()]

    def decode(self, records: Sequence[bytes]) -> Decoded:
        """What the records say; one that cannot be read never keeps another from being read."""
        size = self._layout.itemsize
        if all(len(record) == size and record[:1] != _JSON for record in records):
            return self._compact(b"".join(records), np.arange(len(records)), {})
        refused: dict[int, str] = {}
        compact, texts = list[int](), list[int]()
        for place, record in enumerate(records):
            if record[:1] == _JSON:
                texts.append(place)
            elif len(record) == size:
                compact.append(place)
            else:
                refused[place] = f"{len(record)} bytes, and a record has {size}"
        data = b"".join(records[place] for place in compact)
        read = self._compact(data, np.array(compact, np.int64), refused)
        told = self._json([records[place] for place in texts], texts, refused)
        places = np.concatenate([read.places, told.places])
        order = np.argsort(places)
        return Decoded(pl.concat([read.rows, told.rows])[order], places[order], refused)

    def _compact(self, data: bytes, places: NDArray[np.int64], refused: dict[int, str]) -> Decoded:
        records = np.frombuffer(data, self._layout)
        good = records["mark"] == self._mark
        for place in places[~good].tolist():
            refused[place] = f"not a record of {self._schema.table}, or of another version of it"
        for field in self._schema.fields:
            values = records[field.name]
            inside = (values >= field.minimum) & (values <= field.maximum)
            for place, value in zip(
                places[good & ~inside].tolist(), values[good & ~inside].tolist(), strict=True
            ):
                refused[place] = _outside(field.name, value)
            good &= inside
        if not good.all():
            records, places = records[good], places[good]
        return Decoded(self._frame(records), places, refused)

    def _json(
        self, records: Sequence[bytes], places: Sequence[int], refused: dict[int, str]
    ) -> Decoded:
        """All at once; one after another where that finds a fault."""
        try:
            found = self._many.decode(b"[" + b",".join(records) + b"]")
            # Two objects in one record would shift all that follow.
            kept = list(places) if len(found) == len(records) else None
        except msgspec.MsgspecError:
            kept = None
        if kept is None:
            found, kept = [], []
            for place, record in zip(places, records, strict=True):
                try:
                    found.append(self._one.decode(record))
                except msgspec.MsgspecError as error:
                    refused[place] = str(error)
                else:
                    kept.append(place)
        columns = {name: [getattr(one, name) for one in found] for name in self._schema.names}
        return Decoded(self._frame(columns), np.array(kept, np.int64), refused)

    def _frame(self, columns: Any) -> pl.DataFrame:
        return pl.DataFrame(
            {name: pl.Series(columns[name], dtype=pl.Int64) for name in self._schema.names}
        ).with_columns(
            pl.col(field.name).cast(_TIME) for field in self._schema.fields if field.kind == "time"
        )


def _outside(name: str, value: int) -> str:
    return f"{name} is {value}, which is outside of its bounds"
