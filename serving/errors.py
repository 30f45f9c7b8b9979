"""What can keep a request from a score; which HTTP status that is stands in `app.py`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path

from lockstep.errors import LockstepError


class ServingError(LockstepError):
    """The root of what a prediction can end in instead of a score."""


class UnknownUseCaseError(ServingError):
    """A use case that this server does not have."""

    @classmethod
    def named(cls, name: str, known: Iterable[str]) -> UnknownUseCaseError:
        return cls(f"there is no use case {name[:40]!r}", next_step=f"use one of {sorted(known)}")


class NoExampleError(ServingError):
    """A model that brought no requests to choose from."""

    @classmethod
    def of(cls, name: str, version: int) -> NoExampleError:
        return cls(
            f"version {version} of model {name!r} was registered without example requests",
            next_step=f"run `lockstep train {name}` and promote that",
        )


class NotReadyError(ServingError):
    """Something that every request needs is missing."""

    @classmethod
    def missing(cls, reasons: Mapping[str, LockstepError]) -> NotReadyError:
        return cls(
            "; ".join(f"{name}: {error.problem}" for name, error in reasons.items()),
            next_step="; ".join(error.next_step for error in reasons.values()),
        )


class LogDayError(ServingError):
    """A day of the feature log that cannot be one object."""

    @classmethod
    def other_types(cls, address: str, cause: Exception) -> LogDayError:
        first_line = str(cause).splitlines()[0]
        return cls(
            f"the objects of {address} do not fit together ({first_line})",
            next_step="move those of the older columns elsewhere; nothing was changed",
        )


class DefinitionsError(ServingError):
    """Installed definitions that do not fit together, or do not fit the model."""

    @classmethod
    def unknown_views(cls, service: str, views: Iterable[str]) -> DefinitionsError:
        return cls(
            f"feature service {service!r} names {sorted(views)[:5]}, which its module lacks",
            next_step="import these views in the module of definitions that has the service",
        )

    @classmethod
    def unreadable(cls, path: Path, cause: Exception) -> DefinitionsError:
        first_line = (str(cause) or type(cause).__name__).splitlines()[0]
        return cls(f"{path} cannot be used ({first_line})", next_step="mend that file")

    @classmethod
    def unset_variable(cls, path: Path, text: str) -> DefinitionsError:
        name = text.partition("${")[2].partition("}")[0]
        return cls(f"{path} uses ${{{name}}}, which is not set", next_step=f"set {name}")

    @classmethod
    def lost_function(cls, view: str, module: str, name: str) -> DefinitionsError:
        return cls(
            f"the function of view {view!r}, {module}.{name}, is not installed",
            next_step="define it at the top of its module; then run `lockstep compile`",
        )

    @classmethod
    def no_rows(cls, service: str) -> DefinitionsError:
        return cls(
            f"no view of feature service {service!r} keeps the rows that its windows read, so that "
            "requests could bring one more",
            next_step="name them in `keeps_rows_for` of the view with the longest window, and have "
            "a feature of it in the service or behind it",
        )

    @classmethod
    def not_compiled(cls, said: str) -> DefinitionsError:
        last = (said.strip().splitlines() or ["it said nothing"])[-1]
        return cls(
            f"the definitions cannot be compiled for serving ({last[:300]})",
            next_step="run `lockstep compile` and mend what it says",
        )

    @classmethod
    def other_fingerprint(
        cls, model: str, service: str, of_model: str, here: str
    ) -> DefinitionsError:
        return cls(
            f"{model} was trained on definitions {of_model[:12]} of feature service {service!r}, "
            f"this server has {here[:12]}",
            next_step="deploy the definitions that the model was trained on, or train again",
        )

    @classmethod
    def unknown_service(cls, model: str, service: str, known: Iterable[str]) -> DefinitionsError:
        return cls(
            f"{model} was trained on feature service {service!r}, which this server does not "
            f"have; it has {sorted(known)}",
            next_step="deploy the definitions that the model was trained on, or train again",
        )

    @classmethod
    def unknown_features(cls, model: str, service: str, names: Iterable[str]) -> DefinitionsError:
        return cls(
            f"{model} reads {sorted(names)[:5]}, which feature service {service!r} of this "
            "server does not offer",
            next_step="deploy the definitions that the model was trained on, or train again",
        )


class NotMaterializedError(ServingError):
    """Redis holds nothing of a view, so that every entity would look unknown."""

    @classmethod
    def views(cls, names: Iterable[str]) -> NotMaterializedError:
        return cls(
            f"the online store holds nothing of {sorted(names)}",
            next_step="run `feast materialize START END` in feature_repo/",
        )

    @classmethod
    def rows(cls, view: str) -> NotMaterializedError:
        return cls(
            f"the online store holds a step of {view!r} without the rows that it was made of",
            next_step="run `feast materialize START END` in feature_repo/, so that it is written "
            "with them",
        )


class FreshRowError(ServingError):
    """A row that a request brings and that cannot be put on top of what is stored."""

    @classmethod
    def older(cls, of: datetime, newest: datetime) -> FreshRowError:
        return cls(
            f"the candle that ends at {of.isoformat()} is older than the stored state: its newest "
            f"ends at {newest.isoformat()}",
            next_step="send the one that came after it, or ask without one",
        )

    @classmethod
    def stored(cls, of: datetime, *, is_same: bool) -> FreshRowError:
        which = "is stored already" if is_same else "is stored with other values"
        return cls(
            f"the candle that ends at {of.isoformat()} {which}",
            next_step="ask without one; what is stored is corrected with `lockstep ingest`",
        )


class FutureFeaturesError(ServingError):
    """T lies before a value that the online store already holds."""

    @classmethod
    def at(cls, view: str, t: datetime) -> FutureFeaturesError:
        return cls(
            f"view {view!r} holds values that became known after T = {t.isoformat()}; those of "
            "then are no longer in the online store",
            next_step="send a later event_timestamp, or score T offline",
        )


class RejectedStatusError(ServingError):
    """A feature has a status that its service declares not to be scored."""

    @classmethod
    def features(cls, service: str, found: Mapping[str, str]) -> RejectedStatusError:
        listed = ", ".join(f"{name} is {status}" for name, status in list(found.items())[:5])
        return cls(
            f"feature service {service!r} rejects what is stored for these entities: {listed}",
            next_step="materialise the views, or decide this one without a score",
        )


class ServerError(ServingError):
    """The server itself cannot start, or its workers cannot."""

    @classmethod
    def cannot_listen(cls, host: str, port: int, cause: OSError) -> ServerError:
        return cls(
            f"cannot listen on {host}:{port} ({cause.strerror})",
            next_step="choose another --host or --port, or end what uses this one",
        )

    @classmethod
    def no_keys(cls, path: Path) -> ServerError:
        return cls(
            f"there is no API key in {path}, so nobody could be served",
            next_step="run `lockstep keys add NAME --scope predict`, or set SERVING_AUTH=off on a "
            "machine that nobody else reaches",
        )

    @classmethod
    def no_worker(cls, failures: int) -> ServerError:
        return cls(
            f"workers ended before they served, {failures} in a row",
            next_step="see above in the log why they did",
        )


class TooManyRowsError(ServingError):
    """A batch that is longer than the limit."""

    @classmethod
    def over(cls, rows: int, most: int) -> TooManyRowsError:
        return cls(
            f"the batch has {rows:,} rows, at most {most:,} are answered at once",
            next_step="send it in parts",
        )


class ReloadError(ServingError):
    """The registry was not looked at in time."""

    @classmethod
    def late(cls, seconds: float) -> ReloadError:
        return cls(
            f"the models were not looked at within {seconds:g} s",
            next_step="see the server's log; the models before go on serving",
        )
