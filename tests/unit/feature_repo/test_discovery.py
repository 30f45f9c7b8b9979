"""What `feast apply` gets, from the modules that are there."""

from __future__ import annotations

from pathlib import Path

import pytest
from feast import FeatureService

from feature_repo import definitions, discovery, feast_objects
from feature_repo.definitions import fraud, fraud_daily

_ENTITY = (
    "from feast import Entity, ValueType\n"
    "{name} = Entity(name='{entity}', join_keys=['id'], value_type=ValueType.INT64)\n"
)


@pytest.fixture
def more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder whose modules count as definitions."""
    monkeypatch.setattr(definitions, "__path__", [*definitions.__path__, str(tmp_path)])
    return tmp_path


def test_all_that_is_defined_is_what_feast_apply_scans() -> None:
    found = discovery.feast_objects()
    assert found["fraud_v1"] is fraud.fraud_v1
    assert found["fraud_daily_v1"] is fraud_daily.fraud_daily_v1
    assert {name: vars(feast_objects)[name] for name in found} == found
    services = {value.name for value in found.values() if isinstance(value, FeatureService)}
    assert services >= {"fraud_v1", "fraud_v2", "fraud_daily_v1"}


def test_a_use_case_has_its_module_and_those_named_after_it(more: Path) -> None:
    (more / "fraudulent.py").write_text(_ENTITY.format(name="other", entity="other"))
    (more / "fraud_more.py").write_text(_ENTITY.format(name="another", entity="another"))
    of_fraud = discovery.feast_objects("fraud")
    assert {"customer", "customer_daily", "another"} < of_fraud.keys()
    assert "other" not in of_fraud
    assert "other" in discovery.feast_objects()
    assert discovery.feast_objects("nothing") == {}


def test_one_name_in_feast_for_two_objects_is_refused(more: Path) -> None:
    """Feast itself would keep one of them, and say nothing."""
    (more / "other_cards.py").write_text(_ENTITY.format(name="card", entity="customer"))
    with pytest.raises(discovery.DiscoveryError, match="other_cards each define 'customer'"):
        discovery.feast_objects()


def test_one_name_for_two_objects_is_refused(more: Path) -> None:
    (more / "one_of_two.py").write_text(_ENTITY.format(name="twice", entity="a"))
    (more / "two_of_two.py").write_text(_ENTITY.format(name="twice", entity="b"))
    with pytest.raises(discovery.DiscoveryError) as refused:
        discovery.feast_objects()
    assert "one_of_two and feature_repo.definitions.two_of_two each define 'b'" in str(
        refused.value
    )
