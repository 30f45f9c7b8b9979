"""The use cases that are installed: a module each, with a `USE_CASE`; nothing to register.

One without definitions in the feature repository is not served: a project need not have all.
"""

from __future__ import annotations

from lockstep.use_cases import load_use_case, use_case_names
from serving.use_case import UseCase

USE_CASES: dict[str, UseCase] = {
    name: load_use_case(__name__, name, entry="USE_CASE").USE_CASE
    for name in sorted({*use_case_names(__name__)} & {*use_case_names("feature_repo.definitions")})
}
