"""The key ring: who gets in, and a file that changes under it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from lockstep.contract.api_keys import ApiKey, ApiKeyError, Scope, add_key, new_key, revoke_key
from serving import key_ring
from serving.key_ring import KeyRing

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


class Ticks:
    """A monotonic clock that moves when it is told to."""

    def __init__(self) -> None:
        self.seconds = 100.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "api_keys.json"


def add(path: Path, **options: Any) -> tuple[ApiKey, str]:
    key, text = new_key("shop", frozenset({Scope.READ}), now=NOW, **options)
    add_key(path, key)
    return key, text


def test_a_key_is_found_by_its_whole_text_only(path: Path) -> None:
    key, text = add(path)
    _, other = add(path)
    ring = KeyRing(path)
    assert ring.find(text, NOW) == key
    assert ring.find(text[:13] + other[13:], NOW) is None
    assert ring.find(f"lsk_{key.id}_{key.sha256[:43]}", NOW) is None


_TEXTS = st.text() | st.from_regex(r"\Alsk_[0-9a-f]{8}_[A-Za-z0-9_-]{43}\Z")


@given(sent=_TEXTS, changed=st.integers(0, 55), letter=st.characters(codec="latin-1"))
def test_nothing_else_ever_finds_a_key(sent: str, changed: int, letter: str) -> None:
    with TemporaryDirectory() as folder:
        key, text = add(Path(folder) / "keys.json")
        ring = KeyRing(Path(folder) / "keys.json")
        almost = text[:changed] + letter + text[changed + 1 :]
        for wrong in (sent, text[:13] + sent[13:], almost):
            assert ring.find(wrong, NOW) == (key if wrong == text else None)


def test_an_expired_key_finds_nothing(path: Path) -> None:
    key, text = add(path, days=1)
    ring = KeyRing(path)
    assert ring.find(text, NOW + timedelta(days=1, microseconds=-1)) == key
    assert ring.find(text, NOW + timedelta(days=1)) is None


def test_an_unknown_id_is_compared_as_well(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _, text = add(path)
    ring, compared = KeyRing(path), []
    monkeypatch.setattr(
        key_ring.hmac, "compare_digest", lambda a, b: compared.append((len(a), len(b))) or False
    )
    for sent in (text, new_key("x", frozenset(Scope), now=NOW)[1], "", "password"):
        assert ring.find(sent, NOW) is None
    assert compared == [(64, 64)] * 4


def test_a_change_counts_after_a_second(path: Path) -> None:
    ticks = Ticks()
    old, old_text = add(path)
    ring = KeyRing(path, ticks)
    new, new_text = add(path)
    revoke_key(path, old.id)
    ticks.seconds += 0.9
    assert ring.find(old_text, NOW) == old
    assert ring.find(new_text, NOW) is None
    ticks.seconds += 0.1
    assert ring.find(old_text, NOW) is None
    assert ring.find(new_text, NOW) == new


def test_the_file_is_read_again_only_when_it_changed(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ticks, looked = Ticks(), []
    key, text = add(path)
    ring = KeyRing(path, ticks)
    keys, marks = ring.keys, key_ring._marks
    monkeypatch.setattr(key_ring, "_marks", lambda path: looked.append(path) or marks(path))
    for _ in range(40):
        ticks.seconds += 0.25
        assert ring.find(text, NOW) == key
    assert len(looked) == 10
    assert ring.keys is keys


def test_an_absent_file_holds_no_keys_and_may_come_later(path: Path) -> None:
    ticks = Ticks()
    with capture_logs() as logs:
        ring = KeyRing(path, ticks)
        ticks.seconds += 1
        assert ring.find("lsk_", NOW) is None
    assert not ring.keys
    assert logs == []
    key, text = add(path)
    ticks.seconds += 1
    assert ring.find(text, NOW) == key


def test_a_file_that_cannot_be_used_is_told_at_once(path: Path) -> None:
    add(path)
    path.chmod(0o644)
    with pytest.raises(ApiKeyError, match="chmod 600"):
        KeyRing(path)


def _breaks(path: Path, how: str) -> None:
    if how == "open to others":
        path.chmod(0o644)
    elif how == "gone":
        path.unlink()
    else:
        path.write_text(how)


@pytest.mark.parametrize("how", ["open to others", "gone", "", "{}", '{"version": 2, "keys": []}'])
def test_a_file_that_breaks_keeps_the_last_good_keys(path: Path, how: str) -> None:
    ticks = Ticks()
    key, text = add(path)
    ring = KeyRing(path, ticks)
    _breaks(path, how)
    with capture_logs() as logs:
        for _ in range(5):
            ticks.seconds += 1
            assert ring.find(text, NOW) == key
    assert [(entry["log_level"], str(path) in entry["why"]) for entry in logs] == [
        ("warning", True)
    ]


def test_each_new_reason_is_logged_once_and_the_end_of_it(path: Path) -> None:
    ticks = Ticks()
    key, text = add(path)
    ring = KeyRing(path, ticks)
    with capture_logs() as logs:
        for mode in (0o644, 0o644, 0o620, 0o600, 0o620):
            path.chmod(mode)
            for _ in range(2):
                ticks.seconds += 1
                assert ring.find(text, NOW) == key
    assert [entry["log_level"] for entry in logs] == ["warning", "warning", "info", "warning"]
    assert ["0644" in logs[0]["why"], "0620" in logs[1]["why"], logs[2]["keys"]] == [True, True, 1]


def test_a_file_that_is_put_back_counts_again(path: Path) -> None:
    ticks = Ticks()
    key, text = add(path)
    ring = KeyRing(path, ticks)
    aside = path.with_name("aside")
    path.rename(aside)
    ticks.seconds += 1
    assert ring.find(text, NOW) == key
    revoke_key(aside, key.id)
    aside.rename(path)
    ticks.seconds += 1
    assert ring.find(text, NOW) is None


def test_no_secret_is_logged(path: Path) -> None:
    with capture_logs() as logs:
        key, text = add(path)
        ring = KeyRing(path)
        ring.find(text, NOW)
        ring.find(text[:-1], NOW)
    assert len(logs) == 1
    assert text[13:] not in str(logs)
    assert key.sha256 not in str(logs)
