"""Problem documents: what went wrong, for people and for programs (RFC 9457)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field

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


def problem_response(
    kind: str,
    *,
    title: str,
    status: int,
    detail: str,
    instance: str,
    errors: Sequence[FieldProblem] = (),
    headers: Mapping[str, str] | None = None,
) -> ProblemResponse:
    """The response that carries one problem."""
    problem = Problem(
        type=f"{_TYPE}{kind}",
        title=title,
        status=status,
        detail=detail,
        instance=instance,
        errors=list(errors),
    )
    return ProblemResponse(
        problem.model_dump(exclude_none=True), status_code=status, headers=headers
    )


def field_problems(error: RequestValidationError) -> list[FieldProblem]:
    """One entry for each field that failed validation."""
    return [_field_problem(item) for item in error.errors()]


def body_problem(cause: BaseException) -> FieldProblem:
    """Why a body could not be read at all: the known reasons in words, and the error's class."""
    known = {
        RecursionError: "nested too deep",
        UnicodeDecodeError: "not UTF-8 text",
        ValueError: "a number with too many digits",
    }
    problem = known.get(type(cause), "not readable as JSON")
    return FieldProblem(field="body", problem=f"{problem} ({type(cause).__name__})")


def _field_problem(item: Mapping[str, Any]) -> FieldProblem:
    location = [str(part) for part in item["loc"] if part != "body"]
    if item["type"] == "json_invalid":
        return FieldProblem(field="body", problem=f"not JSON: {item['ctx']['error']}")
    if isinstance(item["input"], bytes):
        return FieldProblem(field="body", problem="expected Content-Type: application/json")
    got = None if item["type"] == "missing" else repr(item["input"])[:80]
    problem = str(item["msg"]).removeprefix("Value error, ")
    return FieldProblem(field=".".join(location) or "body", problem=problem, got=got)
