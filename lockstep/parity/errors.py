"""What makes a comparison meaningless."""

from __future__ import annotations

from collections.abc import Iterable

from lockstep.errors import LockstepError


class ComparisonError(LockstepError):
    """Two sides that cannot be laid beside each other."""

    @classmethod
    def nothing(cls) -> ComparisonError:
        return cls("there is nothing to compare", next_step="serve at least one prediction first")

    @classmethod
    def rows(cls, served: int, recomputed: int) -> ComparisonError:
        return cls(
            f"{served:,} rows were served but {recomputed:,} recomputed",
            next_step="recompute exactly the rows that were served, in their order",
        )

    @classmethod
    def features(cls, missing: Iterable[str]) -> ComparisonError:
        return cls(
            f"{sorted(missing)[:5]} are not on both sides",
            next_step="compare the features of one feature service",
        )


class ServedLogError(LockstepError):
    """A log of served features that tells too little."""

    @classmethod
    def nothing(cls, use_case: str) -> ServedLogError:
        return cls(
            f"the log of {use_case!r} has nothing of these days",
            next_step="serve predictions first: the API logs them to the lake",
        )

    @classmethod
    def other_features(cls, service: str, fingerprint: str) -> ServedLogError:
        return cls(
            f"rows of {service!r} with the fingerprint {fingerprint[:12]} have other features than "
            "the service of that fingerprint",
            next_step="look at who else writes to the log",
        )


class AuditError(LockstepError):
    """What cannot be audited at all."""

    @classmethod
    def no_service(cls, service: str) -> AuditError:
        return cls(
            f"the feature service {service!r} is not in Feast's registry",
            next_step="apply the definitions that its model was trained on",
        )

    @classmethod
    def damaged(cls, address: str, cause: Exception) -> AuditError:
        return cls(
            f"{address} is no audit ({type(cause).__name__}: {cause})",
            next_step="remove it and audit again",
        )


class DriftError(LockstepError):
    """What keeps a look for drift from being one."""

    @classmethod
    def wrong_tag(cls, name: str, tag: str, got: str) -> DriftError:
        return cls(
            f"the tag {tag} of {name!r} is {got[:40]!r}, expected a number above zero, or off",
            next_step="mend the tags of the definition",
        )

    @classmethod
    def wrong_volume(cls, service: str, got: str) -> DriftError:
        return cls(
            f"the tag drift_volume of {service!r} is {got[:40]!r}, expected a number above 1: "
            "how many times more, or fewer, rows a day may come",
            next_step="mend the tags of the service",
        )

    @classmethod
    def no_reference(cls, name: str, version: int) -> DriftError:
        return cls(
            f"version {version} of the model {name!r} was registered without a reference profile",
            next_step="train it again: `lockstep train` keeps one with each version",
        )

    @classmethod
    def damaged(cls, address: str, cause: Exception) -> DriftError:
        return cls(
            f"{address} is not what was written ({type(cause).__name__}: {cause})",
            next_step="remove it and look again, or train the model again",
        )

    @classmethod
    def other_features(cls, service: str, names: Iterable[str]) -> DriftError:
        return cls(
            f"{sorted(names)[:5]}, which the model was trained on, are not in the log of "
            f"{service!r} on these days",
            next_step="look at a version that was trained on the service as it is now",
        )

    @classmethod
    def nothing(cls, use_case: str, version: int) -> DriftError:
        return cls(
            f"the log of {use_case!r} has nothing that version {version} answered on these days",
            next_step="name other days, or the version that served: --version",
        )
