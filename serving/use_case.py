"""What a use case tells the generic serving code; one module a use case declares one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from lockstep.contract.scored_events import ScoredEvents
from lockstep.windows.spec import WindowSpec
from serving.schemas import Answer, EntityRequest, PredictRequest


@dataclass(frozen=True)
class UseCase:
    """The requests and the answer of one use case, and what only it can say.

    `own_fields(request)` gives the fields that `prediction` has beyond the common ones.
    The module of definitions has the same name. `windows` are what a row that a request brings
    is put into; none where requests bring none. `decision_limits` are shares, from 0 to 1: a larger
    one of that decision over some time is alerted on.
    """

    name: str
    events: ScoredEvents
    request: type[PredictRequest]
    entities: type[EntityRequest]
    prediction: type[Answer]
    own_fields: Callable[[Any], dict[str, Any]]
    windows: tuple[WindowSpec, ...] = ()
    decision_limits: Mapping[str, float] = field(default_factory=dict)
