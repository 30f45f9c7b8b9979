"""Imports that take seconds, done before there is a model that needs them."""

from __future__ import annotations

from importlib import import_module

from lockstep.contract.model_registry import import_mlflow

DEFINITIONS = "feature_repo.definitions"


def preload(use_case: str) -> None:
    """Imports Feast with the definitions of `use_case`, CatBoost and MLflow.

    Some ten seconds the first time, nothing after that: call it outside the event loop.
    """
    import_module(f"{DEFINITIONS}.{use_case}")
    import_module("catboost")
    import_mlflow()
