"""Errors of single fields that only the whole request shows."""

from __future__ import annotations

from pydantic import ValidationError
from pydantic_core import InitErrorDetails, PydanticCustomError


def wrong_fields(*wrong: tuple[str, str, object]) -> ValidationError:
    """What a validator of a whole model raises: the field, what is wrong with it, what was got.

    >>> print(wrong_fields(("floor", "is above the roof", 7)))
    1 validation error for request
    floor
      is above the roof [type=wrong_field, input_value=7, input_type=int]
    """
    details = [
        InitErrorDetails(type=PydanticCustomError("wrong_field", what), loc=(field,), input=got)
        for field, what, got in wrong
    ]
    return ValidationError.from_exception_data("request", details)
