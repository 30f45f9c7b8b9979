"""Sources that are not parquet in a lake."""

from __future__ import annotations

import pytest
from feast import FileSource, PushSource
from feast.data_format import DeltaFormat
from feast.data_source import DataSource

from lockstep.lake.lake import Lake
from lockstep.stores.errors import SourceError
from lockstep.stores.source_table import SourceTable


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (FileSource(path="gs://bucket/steps"), "'gs://bucket' is not the place of a lake"),
        (FileSource(path="s3://bucket"), "'s3:/' is not the place of a lake"),
        (FileSource(path="steps", file_format=DeltaFormat()), "cannot be read, expected parquet"),
        (
            PushSource(name="push", batch_source=FileSource(path="steps", name="steps")),
            "cannot be read, expected a FileSource",
        ),
    ],
)
def test_other_sources_are_refused(source: DataSource, message: str) -> None:
    with pytest.raises(SourceError, match=message):
        SourceTable.of(source, Lake.at("/lake"))


def test_a_source_may_name_its_own_s3_server() -> None:
    source = FileSource(path="s3://bucket/a/steps", s3_endpoint_override="http://127.0.0.1:9000")
    table = SourceTable.of(source, Lake.at("/lake"))
    assert table == SourceTable(Lake("s3://bucket/a", "http://127.0.0.1:9000"), "steps")
