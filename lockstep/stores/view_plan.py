"""How one view lies in a hash, and what its bytes say of a row at T."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from lockstep.stores.kept_rows import KeptRows
from lockstep.stores.live_tail import TailStep, decode_tail, known_at
from lockstep.stores.online_read import ViewRead
from lockstep.stores.value_bytes import decode_time, python_value


@dataclass(frozen=True)
class ViewPlan:
    """The hash fields of one view, and what its statuses need.

    `types` are those of `features`, by Feast's names. `tail_field` is there for a view
    tagged `live`, `rows_field` for one that keeps rows beside its steps; `fields` have the
    latter, last, only in what `with_rows` returns.
    """

    name: str
    features: tuple[str, ...]
    types: tuple[str, ...]
    fields: tuple[bytes, ...]
    horizon_key: bytes
    has_valid_until: bool
    tail_field: bytes | None
    ttl_us: int | None
    max_age_us: int | None
    kept: KeptRows | None = None
    rows_field: bytes | None = None

    @property
    def with_rows(self) -> ViewPlan:
        """The same, whose rows are read too where it keeps some."""
        return replace(self, fields=(*self.fields, self.rows_field)) if self.rows_field else self

    def decode(
        self, answer: Sequence[bytes | None], horizon_us: int | None, t_us: int | None = None
    ) -> ViewRead:
        """The answer to `fields`: a row without its event time was never written.

        With `t_us` the newest step that was known then, as far back as the tail of a live
        view reaches.
        """
        known = self.known_at(answer, t_us)
        if known is None:
            return ViewRead(
                self.features,
                horizon_us=horizon_us,
                ttl_us=self.ttl_us,
                max_age_us=self.max_age_us,
            )
        event_us, created_us, cells = known
        return ViewRead(
            self.features,
            event_us,
            created_us,
            self.valid_until(cells),
            horizon_us,
            self.ttl_us,
            self.max_age_us,
            {
                name: python_value(cell)
                for name, cell in zip(self.features, cells, strict=False)
                if cell is not None
            },
            answer[-1] if self.fields[-1] == self.rows_field else None,
        )

    def known_at(
        self, answer: Sequence[bytes | None], t_us: int | None
    ) -> tuple[int, int | None, Sequence[bytes | None]] | None:
        """Event and created time, and the serialised features; None for no row.

        With `t_us` those of then, as far as the tail reaches; else, and beyond, the newest.
        """
        if answer[0] is None:
            return None
        event_us = decode_time(answer[0])
        created_us = None if answer[1] is None else decode_time(answer[1])
        if t_us is not None and max(event_us, created_us or event_us) > t_us:
            step = self._step_at(answer, t_us)
            if step is not None:
                return *step.version, [step.fields.get(field) for field in self.fields[2:]]
        return event_us, created_us, answer[2:]

    def valid_until(self, cells: Sequence[bytes | None]) -> int | None:
        """The microseconds until which a row holds, from its serialised features."""
        cell = cells[len(self.features)] if self.has_valid_until else None
        return python_value(cell) if cell else None

    def _step_at(self, answer: Sequence[bytes | None], t_us: int) -> TailStep | None:
        tail = answer[-1] if self.tail_field else None
        return known_at(decode_tail(tail), t_us) if tail else None
