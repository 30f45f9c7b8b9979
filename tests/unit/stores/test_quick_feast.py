"""Feast without typeguard's checks, and everything else with them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

REWRITTEN = """
import feast
print("TypeCheckMemo" in feast.Entity.__init__.__code__.co_names)
"""
CHECKED = """
import typeguard

@typeguard.typechecked
class Doubler:
    def double(self, x: int) -> int:
        return 2 * x

every = typeguard.CollectionCheckStrategy.ALL_ITEMS

@typeguard.typechecked(collection_check_strategy=every)
def count(numbers: list[int]) -> int:
    return len(numbers)

for call in (lambda: Doubler().double("ab"), lambda: count([1, "2"])):
    try:
        call()
    except typeguard.TypeCheckError:
        print("refused")
"""


def said(script: str, folder: Path) -> list[str]:
    file = folder / "script.py"
    file.write_text(script)
    ended = subprocess.run([sys.executable, file], capture_output=True, text=True, check=True)
    return ended.stdout.split()


@pytest.mark.parametrize(
    ("first", "rewritten"),
    [("", "True"), ("import lockstep.stores", "False"), ("import feature_repo", "False")],
)
def test_feast_is_rewritten_unless_we_come_first(
    tmp_path: Path, first: str, rewritten: str
) -> None:
    assert said(first + REWRITTEN, tmp_path) == [rewritten]


def test_what_others_have_checked_stays_checked(tmp_path: Path) -> None:
    assert said("import lockstep.stores" + CHECKED, tmp_path) == 2 * ["refused"]
