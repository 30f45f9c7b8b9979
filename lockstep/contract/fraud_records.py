"""Card transactions and verdicts as records of streams; columns as in the lake."""

from __future__ import annotations

from lockstep.contract.record_schema import RecordField, RecordSchema

_YEAR_2100_US = 4_102_444_800_000_000
_MAX_AMOUNT_CENTS = 100_000_000_000


def _time(name: str) -> RecordField:
    return RecordField(name, "time", minimum=0, maximum=_YEAR_2100_US - 1)


TRANSACTIONS = RecordSchema(
    table="fraud/transactions",
    row_id="transaction_id",
    key="customer_id",
    fields=(
        RecordField("transaction_id", minimum=0),
        _time("event_timestamp"),
        _time("created_timestamp"),
        RecordField("customer_id", minimum=0),
        RecordField("terminal_id", minimum=0),
        RecordField("amount_cents", minimum=0, maximum=_MAX_AMOUNT_CENTS),
    ),
)
VERDICTS = RecordSchema(
    table="fraud/verdicts",
    row_id="transaction_id",
    key="terminal_id",
    fields=(
        RecordField("transaction_id", minimum=0),
        _time("event_timestamp"),
        _time("created_timestamp"),
        RecordField("terminal_id", minimum=0),
        RecordField("fraud", minimum=0, maximum=1),
    ),
)
RECORD_SCHEMAS = (TRANSACTIONS, VERDICTS)
