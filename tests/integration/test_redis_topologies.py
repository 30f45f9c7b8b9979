"""The online store on a Redis Cluster, and over TLS as a user with few rights."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from online_project import T0, T0_US, OnlineProject, view
from redis import Redis, RedisCluster
from redis_topologies import TlsRedis, redis_cluster, redis_on_a_socket, redis_with_tls

from lockstep.stores.errors import StoreUnavailableError
from lockstep.stores.online_reader import BlockingReader, OnlineReader
from lockstep.stores.online_writes import WriteCount

WINDOWS = view("windows", "n", "m")
LIMITS = view("limits", "limit")
LIVE = view("live", "k", live="true")
DOCS = Path(__file__).parents[2] / "docs" / "online.md"
CARDS = range(300)
ROWS = [{"card_id": card} for card in CARDS]
KINDS = pytest.mark.parametrize("kind", ["reader", "writer"])


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with redis_cluster(tmp_path_factory.mktemp("cluster")) as url:
        yield url


@pytest.fixture
def cluster_url(cluster: str) -> str:
    with RedisCluster.from_url(cluster.replace("+cluster", "")) as client:
        client.flushall(target_nodes=RedisCluster.PRIMARIES)
    return cluster


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TlsRedis]:
    with redis_with_tls(tmp_path_factory.mktemp("tls")) as server:
        yield server


def filled(url: str, folder: Path, name: str = "p") -> OnlineProject:
    project = OnlineProject(url, folder, name=name)
    assert project.write(WINDOWS, *((c, 5, 5, c) for c in CARDS)) == WriteCount(len(CARDS), 0)
    project.push(LIMITS, (1, 5, 5, 100))
    project.store.advance_horizon(project.config, WINDOWS, T0 + timedelta(seconds=1))
    return project


def assert_reads(project: OnlineProject, url: str) -> None:
    """Every way of reading gives every card's number."""
    wanted = [(5, card) for card in CARDS]
    assert project.read(WINDOWS, *CARDS) == asyncio.run(project.read_async(WINDOWS, *CARDS))
    assert project.read(WINDOWS, *CARDS, 999) == [*wanted, None]
    plan, times = project.plan(WINDOWS, LIMITS), [T0_US + 9] * len(CARDS)

    async def read() -> Any:
        reader = OnlineReader(url, plan)
        try:
            await reader.ping()
            return await reader.unmaterialized(), await reader.vectors(ROWS, times)
        finally:
            await reader.close()

    unmaterialized, vectors = asyncio.run(read())
    blocking = BlockingReader(url, plan)
    assert unmaterialized == ("limits",)
    for found in (vectors, blocking.vectors(ROWS, times)):
        assert found.values[:, 0].tolist() == list(CARDS)
        assert [found.status(card, "limit") for card in (0, 1)] == ["NOT_FOUND", "PRESENT"]
    blocking.close()


def test_a_cluster_is_written_and_read(cluster_url: str, tmp_path: Path) -> None:
    project = filled(cluster_url, tmp_path)
    assert_reads(project, cluster_url)
    assert project.write(WINDOWS, (1, 4, 4, 0), (2, 6, 6, 7)) == WriteCount(1, 1)
    assert project.read(WINDOWS, 1, 2) == [(5, 1), (6, 7)]
    project.write(LIVE, (1, 5, 5, 1))
    project.write(LIVE, (1, 7, 7, 2))
    reader = BlockingReader(cluster_url, project.plan(LIVE))
    assert reader.vectors([{"card_id": 1}] * 2, [T0_US + 6, T0_US + 8]).values.tolist() == [
        [1],
        [2],
    ]
    reader.close()


def test_keys_lie_on_every_master(cluster_url: str, tmp_path: Path) -> None:
    filled(cluster_url, tmp_path)
    with RedisCluster.from_url(cluster_url.replace("+cluster", "")) as client:
        sizes = client.dbsize(target_nodes=RedisCluster.PRIMARIES)
        assert sizes > len(CARDS)
        each = [client.dbsize(target_nodes=node) for node in client.get_primaries()]
    assert len(each) == 3 and min(each) > 50


def test_a_delete_in_a_cluster_touches_only_its_own(cluster_url: str, tmp_path: Path) -> None:
    fraud, antifraud = (filled(cluster_url, tmp_path, name) for name in ("fraud", "antifraud"))
    fraud.store.teardown(fraud.config, [WINDOWS], [])
    assert fraud.read(WINDOWS, *CARDS) == [None] * len(CARDS)
    assert fraud.store.horizon(fraud.config, WINDOWS) is None
    assert fraud.read(LIMITS, 1) == [(5, 100)]
    assert antifraud.read(WINDOWS, *CARDS) == [(5, card) for card in CARDS]


def test_a_map_of_the_cluster_that_is_out_of_date_is_asked_for_again(
    cluster_url: str, tmp_path: Path
) -> None:
    project = filled(cluster_url, tmp_path)
    reader = BlockingReader(cluster_url, project.plan(WINDOWS))
    times = [T0_US + 9] * len(CARDS)
    reader.vectors(ROWS, times)
    slots = reader._redis._slots
    assert slots is not None
    turned = type(slots)(slots.masters, tuple((o or 0) ^ 1 if o != 2 else 2 for o in slots.owners))
    reader._redis._slots = turned
    assert reader.vectors(ROWS, times).values[:, 0].tolist() == list(CARDS)
    reader.close()


def test_a_socket_of_this_machine(tmp_path_factory: pytest.TempPathFactory, tmp_path: Path) -> None:
    with redis_on_a_socket(tmp_path_factory.mktemp("s")) as url:
        assert_reads(filled(url, tmp_path), url)


def test_tls_with_the_authority_of_the_address(tls: TlsRedis, tmp_path: Path) -> None:
    assert_reads(filled(tls.url(), tmp_path), tls.url())


def test_tls_of_an_unknown_authority_is_refused(tls: TlsRedis, tmp_path: Path) -> None:
    project = OnlineProject(tls.url().split("?")[0], tmp_path)
    with pytest.raises(StoreUnavailableError, match="certificate verify failed"):
        project.read(WINDOWS, 1)
    with pytest.raises(StoreUnavailableError, match="certificate verify failed"):
        asyncio.run(project.read_async(WINDOWS, 1))
    lost = OnlineProject(f"{project.config.online_store.redis_url}?ssl_ca_certs=/no.pem", tmp_path)
    with pytest.raises(StoreUnavailableError, match="is not the address of a Redis"):
        lost.read(WINDOWS, 1)


def rights(kind: str) -> list[str]:
    """The rules that the documentation gives for a reader or a writer."""
    (rules,) = re.findall(rf"ACL SETUSER {kind} (.+)", DOCS.read_text())
    return str(rules).replace("PASSWORD", "secret").replace("PROJECT", "p").split()


def does_its_work(kind: str, admin: str, own: str, folder: Path) -> None:
    """The address `own` is that of a user who has the rights of `kind`."""
    if kind == "writer":
        project = filled(own, folder)
        project.write(WINDOWS, (1, 4, 4, 0))
        project.store.teardown(project.config, [LIMITS], [])
        filled(own, folder)
    else:
        filled(admin, folder)
    assert_reads(OnlineProject(own, folder), own)


@KINDS
def test_a_user_with_the_documented_rights_does_its_work(
    tls: TlsRedis, tmp_path: Path, kind: str
) -> None:
    with Redis.from_url(tls.url()) as admin:
        admin.execute_command("ACL", "SETUSER", kind, *rights(kind))
    does_its_work(kind, tls.url(), tls.url(kind, "secret"), tmp_path)


@KINDS
def test_the_same_rights_do_in_a_cluster(cluster_url: str, tmp_path: Path, kind: str) -> None:
    with RedisCluster.from_url(cluster_url.replace("+cluster", "")) as admin:
        rules = ("ACL SETUSER", kind, *rights(kind))
        admin.execute_command(*rules, target_nodes=RedisCluster.PRIMARIES)
    own = cluster_url.replace("://", f"://{kind}:secret@")
    does_its_work(kind, cluster_url, own, tmp_path)


def test_a_reader_that_writes_is_told_what_it_lacks(tls: TlsRedis, tmp_path: Path) -> None:
    with Redis.from_url(tls.url()) as admin:
        admin.execute_command("ACL", "SETUSER", "reader", *rights("reader"))
    project = OnlineProject(tls.url("reader", "secret"), tmp_path)
    message = r"reader:\*\*\*@.* may not do this \(.*docs/online.md"
    with pytest.raises(StoreUnavailableError, match=message):
        project.write(WINDOWS, (1, 5, 5, 1))
    with pytest.raises(StoreUnavailableError, match=message):
        project.push(LIVE, (1, 5, 5, 1))
    with pytest.raises(StoreUnavailableError, match=message):
        project.store.teardown(project.config, [WINDOWS], [])


def test_a_wrong_password_is_refused_without_being_shown(tls: TlsRedis, tmp_path: Path) -> None:
    project = OnlineProject(tls.url("reader", "wrong-secret"), tmp_path)
    with pytest.raises(StoreUnavailableError, match="WRONGPASS") as refused:
        project.read(WINDOWS, 1)
    assert "wrong-secret" not in str(refused.value)
