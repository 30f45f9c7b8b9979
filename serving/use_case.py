"""What a use case tells the generic serving code; one module a use case declares one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from serving.schemas import Prediction, PredictRequest


@dataclass(frozen=True)
class UseCase:
    """The request and the answer of one use case, and what only it can say.

    `own_fields(request, is_positive)` gives the fields that `prediction` has beyond the
    common ones, and `decision`. The module of definitions has the same name.
    """

    name: str
    request: type[PredictRequest]
    prediction: type[Prediction]
    own_fields: Callable[[Any, bool], dict[str, Any]]
