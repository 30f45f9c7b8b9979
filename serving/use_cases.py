"""The use cases that this server has, by name."""

from __future__ import annotations

from serving import fraud

USE_CASES = {use_case.name: use_case for use_case in (fraud.USE_CASE,)}
