"""An erasure that breaks off, again and again, and is gone on with by the same call."""

from __future__ import annotations

import json
from datetime import datetime

import polars as pl
import pytest
from erasable import AT, CUSTOMER, PowerCutError, cut_at, forgotten, rows_of
from fraud_project import materialize

from lockstep.contract.served_log import features_folder, predictions_folder
from lockstep.lake.lake import Lake
from lockstep.parity.erasure import parquet_rows, receipt, run, steps
from lockstep.parity.erasure.online import OnlineRows
from lockstep.parity.erasure.receipt import ERASURES, ErasureReceipt, erased_since
from lockstep.settings import Settings
from lockstep.stores.ledger import changes_of

DAY = "day=2018-05-11/a.parquet"


@pytest.fixture
def served(untrained: Settings, redis_url: str) -> Settings:
    """Materialised, with a log of requests: the customer's in three objects, others' in two."""
    materialize(untrained, redis_url, AT)
    lake = Lake.at(untrained.lake)
    for number, customer in enumerate((CUSTOMER, 1, CUSTOMER, 1, CUSTOMER)):
        features = pl.DataFrame({"customer_id": [customer], "__request_id": [f"r{number}"]})
        predictions = pl.DataFrame({"request_id": [f"r{number}"], "score": [0.5]})
        day = DAY.replace("a.", f"{number}.")
        lake.write_parquet(f"{features_folder('fraud', 'fraud_v1')}/{day}", features)
        lake.write_parquet(f"{predictions_folder('fraud')}/{day}", predictions)
    return untrained


# One after the other, each further than the one before: among the predictions, behind them,
# among the features, among the transactions, behind them, among the window tables, before the
# terminals are written anew and between two of their views, as receipts are marked, and before
# the receipt is kept.
CUTS = (
    cut_at(parquet_rows, "rewrite", 2),
    cut_at(parquet_rows, "rewrite", 3),
    cut_at(parquet_rows, "rewrite", 2),
    cut_at(parquet_rows, "rewrite", 60),
    cut_at(steps, "rebuild", 1),
    cut_at(steps, "rebuild", 3),
    cut_at(OnlineRows, "_write_anew", 1),
    cut_at(OnlineRows, "_write_anew", 7),
    cut_at(run, "mark_receipts", 1),
    cut_at(receipt, "write_json", 1),
)


def places(told: ErasureReceipt) -> dict[str, tuple[int, int]]:
    return {place.place: (place.rows_before, place.objects_before) for place in told.places}


def test_it_goes_on_from_wherever_it_broke_off(served: Settings, redis_url: str) -> None:
    lake = Lake.at(served.lake)
    everything = lake.versions("")
    expected = forgotten(served, redis_url, dry_run=True)
    assert lake.versions("") == everything
    for number, arrange in enumerate(CUTS):
        with pytest.MonkeyPatch.context() as patch, pytest.raises(PowerCutError):
            arrange(patch)
            forgotten(served, redis_url)
        (begun,) = lake.list(ERASURES)
        assert begun.endswith(".begun.json"), number
        assert erased_since(lake, "fraud", AT) == [begun.removeprefix(ERASURES).split(".begun")[0]]
    told = forgotten(served, redis_url)
    assert told.is_clean
    assert places(told) == places(expected)
    assert places(told)["predictions"] == (3, 3)
    assert rows_of(lake, "customer_id", CUSTOMER) == {}
    left = [lake.read_parquet(key) for key in lake.list(f"{predictions_folder('fraud')}/")]
    assert sorted(pl.concat(left)["request_id"].to_list()) == ["r1", "r3"]
    (key,) = lake.list(ERASURES)
    assert json.loads(lake.read_bytes(key))["id"] == told.id
    assert told.others["keys"] > 0
    changes = changes_of(lake, "lockstep", "terminal_windows")
    assert changes[-1].finished is not None
    assert any(change.finished is None for change in changes[:-1])


def test_an_id_that_never_was_is_not_refused_later(served: Settings, redis_url: str) -> None:
    lake = Lake.at(served.lake)
    told = forgotten(served, redis_url, value=10**6)
    assert told.rows == 0
    assert told.first_known_day is None
    (key,) = lake.list(ERASURES)
    assert json.loads(lake.read_bytes(key))["rows"] == 0
    assert erased_since(lake, "fraud", AT) == []
    assert not lake.list("_parity/forgotten/")
    assert datetime.fromisoformat(told.finished) > AT
