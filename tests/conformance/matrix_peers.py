"""The stores of the matrix: Feast's own as its templates set them up, and ours."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

LOCKSTEP = "Lockstep"

# As `feast init -t spark` writes it, but without Hive's metastore, on this machine only, and
# without what a handful of rows does not pay for: the serial collector and NO_CODEGEN alone took
# all of Spark's cases from 75 to 53 CPU seconds.
_SPARK = {
    "spark.master": "local[1]",
    "spark.ui.enabled": "false",
    "spark.eventLog.enabled": "false",
    "spark.driver.host": "127.0.0.1",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.driver.extraJavaOptions": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC",
    "spark.sql.shuffle.partitions": "1",
    "spark.sql.codegen.wholeStage": "false",
    "spark.sql.codegen.factoryMode": "NO_CODEGEN",
    "spark.sql.adaptive.enabled": "false",
    "spark.sql.parser.quotedRegexColumnNames": "true",
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.execution.arrow.fallback.enabled": "true",
    "spark.sql.execution.arrow.pyspark.enabled": "true",
}


@dataclass(frozen=True)
class Places:
    """Where a repository may keep things."""

    folder: Path
    redis_url: str


@dataclass(frozen=True)
class Peer:
    """One column of the matrix; `stores` is what it adds to feature_store.yaml."""

    name: str
    stores: Callable[[Places], Mapping[str, Any]]
    reads_spark_sources: bool = False


def _sqlite(places: Places) -> Mapping[str, Any]:
    return {"type": "sqlite", "path": str(places.folder / "online.db")}


def _redis(places: Places) -> Mapping[str, Any]:
    address = places.redis_url.removeprefix("redis://").partition("/")[0]
    online = {"type": "redis", "connection_string": address}
    return {"offline_store": {"type": "dask"}, "online_store": online}


_OFFLINE = {"type": "lockstep.stores.offline.LockstepOfflineStore"}
_ENGINE = {"type": "lockstep.stores.engine.LockstepComputeEngine"}


def _lockstep(places: Places) -> Mapping[str, Any]:
    return {"offline_store": _OFFLINE, "batch_engine": _ENGINE, "online_store": _online(places)}


def _online(places: Places) -> Mapping[str, Any]:
    kind = "lockstep.stores.online.LockstepOnlineStore"
    return {"type": kind, "redis_url": places.redis_url}


def _lockstep_online(places: Places) -> Mapping[str, Any]:
    return {"offline_store": {"type": "dask"}, "online_store": _online(places)}


def _feast_offline(kind: str, **settings: Any) -> Callable[[Places], Mapping[str, Any]]:
    offline = {"type": kind, **settings}
    return lambda places: {"offline_store": offline, "online_store": _sqlite(places)}


OURS = Peer(LOCKSTEP, _lockstep)
OFFLINE_PEERS: Sequence[Peer] = (
    Peer("dask", _feast_offline("dask")),
    Peer("DuckDB", _feast_offline("duckdb")),
    Peer("Spark", _feast_offline("spark", spark_conf=_SPARK), reads_spark_sources=True),
    OURS,
)
# Each of ours must also work alone in a repository that has Feast's others.
MATERIALIZE_PEERS: Sequence[Peer] = (
    *OFFLINE_PEERS[:-1],
    Peer("Lockstep offline, SQLite", _feast_offline(_OFFLINE["type"])),
    Peer("dask, Lockstep online", _lockstep_online),
    OURS,
)
ONLINE_PEERS: Sequence[Peer] = (
    Peer("SQLite", _feast_offline("dask")),
    Peer("Redis", _redis),
    OURS,
)
