"""A gate before an application that answers, and keys to come with."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from lockstep.contract.api_keys import Scope, add_key, new_key
from lockstep.contract.clock import FixedClock
from serving.gate import KeyGate, default_scopes
from serving.key_ring import KeyRing
from serving.rate_limit import RateLimit

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
PREDICT = ("POST", "/v1/fraud/predict")
READ = ("GET", "/metrics")
ADMIN = ("POST", "/v1/models/reload")


async def receive() -> Any:
    return {"type": "http.request", "body": b""}


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: dict[str, Any]


@dataclass
class World:
    """A gate before an application that answers 200 and tells what it found."""

    path: Path
    now: datetime = NOW
    seconds: float = 0.0
    status: int = 200
    reached: list[dict[str, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.limit = RateLimit(lambda: self.seconds)
        self.gate = KeyGate(
            self._application,
            KeyRing(self.path, lambda: self.seconds),
            self.limit,
            default_scopes,
            FixedClock(self.now),
        )

    async def _application(self, scope: Any, receive: Any, send: Any) -> None:
        self.reached.append(scope)
        if self.status == 500:
            raise ValueError("broken")
        await send({"type": "http.response.start", "status": self.status, "headers": []})
        await send({"type": "http.response.body", "body": b"{}"})

    def key(self, *scopes: Scope, **options: Any) -> str:
        key, text = new_key("shop", frozenset(scopes), now=NOW, **options)
        add_key(self.path, key)
        self.seconds += 1
        return text

    def ask(self, method: str, path: str, *headers: tuple[str, str], root_path: str = "") -> Answer:
        sent: list[Any] = []

        async def send(message: Any) -> None:
            sent.append(message)

        scope = {
            "type": "http",
            "method": method,
            "path": root_path + path,
            "root_path": root_path,
            "headers": [(n.lower().encode(), v.encode("latin-1")) for n, v in headers],
        }
        asyncio.run(self.gate(scope, receive, send))
        told = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
        return Answer(sent[0]["status"], told, json.loads(sent[1]["body"]))

    def status_of(self, request: tuple[str, str], key: str | None) -> int:
        headers = [("X-API-Key", key)] if key is not None else []
        return self.ask(*request, *headers).status
