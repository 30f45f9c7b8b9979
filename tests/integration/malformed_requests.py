"""Requests with something wrong: a good one of each path, changed in one or two ways."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from hypothesis import strategies as st
from serving_client import END, GOOD, PREDICT

BATCH, RELOAD = f"{PREDICT}/batch", "/v1/models/reload"
MOST_ROWS = 20
_ROW = GOOD | {"transaction_id": 7, "event_timestamp": END.isoformat()}
_ENTITIES = {name: _ROW[name] for name in ("customer_id", "terminal_id", "event_timestamp")}
GOOD_BODIES: dict[str, Any] = {
    PREDICT: _ROW,
    "/v1/fraud/explain": _ROW,
    BATCH: {"rows": [_ROW] * 3},
    "/v1/fraud/features": _ENTITIES,
    RELOAD: None,
}


@dataclass(frozen=True)
class Sent:
    """A request as the server is handed it, its body in pieces."""

    path: str
    body: bytes
    method: str = "POST"
    headers: tuple[tuple[bytes, bytes], ...] = ((b"content-type", b"application/json"),)
    pieces: int = 1

    def __repr__(self) -> str:
        headers = [(name, value[:60]) for name, value in self.headers]
        return f"{self.method} {self.path[:60]!r} {headers} {self.body[:200]!r} in {self.pieces}"

    def with_header(self, name: bytes, value: bytes) -> Sent:
        """With this header, and no other of that name."""
        others = tuple(header for header in self.headers if header[0] != name)
        return replace(self, headers=(*others, (name, value)))


_TEXTS = st.sampled_from(
    ["", "1", "NaN", "\x00", "\ud800", "é" * 300, "0x10", "9999-12-31T23:59:59Z", "null"]
    + ["0001-01-01T00:00:00Z", "2018-05-11T24:00:00Z", "2018-02-30T00:00:00Z", "10000-01-01"]
    + ["2018-05-11T00:00:00.1234567Z", "2018-05-11T00:00:00+14:00", "2018-05-11T00:00:60Z"]
) | st.text(max_size=20)
_NUMBERS = st.sampled_from(
    [-1, 2**63 - 1, 2**63, 2**64, -(2**63) - 1, 10**400, 1e308, -0.0, 0.1, 1.0]
    + [float("nan"), float("inf"), float("-inf"), 10**11, 10**11 + 1]
)
_ODD_VALUES = st.recursive(
    st.none() | st.booleans() | _NUMBERS | _TEXTS | st.integers(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=4,
)
_BYTES = st.binary(max_size=60)


@st.composite
def _changed(draw: st.DrawFn, document: Any) -> Any:
    """The document with one value dropped, replaced, nested, or one too many."""
    if isinstance(document, list) and document:
        place = draw(st.integers(0, len(document) - 1))
        rows = [*document[:place], draw(_changed(document[place])), *document[place + 1 :]]
        return draw(st.sampled_from([rows, rows[:place], rows * 7])) if len(rows) > 1 else rows
    if not isinstance(document, dict) or not document or draw(st.integers(0, 9)) == 0:
        return draw(_ODD_VALUES)
    name = draw(st.sampled_from(sorted(document)))
    value = document[name]
    return draw(
        st.sampled_from(
            [
                {key: document[key] for key in document if key != name},
                document | {name: [value]},
                document | {name: {name: value}},
                document | {name: str(value)},
            ]
        )
        | _ODD_VALUES.map(lambda odd: document | {name: odd})
        | st.tuples(_TEXTS, _ODD_VALUES).map(lambda extra: document | {extra[0]: extra[1]})
        | _changed(value).map(lambda odd: document | {name: odd})
    )


def _cut(draw: st.DrawFn, sent: Sent) -> Sent:
    return replace(sent, body=sent.body[: draw(st.integers(0, max(0, len(sent.body) - 1)))])


def _bytes_inside(draw: st.DrawFn, sent: Sent) -> Sent:
    place = draw(st.integers(0, len(sent.body)))
    return replace(sent, body=sent.body[:place] + draw(_BYTES) + sent.body[place:])


def _other_bytes(draw: st.DrawFn, sent: Sent) -> Sent:
    return replace(sent, body=draw(_BYTES))


def _encoded(draw: st.DrawFn, sent: Sent) -> Sent:
    """As text of another encoding, or compressed."""
    text = sent.body.decode("utf-8", "replace")
    ways: list[Callable[[], bytes]] = [
        lambda: text.encode("utf-16"),
        lambda: text.encode("utf-32-le"),
        lambda: b"\xef\xbb\xbf" + sent.body,
        lambda: gzip.compress(sent.body),
        lambda: sent.body.replace(b"1", b"\xff\xfe"),
    ]
    return replace(sent, body=draw(st.sampled_from(ways))())


def _deep(draw: st.DrawFn, sent: Sent) -> Sent:
    opened, depth = draw(st.sampled_from([b"[", b'{"a":', b'{"rows":['])), draw(st.integers(1, 900))
    return replace(sent, body=opened * depth + sent.body)


def _number_text(draw: st.DrawFn, sent: Sent) -> Sent:
    """Numbers that no Python value is written as."""
    odd = draw(st.sampled_from([b"1e999", b"-", b"01", b"1.", b"+1", b"Infinity", b"9" * 4_500]))
    return replace(sent, body=sent.body.replace(b"1", odd, 1))


def _twice(draw: st.DrawFn, sent: Sent) -> Sent:
    """A field that comes twice."""
    return replace(sent, body=sent.body.replace(b"{", b'{"customer_id": "x", ', 1))


def _too_long(draw: st.DrawFn, sent: Sent) -> Sent:
    return replace(sent, body=b" " * 100_001 + sent.body, pieces=draw(st.integers(1, 9)))


_BODY_CHANGES = (_cut, _bytes_inside, _other_bytes, _encoded, _deep, _number_text, _twice)


def _other_type(draw: st.DrawFn, sent: Sent) -> Sent:
    known = [b"text/plain", b"application/xml", b"application/jsonx", b";", b"", b"\xff\xfe"]
    return sent.with_header(b"content-type", draw(st.sampled_from(known) | _BYTES))


def _untyped(draw: st.DrawFn, sent: Sent) -> Sent:
    return replace(sent, headers=sent.headers[1:])


def _other_length(draw: st.DrawFn, sent: Sent) -> Sent:
    known = [b"-1", b"\xb2", b"9" * 5_000, b"1e9", b"0x10", b"100001", b" ", b"1, 2"]
    return sent.with_header(b"content-length", draw(st.sampled_from(known)))


def _other_key(draw: st.DrawFn, sent: Sent) -> Sent:
    known = [b"", b"lsk_", b"lsk_00000000_" + b"x" * 43, b"\xff" * 50, b"x" * 5_000]
    name = draw(st.sampled_from([b"x-api-key", b"authorization"]))
    kept = tuple(header for header in sent.headers if header[0] != b"x-api-key")
    value = draw(st.sampled_from(known) | _BYTES)
    prefix = draw(st.sampled_from([b"", b"Bearer ", b"Basic "]))
    return replace(sent, headers=kept).with_header(name, prefix + value)


def _other_method(draw: st.DrawFn, sent: Sent) -> Sent:
    methods = ["GET", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "TRACE", "post", "X" * 50]
    return replace(sent, method=draw(st.sampled_from(methods)))


def _other_path(draw: st.DrawFn, sent: Sent) -> Sent:
    paths = [sent.path + "/", sent.path[1:], sent.path.replace("v1", "v2"), sent.path.upper()]
    paths += [sent.path.replace("fraud", text) for text in ("é" * 99, "..", "%00", "{use_case}")]
    return replace(sent, path=draw(st.sampled_from(paths).filter(lambda path: path != sent.path)))


_HEAD_CHANGES = (_too_long, _other_key, _other_method, _other_path)


@st.composite
def malformed(draw: st.DrawFn, key: str) -> Sent:
    """A request to one of the paths; most are malformed, some only odd."""
    path = draw(st.sampled_from(sorted(GOOD_BODIES)))
    document = GOOD_BODIES[path]
    headers = ((b"content-type", b"application/json"), (b"x-api-key", key.encode()))
    # A reload has no body, and takes a while: only what is refused is sent there.
    if path == RELOAD:
        return draw(st.sampled_from(_HEAD_CHANGES[1:]))(draw, Sent(path, b"", headers=headers))
    if draw(st.booleans()):
        document = draw(_changed(document))
        if draw(st.booleans()):
            document = draw(_changed(document))
    sent = Sent(path, json.dumps(document).encode(), headers=headers)
    if document == GOOD_BODIES[path]:
        sent = draw(st.sampled_from(_BODY_CHANGES + (_other_type, _untyped)))(draw, sent)
    if draw(st.integers(0, 3)) == 0:
        sent = draw(st.sampled_from((*_HEAD_CHANGES, _other_length)))(draw, sent)
    return replace(sent, pieces=draw(st.integers(1, 3)))
