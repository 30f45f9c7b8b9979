"""S3 as Spark's JVM reads it: the lake's environment in Hadoop's words."""

from __future__ import annotations

import re
from collections.abc import Mapping

from lockstep.lake.lake import Lake

# What Hadoop's globs give a meaning to.
_PATTERN = re.compile(r"[\[\]{}*?\\]")
# The chain that boto3 walks too: environment, profile, web identity, container, instance.
_CREDENTIALS = "software.amazon.awssdk.auth.credentials.DefaultCredentialsProvider"


def s3a_settings(lake: Lake, environment: Mapping[str, str]) -> dict[str, str]:
    """A session's settings for `s3a://`; keys, secrets and tokens are never among them.

    A dead server is an error after a few tries, not minutes of waiting.

    >>> settings = s3a_settings(
    ...     Lake.at("s3://bucket/lake"),
    ...     {"AWS_ENDPOINT_URL": "http://127.0.0.1:9000", "AWS_SECRET_ACCESS_KEY": "never shown"},
    ... )
    >>> settings["fs.s3a.endpoint"]
    'http://127.0.0.1:9000'
    >>> any("shown" in value for value in settings.values())
    False
    """
    named = (environment.get(name) for name in ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"))
    endpoint = next(filter(None, (lake.endpoint, *named)), None)
    region = environment.get("AWS_REGION") or environment.get("AWS_DEFAULT_REGION")
    settings = {
        "aws.credentials.provider": _CREDENTIALS,
        "attempts.maximum": "3",
        "retry.limit": "3",
        "connection.establish.timeout": "5s",
        "connection.timeout": "60s",
    }
    if endpoint:
        settings |= {"endpoint": endpoint, "path.style.access": "true"}
    if region:
        settings["endpoint.region"] = region
    return {f"fs.s3a.{name}": value for name, value in settings.items()}


def hadoop_path(address: str) -> str:
    """The place of an object of the lake as Spark reads it, where brackets are no pattern.

    >>> hadoop_path("s3://bucket/lake/part.parquet"), hadoop_path("/lake/part.parquet")
    ('s3a://bucket/lake/part.parquet', 'file:///lake/part.parquet')
    >>> print(hadoop_path("/lake [1]/part.parquet"))
    file:///lake \\[1\\]/part.parquet
    """
    scheme, separator, rest = address.partition("://")
    uri = f"s3a://{rest}" if separator and scheme == "s3" else f"file://{address}"
    return _PATTERN.sub(r"\\\g<0>", uri)
