"""What a model's outputs say, as fields of an answer."""

from __future__ import annotations

from typing import Any

from lockstep.contract.scored_events import ScoredEvents
from lockstep.contract.targets import ClassTarget, QuantileTarget, Target
from serving.rows import Scored


def outcomes(target: Target, events: ScoredEvents, scored: Scored) -> list[dict[str, Any]]:
    """The fields of `Prediction`, `Classification` or `Estimate` for each row."""
    if isinstance(target, QuantileTarget):
        # .95 - .05 is not .9 in binary.
        coverage = round(target.levels[-1] - target.levels[0], 9)
        return [
            {"value": value, "low": outputs[0], "high": outputs[-1], "coverage": coverage}
            for value, outputs in zip(scored.scores.tolist(), scored.outputs.tolist(), strict=True)
        ]
    threshold = target.threshold if isinstance(target, ClassTarget) else None
    decided = map(events.decision, scored.decided.tolist())
    told = [
        {"score": score, "decision": decision, "threshold": threshold}
        for score, decision in zip(scored.scores.tolist(), decided, strict=True)
    ]
    if target.width > 1:
        for fields, outputs in zip(told, scored.outputs.tolist(), strict=True):
            fields["probabilities"] = dict(zip(events.decisions, outputs, strict=True))
    return told
