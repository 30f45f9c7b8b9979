"""The bound on a body: exact, however the body is cut."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.exceptions import HTTPException

from serving.body_limit import BodyLimit

_LIMIT = 20
_PIECES = st.lists(st.binary(max_size=15), min_size=1, max_size=5)


async def _send_through(pieces: list[bytes], headers: list[tuple[bytes, bytes]]) -> Any:
    """What the application read, or the status that it was spared."""
    messages = [
        {"type": "http.request", "body": piece, "more_body": piece is not pieces[-1]}
        for piece in pieces
    ]
    incoming, read, answers = iter(messages), [], []

    async def receive() -> Any:
        return next(incoming)

    async def send(message: Any) -> None:
        answers.append(message)

    async def application(scope: Any, receive: Any, send: Any) -> None:
        read.extend([(await receive())["body"] for _ in pieces])

    scope = {"type": "http", "path": "/", "headers": headers}
    await BodyLimit(application, max_bytes=_LIMIT)(scope, receive, send)
    return answers[0]["status"] if answers else b"".join(read)


@given(_PIECES)
def test_a_body_passes_whole_or_not_at_all(pieces: list[bytes]) -> None:
    body = b"".join(pieces)
    if len(body) <= _LIMIT:
        assert asyncio.run(_send_through(pieces, [])) == body
        return
    with pytest.raises(HTTPException, match="more than 20 bytes") as caught:
        asyncio.run(_send_through(pieces, []))
    assert caught.value.status_code == 413


@given(st.integers(0, 10**9))
def test_a_declared_length_is_believed_before_anything_is_read(length: int) -> None:
    headers = [(b"content-length", str(length).encode())]
    answer = asyncio.run(_send_through([b"x"], headers))
    assert answer == (b"x" if length <= _LIMIT else 413)


@pytest.mark.parametrize("length", [b"\xb2", b"1e9", b"-5", b"", b"9" * 5_000])
def test_a_length_that_is_none_is_not_believed(length: bytes) -> None:
    answer = asyncio.run(_send_through([b"x"], [(b"content-length", length)]))
    assert answer == (413 if len(length) > 4 else b"x")


def test_a_client_that_leaves_before_its_body_is_whole_is_no_fault_of_the_server() -> None:
    async def receive() -> Any:
        return next(incoming)

    async def read(scope: Any, receive: Any, send: Any) -> None:
        while True:
            await receive()

    incoming = iter([{"type": "http.request", "more_body": True}, {"type": "http.disconnect"}])
    with pytest.raises(HTTPException, match="before its body was whole") as caught:
        scope = {"type": "http", "path": "/", "headers": []}
        asyncio.run(BodyLimit(read, max_bytes=_LIMIT)(scope, receive, receive))
    assert caught.value.status_code == 408
