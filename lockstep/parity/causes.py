"""Why a served view differs from the join at T: a cause needs evidence of its own.

A row here is one view of one request. Three versions of it are laid beside each other:

    served  what the API read, as its log has it
    exact   what the offline join gives at T
    held    what the store must have held by the ledger, when the request was answered

Where served is exact there is nothing to say. Where served is held, the store did what it was
told, and the row says what made the lake know more. Where it is neither, something has happened
to the store, to the value or to the clock; what nothing speaks for is UNEXPLAINED.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

import polars as pl

from lockstep.parity.served_rows import EXPIRED, FOUND, FUTURE, NOT_FOUND


class Cause(StrEnum):
    """Why a view was served other values than the join at T gives; in order of precedence.

    DEFINITION_VERSION: the model that answered was trained on other definitions than there are
    now, so nothing can be compared.
    MATCH: it was not.
    NEWER_STEP: T was before the step that the store held already, and its tail did not reach back.
    EXPIRED: what the store held was too old at T; a newer one was not visible yet.
    NOT_YET_MATERIALISED: the step became known after what was materialised last.
    LATE_EVENT, CORRECTED_SINCE, DELETED: so did a row, a new version of a row, a deletion, of an
    event that had been materialised already. DELETED also where an erasure has taken rows away
    that had been in the answer, so that it cannot be computed any more.
    IN_FLIGHT: the request was answered while a run was under way, with what that run brought.
    MISSING_ENTITY: the store had no row where the ledger says that one was written.
    NULL_POLICY: both sides know of no value, and one of them has put a default in its place.
    TYPE_OR_ROUNDING: the same step, with numbers that differ as a narrower type's do.
    UNEXPLAINED: nothing speaks for any of these.
    """

    DEFINITION_VERSION = "definition version"
    MATCH = "match"
    NEWER_STEP = "newer step"
    EXPIRED = "expired"
    NOT_YET_MATERIALISED = "not yet materialised"
    DELETED = "deleted"
    CORRECTED_SINCE = "corrected since"
    LATE_EVENT = "late event"
    IN_FLIGHT = "in flight"
    MISSING_ENTITY = "missing entity"
    NULL_POLICY = "null policy"
    TYPE_OR_ROUNDING = "type or rounding"
    UNEXPLAINED = "unexplained"

    @property
    def is_stale(self) -> bool:
        """Whether the store was right by the ledger, and only behind the lake."""
        return self in _STALE

    @property
    def is_fault(self) -> bool:
        """Whether the store did not have the value that it had been told."""
        return self in _FAULTS


_STALE = {
    Cause.NEWER_STEP,
    Cause.EXPIRED,
    Cause.NOT_YET_MATERIALISED,
    Cause.DELETED,
    Cause.CORRECTED_SINCE,
    Cause.LATE_EVENT,
    Cause.IN_FLIGHT,
}

_FAULTS = {Cause.MISSING_ENTITY, Cause.NULL_POLICY, Cause.TYPE_OR_ROUNDING}

CAUSE_TYPE = pl.Enum([cause.value for cause in Cause])

# What `causes` reads, and what it means. Instants are microseconds UTC; null kinds are unknown.
EVIDENCE = pl.Schema(
    {
        # The fingerprint of the answer's model is that of the definitions here.
        "same_definition": pl.Boolean,
        # Values and kind are those of the other side, bit for bit.
        "is_exact": pl.Boolean,
        "is_held": pl.Boolean,
        # They are those after the run that was under way; false where none was.
        "is_in_flight": pl.Boolean,
        # NOT_FOUND, FUTURE, EXPIRED or FOUND; of `held` null where the ledger knows no run.
        "served_kind": pl.String,
        "exact_kind": pl.String,
        "held_kind": pl.String,
        "exact_event_us": pl.Int64,
        "exact_created_us": pl.Int64,
        # How far the last materialisation reached that had finished.
        "cut_us": pl.Int64,
        # An erasure has since taken rows of somebody else out of the entity's features.
        "is_erased": pl.Boolean,
        # What the source has of this entity, known after the cut and until T.
        "deletions": pl.Int64,
        "corrections": pl.Int64,
        "late_rows": pl.Int64,
        # Of the version of the step that was served: each value that differs is null on one side
        # and the declared default on the other, or is the other one in a narrower type.
        "differs_by_default": pl.Boolean,
        "differs_by_type": pl.Boolean,
    }
)


def causes(views: pl.DataFrame) -> pl.Series:
    """The `Cause` of each row of `views`, which has the columns of `EVIDENCE`; in their order.

    Evidence that is null speaks for nothing.
    """
    found = [pl.when(evidence).then(_literal(cause)) for cause, evidence in _rules()]
    return views.select(pl.coalesce(*found, _literal(Cause.UNEXPLAINED)).alias("cause")).to_series()


def worst_of(causes: Sequence[pl.Series]) -> pl.Series:
    """Of several causes of each row the one with the least precedence: UNEXPLAINED before all."""
    names = pl.DataFrame([one.alias(str(place)) for place, one in enumerate(causes)])
    worst = names.select(pl.max_horizontal(pl.all().to_physical())).to_series()
    return pl.Series(list(Cause), dtype=CAUSE_TYPE).gather(worst)


def _rules() -> list[tuple[Cause, pl.Expr]]:
    """Each cause and what has to speak for it; the first one that does counts."""
    held, cut = pl.col("is_held"), pl.col("cut_us")
    event, created = pl.col("exact_event_us"), pl.col("exact_created_us")
    # The lake knew of an event that the store could have had, but only after the cut.
    is_behind = held & (event <= cut) & (created > cut)
    return [
        (Cause.DEFINITION_VERSION, ~pl.col("same_definition")),
        (Cause.MATCH, pl.col("is_exact")),
        (Cause.NEWER_STEP, held & (pl.col("held_kind") == FUTURE)),
        (Cause.EXPIRED, held & (pl.col("held_kind") == EXPIRED) & (event > cut)),
        (Cause.NOT_YET_MATERIALISED, held & (event > cut)),
        (Cause.DELETED, (is_behind & (pl.col("deletions") > 0)) | pl.col("is_erased")),
        (Cause.CORRECTED_SINCE, is_behind & (pl.col("corrections") > 0)),
        (Cause.LATE_EVENT, is_behind & (pl.col("late_rows") > 0)),
        (Cause.IN_FLIGHT, pl.col("is_in_flight")),
        (
            Cause.MISSING_ENTITY,
            (pl.col("served_kind") == NOT_FOUND) & pl.col("held_kind").is_in([FOUND, EXPIRED]),
        ),
        (Cause.NULL_POLICY, pl.col("differs_by_default")),
        (Cause.TYPE_OR_ROUNDING, pl.col("differs_by_type")),
    ]


def _literal(cause: Cause) -> pl.Expr:
    return pl.lit(cause.value, dtype=CAUSE_TYPE)
