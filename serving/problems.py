"""Problem documents: what went wrong, for people and for programs (RFC 9457)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field, ValidationError
from starlette.exceptions import HTTPException

from lockstep.contract.model_artefact import ModelArtefactError
from lockstep.contract.model_registry import RegistryError
from lockstep.contract.registered_model import NoModelError
from lockstep.errors import LockstepError
from lockstep.stores.errors import StoreUnavailableError
from serving.errors import (
    DefinitionsError,
    FreshRowError,
    FutureFeaturesError,
    NoExampleError,
    NotMaterializedError,
    NotReadyError,
    RejectedStatusError,
    ReloadError,
    TooManyRowsError,
    UnknownUseCaseError,
)

MEDIA_TYPE = "application/problem+json"
_TYPE = "urn:lockstep:problem:"


class FieldProblem(BaseModel):
    """What is wrong with one field of the request."""

    field: str = Field(description="Where in the body, such as amount_cents.", examples=["body"])
    problem: str = Field(description="What was expected.")
    got: str | None = Field(default=None, description="What was sent, cut short.")


class Problem(BaseModel):
    """Why a request was not answered, after RFC 9457."""

    type: str = Field(description="The kind of problem.", examples=[f"{_TYPE}validation"])
    title: str = Field(description="The kind of problem in words.")
    status: int = Field(description="The HTTP status.", examples=[422])
    detail: str = Field(description="What failed, what was expected and what to do next.")
    instance: str = Field(description="The path of the request.")
    errors: list[FieldProblem] = Field(default=[], description="The fields that failed.")


class ProblemResponse(JSONResponse):
    """A problem document as a response."""

    media_type = MEDIA_TYPE


@dataclass(frozen=True)
class Kind:
    """A kind of problem, and its HTTP status."""

    status: int
    name: str
    title: str


NO_MODEL = Kind(503, "no-model", "There is no model to score with")
UNEXPECTED = Kind(500, "unexpected", "The server failed")
VALIDATION = Kind(422, "validation", "The request is not valid")
UNREADABLE = Kind(400, "unreadable-body", "The body cannot be read")
TOO_LARGE = Kind(413, "too-large", "The request is too large")

_KINDS: dict[type[LockstepError], Kind] = {
    NoExampleError: Kind(404, "no-example", "There is no example request"),
    UnknownUseCaseError: Kind(404, "unknown-use-case", "There is no such use case"),
    FreshRowError: Kind(422, "not-newer", "What was sent is not newer than what is stored"),
    FutureFeaturesError: Kind(422, "future-features", "T lies before the stored values"),
    RejectedStatusError: Kind(422, "rejected-status", "A stored value may not be scored"),
    TooManyRowsError: TOO_LARGE,
    ReloadError: Kind(504, "reload-late", "The registry was not looked at in time"),
    StoreUnavailableError: Kind(503, "no-redis", "The online store does not answer"),
    NotMaterializedError: Kind(503, "not-materialized", "The online store is empty"),
    NotReadyError: Kind(503, "not-ready", "The server is not ready"),
    NoModelError: NO_MODEL,
    DefinitionsError: NO_MODEL,
    ModelArtefactError: NO_MODEL,
    RegistryError: NO_MODEL,
}


def kind_of(error: LockstepError) -> Kind:
    """The kind of problem that an error is over HTTP."""
    return _KINDS.get(type(error), UNEXPECTED)


def problem_of(error: LockstepError | ValidationError, *, instance: str) -> dict[str, Any]:
    """The document of an error."""
    if isinstance(error, ValidationError):
        fields = field_problems(error)
        if _is_no_json(error):
            return _document(UNREADABLE, _listed(fields), instance, fields)
        return _document(VALIDATION, _listed(fields), instance, fields)
    return _document(kind_of(error), str(error), instance)


def problem_response(
    kind: Kind,
    *,
    detail: str,
    instance: str,
    errors: Sequence[FieldProblem] = (),
    headers: Mapping[str, str] | None = None,
) -> ProblemResponse:
    """The response that carries one problem."""
    document = _document(kind, detail, instance, errors)
    return ProblemResponse(document, status_code=kind.status, headers=headers)


def error_response(
    error: LockstepError | ValidationError, instance: str, *, retry_after: int
) -> ProblemResponse:
    """The response to an error; with Retry-After in seconds where it may pass."""
    document = problem_of(error, instance=instance)
    headers = {"Retry-After": str(retry_after)} if document["status"] == 503 else None
    return ProblemResponse(document, status_code=document["status"], headers=headers)


def http_error_response(error: HTTPException, instance: str) -> ProblemResponse:
    """The response to what the framework refuses: unknown paths, methods, long bodies."""
    if error.status_code == UNREADABLE.status and error.__cause__:
        return problem_response(UNREADABLE, detail=f"{error.detail}; see /docs", instance=instance)
    kind = TOO_LARGE if error.status_code == TOO_LARGE.status else None
    return problem_response(
        kind or Kind(error.status_code, "http", "The request cannot be answered"),
        detail=f"{error.detail}; see /docs for what there is",
        instance=instance,
        headers=error.headers,
    )


def field_problems(error: ValidationError | RequestValidationError) -> list[FieldProblem]:
    """One entry for each field that failed validation."""
    return [_field_problem(item) for item in error.errors()]


def unreadable_content_type(got: str, instance: str) -> ProblemResponse:
    """The response to a body that is not declared to be JSON."""
    field = FieldProblem(
        field="body", problem="expected Content-Type: application/json", got=got[:80] or None
    )
    return problem_response(VALIDATION, detail=_listed([field]), instance=instance, errors=[field])


def _document(
    kind: Kind, detail: str, instance: str, errors: Sequence[FieldProblem] = ()
) -> dict[str, Any]:
    problem = Problem(
        type=f"{_TYPE}{kind.name}",
        title=kind.title,
        status=kind.status,
        detail=detail,
        instance=instance,
        errors=list(errors),
    )
    return problem.model_dump(exclude_none=True)


def _listed(fields: Sequence[FieldProblem]) -> str:
    listed = "; ".join(f"{field.field}: {field.problem}" for field in fields[:5])
    return f"{listed}; see /docs for what is expected"


def _is_no_json(error: ValidationError | RequestValidationError) -> bool:
    return any(item["type"] == "json_invalid" for item in error.errors())


def _field_problem(item: Mapping[str, Any]) -> FieldProblem:
    location = [str(part) for part in item["loc"] if part != "body"]
    if item["type"] == "json_invalid":
        return FieldProblem(field="body", problem=f"not JSON: {item['ctx']['error']}")
    got = None if item["type"] == "missing" else repr(item["input"])[:80]
    problem = str(item["msg"]).removeprefix("Value error, ")
    return FieldProblem(field=".".join(location) or "body", problem=problem, got=got)
