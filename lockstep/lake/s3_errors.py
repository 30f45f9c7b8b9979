"""What an S3 server or the way to it refuses, as a LakeError that names the missing thing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from lockstep.lake.errors import LakeError, NoObjectError

_PERMISSIONS = {
    "list": "s3:ListBucket on the bucket",
    "read": "s3:GetObject on its objects",
    "write": "s3:PutObject on its objects",
    "delete": "s3:DeleteObject on its objects",
}
_KEY_ID = ("the access key id is not known there", "mend AWS_ACCESS_KEY_ID, or the profile")
_SKEW = ("this machine's clock is not the server's", "set the clock, by NTP for instance")
_TOKEN = ("the session token is not valid (any more)", "get new credentials")
_REGION = ("the bucket is in another region", "set AWS_REGION to the bucket's own")
_BUSY = ("the server is overloaded or broken", "try again later")
_REASONS = {
    "NoSuchBucket": ("there is no such bucket", "create it, or mend LOCKSTEP_LAKE"),
    "InvalidBucketName": ("that is no name of a bucket", "mend LOCKSTEP_LAKE"),
    "InvalidAccessKeyId": _KEY_ID,
    "SignatureDoesNotMatch": (
        "the secret key is wrong",
        "mend AWS_SECRET_ACCESS_KEY, or the profile",
    ),
    "RequestTimeTooSkewed": _SKEW,
    "RequestExpired": _SKEW,
    "ExpiredToken": _TOKEN,
    "InvalidToken": _TOKEN,
    "PermanentRedirect": _REGION,
    "AuthorizationHeaderMalformed": _REGION,
    "IllegalLocationConstraintException": _REGION,
    "InvalidRange": ("it ends before that", "delete it, then build or ingest it again"),
    "SlowDown": _BUSY,
    "ServiceUnavailable": _BUSY,
    "InternalError": _BUSY,
}


class S3Error(LakeError):
    """An S3 lake that cannot be used as it is set up."""

    @classmethod
    def of_code(cls, code: str, message: str, *, action: str, address: str) -> S3Error:
        if code in ("AccessDenied", "403"):
            return cls(
                f"{address}: no permission to {action} ({message})",
                next_step=f"allow this user {_PERMISSIONS[action]}, or use other credentials",
            )
        problem, next_step = _REASONS.get(
            code, (f"{code}, {message}", "see what the server's documentation says of it")
        )
        return cls(f"{address}: cannot {action}, {problem}", next_step=next_step)

    @classmethod
    def no_credentials(cls, address: str) -> S3Error:
        return cls(
            f"{address}: there are no credentials",
            next_step="set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE",
        )

    @classmethod
    def no_region(cls, address: str) -> S3Error:
        return cls(
            f"{address}: there is no region",
            next_step="set AWS_REGION, or AWS_ENDPOINT_URL for a server of your own",
        )

    @classmethod
    def no_answer(cls, address: str, action: str, cause: Exception) -> S3Error:
        return cls(
            f"{address}: cannot {action}, the server does not answer ({cause})",
            next_step="check that it is up, and AWS_ENDPOINT_URL",
        )

    @classmethod
    def bad_settings(cls, address: str, cause: Exception) -> S3Error:
        return cls(
            f"{address}: {' '.join(str(cause).split())}",
            next_step="mend LOCKSTEP_LAKE, the AWS_... variables or the profile",
        )


@contextmanager
def s3_errors(action: str, address: str) -> Iterator[None]:
    """Raises botocore's errors as ours; `action` is list, read, write or delete.

    Raises:
        NoObjectError: there is no object of that key.
        S3Error: anything else that the server refuses, or that keeps it from answering.
    """
    from botocore import exceptions as botocore

    try:
        yield
    except botocore.ClientError as error:
        found = error.response["Error"]
        if found["Code"] == "NoSuchKey":
            raise NoObjectError.at(address) from error
        raise S3Error.of_code(
            found["Code"], found.get("Message", ""), action=action, address=address
        ) from error
    except (
        botocore.HTTPClientError,
        botocore.ConnectionError,
        botocore.IncompleteReadError,
    ) as error:
        raise S3Error.no_answer(address, action, error) from error
    except (botocore.BotoCoreError, ValueError) as error:
        raise S3Error.bad_settings(address, error) from error
