"""One customer of a served project is forgotten; everything is looked at from outside."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from erasable import AT, CUSTOMER, forgotten, rows_of
from feast.infra.offline_stores.file_source import SavedDatasetFileStorage
from feast_project import apply_definitions, make_project
from fraud_project import Project, materialize, train_small
from serving_client import PREDICT, api, wait_until_ready

from feature_repo.store import open_feature_store
from feature_repo.windows.fraud import WINDOW_SPECS
from lockstep.contract.clock import SystemClock
from lockstep.contract.model_registry import model_registry
from lockstep.contract.registered_model import load_model
from lockstep.jobs.build import build
from lockstep.jobs.ingest.fraud import ingest_spec
from lockstep.jobs.ingest.run import ingest
from lockstep.lake.lake import Lake
from lockstep.parity.audit import Audit
from lockstep.parity.causes import Cause
from lockstep.parity.erasure.receipt import ERASURES, ErasureReceipt, erased_since
from lockstep.parity.erasure.touched import touched_rows
from lockstep.settings import Settings
from lockstep.stores.column_types import UTC_TIME
from lockstep.stores.embedded_redis import embedded_redis
from lockstep.stores.ledger import changes_of
from training.score import score_day

OTHER = 1
DAY = timedelta(days=1)
DATASET = "datasets/training.parquet"
TERMINALS = list(range(600))
REFS = ["terminal_windows:terminal_verdict_count_30d", "terminal_windows:terminal_fraud_sum_30d"]


@dataclass(frozen=True)
class Erased:
    """A project after the erasure, and what it was before."""

    settings: Settings
    redis_url: str
    receipt: ErasureReceipt
    before: dict[str, int]
    raw: Path

    @property
    def lake(self) -> Lake:
        return Lake.at(self.settings.lake)


@pytest.fixture(scope="module")
def erased(project: Project, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Erased]:
    """Everything that can hold the customer does, then the customer is forgotten."""
    settings = make_project(tmp_path_factory.mktemp("erased"))
    project.copy_lake(settings)
    raw = project.settings.project_dir / "raw.parquet"
    apply_definitions(settings)
    train_small(settings)
    with embedded_redis() as url:
        materialize(settings, url, AT)
        _fill(settings, url, raw)
        before = rows_of(Lake.at(settings.lake), "customer_id", CUSTOMER)
        receipt = forgotten(settings, url)
        yield Erased(settings, url, receipt, before, raw)


def _fill(settings: Settings, url: str, raw: Path) -> None:
    """The log, a scored day, rejected rows, a saved dataset and a server's copy of the model."""
    with api(settings, url, AT, log_share=1) as client:
        wait_until_ready(client)
        shared, own = terminals(Lake.at(settings.lake))
        for customer, terminal in ((CUSTOMER, own), (OTHER, shared), (OTHER, own), (CUSTOMER, 2)):
            body = {"customer_id": customer, "terminal_id": terminal, "amount_cents": 300}
            assert client.post(PREDICT, json=body).status_code == 200
    store = open_feature_store(settings)
    day = date(2018, 5, 10)
    score_day(settings, store, "fraud", day, progress=lambda what, share: None)
    bad = settings.project_dir / "bad.parquet"
    rows = pl.read_parquet(raw).cast(pl.String)
    spoiled = pl.concat([_first(rows, CUSTOMER), _first(rows, OTHER)])
    spoiled.with_columns(pl.lit("much").alias(_named(rows, "tx_amount"))).write_parquet(bad)
    ingest(ingest_spec(), bad, lake=Lake.at(settings.lake), max_rejected_share=1.0)
    entities = _transactions(Lake.at(settings.lake)).filter(
        pl.col("customer_id").is_in([CUSTOMER, OTHER])
    )
    job = store.get_historical_features(
        entity_df=entities.select("customer_id", "event_timestamp").to_arrow(),
        features=["customer_windows:customer_tx_count_1d"],
    )
    storage = SavedDatasetFileStorage(path=DATASET)
    store.create_saved_dataset(from_=job, name="training", storage=storage)


def terminals(lake: Lake) -> tuple[int, int]:
    """A terminal of which the customer's verdicts count at AT, and one that it never saw."""
    verdicts = lake.table("fraud/verdicts").scan().collect()
    counted = verdicts.filter(pl.col("event_timestamp").is_between(AT - 20 * DAY, AT))
    by = pl.col("customer_id") == CUSTOMER
    shared = counted.filter(by)["terminal_id"][0]
    seen = verdicts.filter(by)["terminal_id"].implode()
    return shared, counted.filter(~pl.col("terminal_id").is_in(seen))["terminal_id"][0]


def _first(rows: pl.DataFrame, customer: int) -> pl.DataFrame:
    return rows.filter(pl.col(_named(rows, "customer_id")) == str(customer)).head(1)


def _named(rows: pl.DataFrame, name: str) -> str:
    return next(column for column in rows.columns if column.lower() == name)


def _transactions(lake: Lake) -> pl.DataFrame:
    return lake.table("fraud/transactions").scan().collect()


def test_every_place_had_the_customer_and_has_it_no_more(erased: Erased) -> None:
    had = {place.place: place.rows_before for place in erased.receipt.places}
    empty = {"examples of audits", "ingested files", "elsewhere in the lake", "dead letters"}
    assert {name for name, rows in had.items() if not rows} == empty
    assert had["predictions"] == had["feature log"] == 2
    assert had["rejected rows"] == 1
    assert erased.receipt.is_clean
    assert {place.rows_after for place in erased.receipt.places} == {0}
    folders = {key.split("/")[1].split(".")[0] for key in erased.before}
    assert {"transactions", "verdicts", "served_features", "scored", "customer_windows"} <= folders
    assert rows_of(erased.lake, "customer_id", CUSTOMER) == {}


def test_nobody_else_loses_a_row(erased: Erased, project: Project) -> None:
    left = _transactions(erased.lake).sort("transaction_id")
    others = project.transactions.filter(pl.col("customer_id") != CUSTOMER).sort("transaction_id")
    assert left.equals(others)
    scanned = [erased.lake.read_parquet(k) for k in erased.lake.list("fraud/predictions/")]
    assert sum(rows.height for rows in scanned) == 2
    saved = erased.lake.read_parquet(DATASET)["customer_id"].unique().to_list()
    assert saved == [OTHER]
    assert rows_of(erased.lake, "customer_id", OTHER)


@pytest.fixture(scope="module")
def never(erased: Erased, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """The project as it would be had the customer never been."""
    settings = make_project(tmp_path_factory.mktemp("never"))
    lake, raw = Lake.at(settings.lake), settings.project_dir / "raw.parquet"
    rows = pl.read_parquet(erased.raw)
    rows.filter(pl.col(_named(rows, "customer_id")) != CUSTOMER).write_parquet(raw)
    ingest(ingest_spec(), raw, lake=lake, max_rejected_share=0.0)
    build(lake, WINDOW_SPECS, clock=SystemClock(), progress=lambda what, share: None)
    apply_definitions(settings)
    return settings


def test_window_tables_are_those_of_a_first_build(erased: Erased, never: Settings) -> None:
    for spec in WINDOW_SPECS:
        ours, theirs = erased.lake.table(spec.table), Lake.at(never.lake).table(spec.table)
        assert ours.days() == theirs.days()
        for day in theirs.days():
            key = theirs.part(day)
            assert ours.lake.read_bytes(key) == theirs.lake.read_bytes(key), key
        assert ours.horizon() == theirs.horizon()
        state = ours.key("_state.parquet")
        assert ours.lake.read_parquet(state).equals(theirs.lake.read_parquet(state))


def test_the_online_store_is_as_if_it_had_never_been(erased: Erased, never: Settings) -> None:
    with embedded_redis() as url:
        materialize(never, url, AT)
        expected = _online(never, url)
    assert _online(erased.settings, erased.redis_url) == expected
    assert any(value is not None for value in expected["terminal_verdict_count_30d"])
    assert expected["customer_tx_count_30d"] == [None]
    assert erased.receipt.others["keys"] > 0


def _online(settings: Settings, url: str) -> dict[str, list[Any]]:
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("REDIS_URL", url)
        store = open_feature_store(settings)
        terminals = store.get_online_features(REFS, [{"terminal_id": one} for one in TERMINALS])
        ref = "customer_windows:customer_tx_count_30d"
        customer = store.get_online_features([ref], [{"customer_id": CUSTOMER}])
        found: dict[str, list[Any]] = terminals.to_dict() | customer.to_dict()
        return found


def test_an_ingest_of_the_same_file_brings_nothing_back(erased: Erased) -> None:
    rows = pl.read_parquet(erased.raw)
    theirs = rows.filter(pl.col(_named(rows, "customer_id")) == CUSTOMER).height
    bad = erased.settings.project_dir / "bad.parquet"
    again = ingest(ingest_spec(), erased.raw, lake=erased.lake)
    assert (again.forgotten, again.already_there) == (theirs, rows.height - theirs)
    assert ingest(ingest_spec(), bad, lake=erased.lake, max_rejected_share=1.0).forgotten == 1
    assert rows_of(erased.lake, "customer_id", CUSTOMER) == {}


def test_the_model_keeps_no_request_and_is_tagged(erased: Erased) -> None:
    model = load_model(erased.settings.tracking_uri, "fraud", version=1)
    requests = model.metadata["requests"]
    assert requests
    assert CUSTOMER not in {request["customer_id"] for request in requests}
    cached = next((erased.settings.home_dir / "models" / "fraud").glob("*/metadata.json"))
    assert json.loads(cached.read_bytes())["requests"] == requests
    with model_registry(erased.settings.tracking_uri) as client:
        version = client.get_model_version("fraud", "1")
        run = client.get_run(str(version.run_id))
    assert version.tags["erased"] == run.data.tags["erased"] == erased.receipt.id


def test_receipts_say_that_rows_are_erased(erased: Erased) -> None:
    lake, id_ = erased.lake, erased.receipt.id
    (first, *later) = lake.list("fraud/customer_windows/_receipts/")
    assert json.loads(lake.read_bytes(first))["erased"] == [id_]
    assert all("erased" not in json.loads(lake.read_bytes(key)) for key in later)
    assert len(later) == 1
    assert json.loads(lake.read_bytes("datasets/training.receipt.json"))["erased"] == [id_]
    receipts = lake.table("fraud/transactions").metadata()["ingests"].values()
    assert [id_] in [receipt.get("erased") for receipt in receipts]


def test_the_receipt_names_nobody_and_the_journal_is_gone(erased: Erased) -> None:
    (key,) = erased.lake.list(ERASURES)
    told = json.loads(erased.lake.read_bytes(key))
    assert told == json.loads(json.dumps(erased.receipt.as_json()))
    assert "value" not in told
    assert len(told["entity"]) == 64


def test_an_as_of_set_says_what_it_lacks(erased: Erased) -> None:
    assert erased_since(erased.lake, "fraud", AT) == [erased.receipt.id]
    assert erased_since(erased.lake, "clicks", AT) == []
    assert erased_since(erased.lake, "fraud", AT.replace(year=2017)) == []
    assert erased_since(erased.lake, "fraud", SystemClock().now()) == []
    run_id = train_small(erased.settings).registered.run_id
    with model_registry(erased.settings.tracking_uri) as client:
        assert client.get_run(run_id).data.params["erased"] == erased.receipt.id


def test_an_audit_differs_only_where_others_were_touched(erased: Erased, project: Project) -> None:
    """What was served to who had to do with the customer was of rows that are deleted."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("REDIS_URL", erased.redis_url)
        store = open_feature_store(erased.settings)
        audit = Audit(store, erased.lake, "fraud", WINDOW_SPECS, SystemClock())
        logged = audit.of_log(None, None, lambda what, share: None)
        asked = project.transactions.select("customer_id", "terminal_id").unique()
        entities = asked.with_columns(pl.lit(AT).cast(UTC_TIME).alias("event_timestamp"))
        now = SystemClock().now()
        stored = audit.of_store(erased.redis_url, "fraud_v1", entities, now)
    assert stored.vectors == entities.height
    assert (stored.unexplained, stored.faults) == (0, 0)
    assert logged.causes == {Cause.MATCH: 1, Cause.DELETED: 1}
    assert logged.refusal() == ""
    shared, own = terminals(Lake.at(project.settings.lake))
    keys = pl.DataFrame({"terminal_id": [shared, own]})
    touched = partial(touched_rows, erased.lake, "fraud", "terminal_windows", keys)
    assert touched(pl.Series([AT, AT])).to_list() == [True, False]
    assert touched(pl.Series([now, now])).to_list() == [False, False]


def test_the_ledger_has_the_deletions(erased: Erased) -> None:
    for view in ("customer_windows", "terminal_windows"):
        (change,) = changes_of(erased.lake, "lockstep", view)
        assert (change.kind, change.content) == ("deletion", erased.receipt.entity)
        assert change.finished is not None
        assert change.rows > 0
