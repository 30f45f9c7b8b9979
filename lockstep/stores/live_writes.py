"""Rows of views tagged `live` go into Redis with their tail: no step in its reach is lost."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from lockstep.stores.guarded_write import bulk_string, guarded_write
from lockstep.stores.live_tail import TailStep, decode_tail, encode_tail, merged
from lockstep.stores.online_rows import OnlineRow
from lockstep.stores.online_writes import WriteCount
from lockstep.stores.redis_layout import created_field, encode_time, event_field, tail_field
from lockstep.stores.redis_servers import RedisServers
from lockstep.stores.redis_wire import packed
from lockstep.stores.value_bytes import decode_time

Held = Mapping[bytes, bytes | None]


class LiveWriter:
    """Writes rows of one live view; `features` are its hash fields, `keep` its steps."""

    def __init__(
        self,
        servers: RedisServers,
        view: str,
        features: Sequence[bytes],
        *,
        keep: int,
        key_ttl_seconds: int = 0,
    ) -> None:
        self._servers = servers
        self._event, self._created = event_field(view), created_field(view)
        self._tail = tail_field(view)
        self._features = features
        self._keep = keep
        self._key_ttl = key_ttl_seconds

    def write(self, rows: Iterable[OnlineRow]) -> WriteCount:
        """Rows that came into the tail, and rows that are older than it reaches.

        Raises:
            RedisError, OSError: Redis does not answer, or refuses; each row is then written
                or not.
        """
        left: dict[bytes, list[TailStep]] = {}
        for row in rows:
            left.setdefault(row.key, []).append(self._step(row))
        count = WriteCount()
        while left:
            count += self._attempt(left)
        return count

    def _attempt(self, left: dict[bytes, list[TailStep]]) -> WriteCount:
        """Takes out of `left` what is done: all but what somebody else wrote to meanwhile."""
        fields = (self._event, self._created, self._tail, *self._features)
        asked = [packed("HMGET", key, *fields) for key in left]
        answers = self._servers.ask(list(left), asked)
        commands, counts = {}, {}
        for (key, arrived), answer in zip(left.items(), answers, strict=True):
            held = dict(zip(fields, answer, strict=True))
            steps = merged(self._steps(held), arrived, keep=self._keep)
            kept = {id(step) for step in steps}
            written = sum(id(step) in kept for step in arrived)
            counts[key] = WriteCount(written, len(arrived) - written)
            if written:
                commands[key] = self._command(key, held, steps)
        done = dict(
            zip(commands, self._servers.ask(list(commands), list(commands.values())), strict=True)
        )
        count = WriteCount()
        for key in list(left):
            if done.get(key, 1):
                count += counts[key]
                del left[key]
        return count

    def _step(self, row: OnlineRow) -> TailStep:
        times = (self._event, self._created)
        fields = {name: value for name, value in row.fields.items() if name not in times}
        return TailStep(*row.version, fields)

    def _steps(self, held: Held) -> list[TailStep]:
        """What Redis holds; a row that was written before the view was live has no tail."""
        steps = list(decode_tail(held[self._tail] or b""))
        event, created = held[self._event], held[self._created]
        if event is None:
            return steps
        event_us = decode_time(event)
        created_us = event_us if created is None else decode_time(created)
        if not steps or steps[0].version < (event_us, created_us):
            values = {name: held[name] for name in self._features}
            known = {name: value for name, value in values.items() if value is not None}
            steps.insert(0, TailStep(event_us, created_us, known))
        return steps

    def _command(self, key: bytes, held: Held, steps: Sequence[TailStep]) -> bytes:
        newest = steps[0]
        content = {
            self._event: encode_time(newest.event_us),
            self._created: encode_time(newest.created_us),
            self._tail: encode_tail(steps),
            **newest.fields,
        }
        pairs = b"".join(bulk_string(part) for pair in content.items() for part in pair)
        seen = {field: held[field] for field in (self._event, self._created, self._tail)}
        return guarded_write([key], seen, pairs, count=2 * len(content), key_ttl=self._key_ttl)
