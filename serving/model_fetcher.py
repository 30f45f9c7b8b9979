"""Brings models from MLflow into the cache: the only part of a server that imports MLflow.

Runs in the parent of the workers. A model is tried before it may serve: its file loads, it was
trained on these definitions, and it scores its own input example. One that fails is refused
by name, and what served before goes on.
"""

from __future__ import annotations

import json
import shutil
import threading
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import numpy as np
import structlog

from lockstep.contract.clock import Clock
from lockstep.contract.model_artefact import CHALLENGER, CHAMPION, ModelArtefactError
from lockstep.contract.model_registry import RegistryError
from lockstep.contract.registered_model import ModelFiles, NoModelError, found_version
from lockstep.errors import LockstepError
from serving.model_cache import EXAMPLE, METADATA, MODEL, Cached, CacheState, ModelCache, Refusal
from serving.plan import ServingPlan
from serving.refused_versions import RefusedVersions
from serving.scorer import plan_for
from serving.settings import ServingSettings
from serving.use_cases import USE_CASES

_log = structlog.get_logger(__name__)

# How often the fetcher looks whether somebody asked for a reload.
_LOOK_SECONDS = 0.1


class ModelFetcher:
    """Keeps the caches of all use cases up to date until it is closed."""

    def __init__(self, settings: ServingSettings, plan: ServingPlan, clock: Clock) -> None:
        self._settings = settings
        self._plan = plan
        self._clock = clock
        self._closing = threading.Event()
        self._said: dict[str, str] = {}
        self._refused = {use_case: RefusedVersions() for use_case in plan.use_cases}
        self._thread = threading.Thread(target=self.run, name="model-fetcher", daemon=True)

    def start(self) -> None:
        """Begins to look at the registry, in a thread."""
        self._thread.start()

    def close(self) -> None:
        """Ends the thread; a download in flight is left alone."""
        self._closing.set()

    def refresh(self, use_case: str) -> CacheState:
        """Looks at the registry once; the state that workers see afterwards."""
        cache = ModelCache.under(self._settings.models_dir, use_case)
        asked, before = cache.asked(), cache.state()
        state = replace(before, refused=(), problem=None, answered=asked, checked=self._now())
        self._refused[use_case].look()
        if asked > before.answered:
            self._refused[use_case].forget()
        for alias in (CHAMPION, CHALLENGER):
            found, why = None, None
            try:
                found, why = self._found(cache, alias)
            except RegistryError as error:
                state = replace(state, problem=str(error), refused=before.refused)
                break
            except NoModelError as error:
                if alias == CHAMPION:
                    state = replace(state, problem=str(error), is_unregistered=True)
            if found is not None and why is not None:
                refusal = Refusal(alias, found.version, why)
                state, found = replace(state, refused=(*state.refused, refusal)), None
            if alias == CHALLENGER:
                state = replace(state, challenger=found)
            elif found is not None:
                # Without a champion that may serve the one before goes on.
                state = replace(state, champion=found, is_unregistered=False)
        if state.challenger == state.champion:
            state = replace(state, challenger=None)
        cache.write_state(state)
        serving = (before.champion, state.champion, state.challenger)
        cache.forget_all_but({cached.folder for cached in serving if cached})
        self._say(use_case, before, state)
        return state

    def run(self) -> None:
        """Looks at the registry until it is closed."""
        due: dict[str, float] = dict.fromkeys(self._plan.use_cases, 0.0)
        elapsed = 0.0
        while not self._closing.wait(_LOOK_SECONDS if elapsed else 0):
            elapsed += _LOOK_SECONDS
            for use_case in due:
                cache = ModelCache.under(self._settings.models_dir, use_case)
                if elapsed >= due[use_case] or cache.asked() > cache.state().answered:
                    due[use_case] = elapsed + self._refreshed(use_case)

    def _refreshed(self, use_case: str) -> float:
        """Seconds after which to look again."""
        try:
            state = self.refresh(use_case)
        except Exception as error:  # noqa: BLE001  whatever a registry holds, it goes on looking
            _log.error("looking for models failed", use_case=use_case, exc_info=error)
            return self._settings.model_retry_seconds
        wait = self._settings.model_poll_seconds
        return wait if state.champion else self._settings.model_retry_seconds

    def _found(self, cache: ModelCache, alias: str) -> tuple[Cached, str | None]:
        """The version that has the alias, and why it may not serve; None where it may.

        One that was refused is not downloaded and tried with each look.

        Raises:
            NoModelError: none has it.
            RegistryError: MLflow does not answer.
        """
        refused, uri = self._refused[cache.use_case], self._settings.project.tracking_uri
        with found_version(uri, cache.use_case, alias=alias) as found:
            cached = Cached(found.version, f"{found.version}-{found.run_id[:12]}")
            why = refused.why_still(cached)
            if why is not None:
                return cached, why
            if not (cache.folder / cached.folder).is_dir():
                try:
                    _keep(found.download(), cache.folder / cached.folder)
                except ModelArtefactError as error:
                    why = str(error)
        why = why or self._why_not(cache, cached)
        refused.note(cached, why)
        return cached, why

    def _why_not(self, cache: ModelCache, cached: Cached) -> str | None:
        """Why a cached model may not serve; None where it may."""
        try:
            model, example = cache.load(cached)
            plan_for(model, self._plan.use_cases[cache.use_case])
            artefact = model.predictor.artefact
            artefact.target.check_decisions(USE_CASES[cache.use_case].events.decisions)
            outputs = model.predictor.row_outputs(example)
        except ModelArtefactError as error:
            # Perhaps it is torn on this machine only: the next time it is fetched anew.
            shutil.rmtree(cache.folder / cached.folder)
            return str(error)
        except LockstepError as error:
            return str(error)
        if not np.isfinite(outputs).all():
            return f"version {cached.version} has no finite score for its own input example"
        return None

    def _now(self) -> datetime:
        return self._clock.now().astimezone(UTC)

    def _say(self, use_case: str, before: CacheState, state: CacheState) -> None:
        """Logs what is new, each reason once."""
        if state.champion and state.champion != before.champion:
            _log.info("champion fetched", use_case=use_case, version=state.champion.version)
        reasons = [refusal.why for refusal in state.refused]
        told = "; ".join([*reasons, state.problem or ""])
        if told.strip("; ") and told != self._said.get(use_case):
            event = "model refused" if reasons else "no model"
            _log.warning(event, use_case=use_case, why=told)
        self._said[use_case] = told


def _keep(files: ModelFiles, folder: Path) -> None:
    """Puts a model's files into a folder, all or none.

    Raises:
        ModelArtefactError: its example is damaged.
    """
    part = folder.with_name(f".{folder.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    shutil.copyfile(files.model, part / MODEL)
    (part / METADATA).write_bytes(msgspec.json.encode(files.metadata))
    (part / EXAMPLE).write_bytes(msgspec.json.encode(_rows(files.example)))
    part.replace(folder)


def _rows(example: Path | None) -> list[list[float | None]]:
    """The rows of MLflow's file; none where there is no file."""
    if example is None:
        return []
    try:
        return msgspec.convert(json.loads(example.read_bytes())["data"], list[list[float | None]])
    except (ValueError, LookupError, TypeError, msgspec.ValidationError) as error:
        raise ModelArtefactError.unreadable(example.name, error) from error
