"""The key file: what is kept of a key, and that nobody loses one."""

from __future__ import annotations

import json
import threading
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime, timedelta
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lockstep.contract.api_keys import (
    ApiKey,
    ApiKeyError,
    NoKeyFileError,
    Scope,
    add_key,
    key_parts,
    new_key,
    read_keys,
    revoke_key,
    secret_digest,
)

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
PREDICT = frozenset({Scope.PREDICT})

_NAMES = st.text(min_size=1, max_size=80).filter(str.isprintable)
_RATES = st.none() | st.floats(1e-3, 1e6)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "home" / "api_keys.json"


def added(path: Path, name: str = "shop", **options: Any) -> ApiKey:
    key, _ = new_key(name, PREDICT, now=NOW, **options)
    add_key(path, key)
    return key


@given(
    name=_NAMES,
    scopes=st.frozensets(st.sampled_from(Scope), min_size=1),
    rate=_RATES,
    burst=st.none() | st.integers(1, 10**6),
    days=st.none() | st.integers(1, 36_500),
)
def test_a_key_reads_back_as_it_was_made(
    name: str, scopes: frozenset[Scope], rate: float | None, burst: int | None, days: int | None
) -> None:
    key, _ = new_key(name, scopes, now=NOW, requests_per_second=rate, burst=burst, days=days)
    with TemporaryDirectory() as folder:
        path = Path(folder) / "keys.json"
        add_key(path, key)
        assert read_keys(path) == (key,)


def test_the_file_has_the_digest_and_not_the_secret(path: Path) -> None:
    key, text = new_key("shop", PREDICT, now=NOW)
    add_key(path, key)
    key_id, secret = key_parts(text)
    assert (key_id, secret_digest(secret)) == (key.id, key.sha256)
    assert len(secret) == 43
    assert secret not in path.read_text()
    assert secret not in repr(key)


def test_no_two_keys_are_alike() -> None:
    texts = [new_key("shop", PREDICT, now=NOW)[1] for _ in range(100)]
    assert len({key_parts(text) for text in texts}) == 100


def test_only_the_owner_may_read_the_file(path: Path) -> None:
    added(path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert {file.name for file in path.parent.iterdir()} == {path.name, f".{path.name}.lock"}


@pytest.mark.parametrize("mode", [0o660, 0o620, 0o650, 0o604, 0o644, 0o602, 0o601, 0o777])
def test_a_file_that_others_may_use_is_refused(path: Path, mode: int) -> None:
    added(path)
    path.chmod(mode)
    with pytest.raises(ApiKeyError, match=f"has mode {mode:04o}.*run `chmod 600 {path}`"):
        read_keys(path)
    with pytest.raises(ApiKeyError, match="chmod 600"):
        added(path)


@given(mode=st.integers(0, 0o777))
def test_a_file_is_read_exactly_where_its_group_may_at_most_read(mode: int) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "keys.json"
        key = added(path)
        path.chmod(mode | 0o400)
        if mode % 0o100 in (0o00, 0o40):
            assert read_keys(path) == (key,)
        else:
            with pytest.raises(ApiKeyError, match="expected 0640 at most"):
                read_keys(path)


def test_an_absent_file_is_told_apart(path: Path) -> None:
    with pytest.raises(NoKeyFileError, match="run `lockstep keys add NAME`"):
        read_keys(path)
    with pytest.raises(NoKeyFileError):
        revoke_key(path, "0123abcd")


def _content(**changes: Any) -> dict[str, Any]:
    key = {
        "id": "0123abcd",
        "name": "shop",
        "sha256": secret_digest("secret"),
        "scopes": ["read"],
        "requests_per_second": None,
        "burst": 1,
        "created": NOW.isoformat(),
        "expires": None,
    }
    return {"version": 1, "keys": [key | changes]}


def test_a_file_written_by_hand_is_read(path: Path) -> None:
    path.parent.mkdir()
    path.touch(0o600)
    path.write_text(json.dumps(_content(expires="2026-03-02T00:00:00Z")))
    (key,) = read_keys(path)
    assert key.scopes == {Scope.READ}
    assert key.has_expired(NOW + timedelta(days=1))


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "Invalid JSON"),
        ("{}", "version"),
        (json.dumps(_content() | {"version": 2}), "version: Input should be 1"),
        (json.dumps(_content(id="0123ABCD")), r"keys\.0\.id"),
        (json.dumps(_content(sha256="0" * 63)), r"keys\.0\.sha256"),
        (json.dumps(_content(scopes=[])), r"keys\.0\.scopes"),
        (json.dumps(_content(scopes=["root"])), r"keys\.0\.scopes"),
        (json.dumps(_content(requests_per_second=0)), r"keys\.0\.requests_per_second"),
        (json.dumps(_content(requests_per_second=float("inf"))), "requests_per_second"),
        (json.dumps(_content(burst=0)), r"keys\.0\.burst"),
        (json.dumps(_content(expires="2026-03-02T00:00:00")), r"keys\.0\.expires"),
        (json.dumps(_content(expire=NOW.isoformat())), r"keys\.0\.expire"),
        (json.dumps(_content() | {"keys": _content()["keys"] * 2}), "two keys have the same id"),
    ],
)
def test_a_damaged_file_is_refused_and_left_as_it_is(path: Path, text: str, why: str) -> None:
    path.parent.mkdir()
    path.touch(0o600)
    path.write_text(text)
    with pytest.raises(ApiKeyError, match=rf"cannot be read \(.*{why}") as caught:
        read_keys(path)
    assert secret_digest("secret") not in str(caught.value)
    with pytest.raises(ApiKeyError, match="cannot be read"):
        added(path)
    assert path.read_text() == text


def test_a_folder_is_no_key_file(tmp_path: Path) -> None:
    with pytest.raises(ApiKeyError, match=r"cannot be read \(Is a directory\)"):
        read_keys(tmp_path)


def test_a_revoked_key_is_gone_and_the_others_stay(path: Path) -> None:
    keys = [added(path, name) for name in ("a", "b", "c")]
    assert revoke_key(path, keys[1].id) == keys[1]
    assert read_keys(path) == (keys[0], keys[2])
    with pytest.raises(ApiKeyError, match="there is no key .*see `lockstep keys list`"):
        revoke_key(path, keys[1].id)
    assert path.stat().st_mode & 0o777 == 0o600


def test_an_id_is_given_once(path: Path) -> None:
    key = added(path)
    with pytest.raises(ApiKeyError, match="make another one"):
        add_key(path, key)
    assert read_keys(path) == (key,)


def _add_some(path: Path, names: list[str]) -> None:
    for name in names:
        added(path, name)


@settings(max_examples=15)
@given(st.lists(st.integers(1, 4), min_size=2, max_size=6))
def test_threads_that_add_at_once_lose_nothing(sizes: list[int]) -> None:
    batches = [[f"{thread}-{n}" for n in range(size)] for thread, size in enumerate(sizes)]
    with TemporaryDirectory() as folder:
        path = Path(folder) / "new" / "keys.json"
        threads = [threading.Thread(target=_add_some, args=(path, names)) for names in batches]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(key.name for key in read_keys(path)) == sorted(sum(batches, []))


def test_processes_that_add_at_once_lose_nothing(path: Path) -> None:
    batches = [[f"{process}-{n}" for n in range(20)] for process in range(3)]
    with ProcessPoolExecutor(3, mp_context=get_context("spawn")) as processes:
        list(processes.map(_add_some, [path] * 3, batches))
    assert sorted(key.name for key in read_keys(path)) == sorted(sum(batches, []))


@pytest.mark.parametrize(("rate", "burst"), [(None, 1), (0.2, 1), (1.0, 1), (2.5, 3), (50.0, 50)])
def test_the_burst_is_one_second_s_unless_it_is_given(rate: float | None, burst: int) -> None:
    assert new_key("shop", PREDICT, now=NOW, requests_per_second=rate)[0].burst == burst
    assert new_key("shop", PREDICT, now=NOW, requests_per_second=rate, burst=7)[0].burst == 7


def test_a_key_expires_at_its_instant_and_not_before() -> None:
    key, _ = new_key("shop", PREDICT, now=NOW, days=2)
    assert not key.has_expired(NOW + timedelta(days=2) - timedelta(microseconds=1))
    assert key.has_expired(NOW + timedelta(days=2))
    assert not new_key("shop", PREDICT, now=NOW)[0].has_expired(datetime.max.replace(tzinfo=UTC))


@pytest.mark.parametrize("rate", [0.0, -1.0, float("inf"), float("nan")])
def test_a_rate_that_limits_nothing_is_refused(rate: float) -> None:
    with pytest.raises(ApiKeyError, match="use a number above 0"):
        new_key("shop", PREDICT, now=NOW, requests_per_second=rate)


@pytest.mark.parametrize("name", ["", "a\nb", "\x1b[31m", "x" * 81])
def test_a_name_must_be_printable(name: str) -> None:
    with pytest.raises(ApiKeyError, match="is not a name"):
        new_key(name, PREDICT, now=NOW)


def test_a_key_needs_a_scope_that_exists() -> None:
    with pytest.raises(ApiKeyError, match="without a scope"):
        new_key("shop", frozenset(), now=NOW)
    with pytest.raises(ApiKeyError, match=r"'root' is not a scope; use some of \['predict'"):
        Scope.named(["read", "root"])


@given(st.text())
def test_what_is_no_key_has_no_parts(text: str) -> None:
    assert key_parts(text) == ("", "")


def test_a_key_has_parts_only_as_a_whole() -> None:
    _, text = new_key("shop", PREDICT, now=NOW)
    for other in (text[:-1], text + "x", text + "\n", f" {text}", text.upper(), text[4:]):
        assert key_parts(other) == ("", "")
