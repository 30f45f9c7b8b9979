"""An audit in words: its verdict, and what each cause means."""

from __future__ import annotations

from lockstep.parity.audit_result import AuditResult
from lockstep.parity.causes import Cause
from lockstep.parity.sql.result import SqlCheck

MEANINGS = {
    Cause.DEFINITION_VERSION: "served by a model of other definitions than there are now",
    Cause.MATCH: "the same as the offline join, to the bit",
    Cause.NEWER_STEP: "the store held a step after T already",
    Cause.EXPIRED: "what the store held was too old, and the next one not there yet",
    Cause.NOT_YET_MATERIALISED: "became known after what was materialised last",
    Cause.DELETED: "a fact was deleted since it was materialised",
    Cause.CORRECTED_SINCE: "a fact was corrected since it was materialised",
    Cause.LATE_EVENT: "a fact came after its time had been materialised",
    Cause.IN_FLIGHT: "answered while a materialisation was under way, or had broken off",
    Cause.MISSING_ENTITY: "the store had no row of an entity that was written",
    Cause.NULL_POLICY: "a null on one side, its declared default on the other",
    Cause.TYPE_OR_ROUNDING: "the value of the same step in a narrower type",
    Cause.UNEXPLAINED: "nothing speaks for any cause",
}


def verdict(result: AuditResult, max_stale_share: float | None) -> str:
    """The result in one sentence."""
    if refusal := result.refusal(max_stale_share):
        return f"not to be released: {refusal}"
    same = result.causes[Cause.MATCH]
    told = f"{result.compared:,} vectors compared: {same:,} are the same to the bit"
    if stale := result.compared - same:
        budget = "" if max_stale_share is None else f", of {max_stale_share:.2%} allowed"
        told += f", {stale:,} are stale by a known cause ({result.stale_share:.2%}{budget})"
    return told + ("" if result.is_whole else "; not all could be checked")


def sql_words(check: SqlCheck) -> str:
    """What SQL over raw events said, in one sentence."""
    if not check.values:
        return "nothing was looked up in SQL over raw events"
    return (
        f"SQL over raw events: {check.values:,} values of {check.vectors:,} vectors, "
        f"{check.mismatches:,} of them differ"
    )


def look_words(account: AuditResult, max_stale_share: float | None) -> str:
    """What a watch found of the last minutes, in one line."""
    waiting = sum(account.unchecked.values())
    told = [f"{waiting:,} vectors cannot be compared yet"] if waiting else []
    if account.compared:
        told = [verdict(account, max_stale_share), sql_words(account.sql), *told]
    return "; ".join(told) or "nothing was logged in the last minutes"
