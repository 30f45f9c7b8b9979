"""Whom a use case has forgotten, so that no file brings them back.

    <lake>/_parity/forgotten/fraud.json    {"salt": ..., "hashes": {"customer_id": [...]}}

Ids stand there as hashes under a salt of the lake's own: whoever reads the file sees no id, but
whoever also has a list of all ids can find out which are meant. Delete it only with the lake.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import polars as pl

from lockstep.lake.errors import LakeError, NoObjectError
from lockstep.lake.lake import Lake

_SALT_BYTES = 32


@dataclass(frozen=True)
class Forgotten:
    """The hashes of forgotten ids, by the column that has them; it can be sent to a task."""

    use_case: str
    salt: str = field(repr=False)
    hashes: Mapping[str, frozenset[str]]

    @classmethod
    def read(cls, lake: Lake, use_case: str) -> Forgotten:
        """What the lake holds; nobody, and a new salt, where nobody was forgotten yet.

        Raises:
            LakeError: it is damaged: then it cannot be said whose rows are to be refused.
        """
        key = _key(use_case)
        try:
            told = json.loads(lake.read_bytes(key))
            hashes = {column: frozenset(ids) for column, ids in told["hashes"].items()}
            return cls(use_case, str(told["salt"]), hashes)
        except NoObjectError:
            return cls(use_case, secrets.token_hex(_SALT_BYTES), {})
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise LakeError.damaged_forgotten(lake.address(key), error) from error

    def hash_of(self, column: str, value: int | tuple[int, ...]) -> str:
        """HMAC-SHA256 (RFC 2104) of an id or several, and of what they are ids of, in hex.

        >>> one = Forgotten("fraud", "salt", {})
        >>> one.hash_of("customer_id", 1) == one.hash_of("terminal_id", 1)
        False
        """
        text = f"{column}={value}".encode()
        return hmac.new(self.salt.encode(), text, hashlib.sha256).hexdigest()

    def also(self, column: str, value: int) -> Forgotten:
        """With one id more."""
        known = self.hashes.get(column, frozenset())
        hashes = {**self.hashes, column: known | {self.hash_of(column, value)}}
        return replace(self, hashes=hashes)

    def write(self, lake: Lake) -> None:
        """Makes this what the lake holds."""
        hashes = {column: sorted(ids) for column, ids in sorted(self.hashes.items())}
        text = json.dumps({"salt": self.salt, "hashes": hashes}, indent=2) + "\n"
        lake.write_bytes(_key(self.use_case), text.encode())

    def of(self, rows: pl.DataFrame) -> pl.Series:
        """For each row whether one of its ids is forgotten; a null id is nobody's.

        Ids are int64. Each is hashed once, and none where nobody is forgotten.
        """
        found = pl.repeat(value=False, n=rows.height, dtype=pl.Boolean, eager=True)
        for column, hashes in self.hashes.items():
            if column in rows.columns:
                ids = rows.get_column(column).drop_nulls().unique().to_list()
                theirs = [one for one in ids if self.hash_of(column, one) in hashes]
                found |= rows.get_column(column).is_in(theirs).fill_null(value=False)
        return found


def _key(use_case: str) -> str:
    return f"_parity/forgotten/{use_case}.json"
