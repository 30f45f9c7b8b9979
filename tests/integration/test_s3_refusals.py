"""Servers that check keys, clocks and rights: preflight names the exact missing thing."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import botocore.auth
import pytest
from s3_servers import S3Server, guard, guarded_server, only_environment, rclone_server

from lockstep.lake.errors import LakeError
from lockstep.lake.lake import Lake
from lockstep.lake.s3_errors import S3Error

URI = "s3://company-lake/lake"
DOCS = Path(__file__).parents[2] / "docs" / "lake.md"
POLICY: dict[str, Any] = json.loads(re.findall(r"```json\n(.*?)```", DOCS.read_text(), re.S)[0])
FOUND_FINE_WITHOUT = {
    "s3:ListBucket": [],
    "s3:GetObject": ["can be listed"],
    "s3:PutObject": ["can be listed", "can be read"],
    "s3:DeleteObject": [
        "can be listed",
        "can be read",
        "can be written",
        "can be scanned by Polars",
    ],
}


def refusal(monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], uri: str = URI) -> str:
    """What preflight says under exactly that environment."""
    only_environment(monkeypatch, environment)
    with pytest.raises(S3Error) as caught:
        Lake.at(uri).preflight()
    return str(caught.value)


@pytest.fixture(scope="module")
def rclone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    """It checks the key, the signature and the clock."""
    folder = tmp_path_factory.mktemp("rclone")
    (folder / "company-lake").mkdir()
    with rclone_server(folder) as (server, _):
        yield server


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"AWS_ACCESS_KEY_ID": "other"}, "the access key id is not known there; mend AWS_ACCESS"),
        ({"AWS_SECRET_ACCESS_KEY": "other"}, "the secret key is wrong; mend AWS_SECRET_ACCESS_KEY"),
        ({"AWS_SECRET_ACCESS_KEY": ""}, "Partial credentials .* missing: AWS_SECRET_ACCESS_KEY"),
        ({"AWS_ACCESS_KEY_ID": ""}, "there are no credentials; set AWS_ACCESS_KEY_ID"),
        ({"AWS_PROFILE": "absent"}, r"The config profile \(absent\) could not be found"),
        ({"AWS_ENDPOINT_URL": "127.0.0.1"}, "Invalid endpoint: 127.0.0.1; mend"),
    ],
)
def test_settings_that_are_wrong_are_named(
    rclone: S3Server, monkeypatch: pytest.MonkeyPatch, changed: dict[str, str], message: str
) -> None:
    assert re.search(message, refusal(monkeypatch, rclone.environment | changed))


def test_a_region_is_needed_where_the_server_is_amazons(monkeypatch: pytest.MonkeyPatch) -> None:
    keys = {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret"}
    assert "there is no region; set AWS_REGION" in refusal(monkeypatch, keys)


def test_a_bucket_that_is_not_there_is_named(
    rclone: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    message = refusal(monkeypatch, rclone.environment, "s3://another-lake/lake")
    assert "s3://another-lake/lake: cannot list, there is no such bucket; create it" in message


def test_a_clock_that_is_off_is_named(rclone: S3Server, monkeypatch: pytest.MonkeyPatch) -> None:
    now = botocore.auth.get_current_datetime
    monkeypatch.setattr(botocore.auth, "get_current_datetime", lambda: now() + timedelta(hours=1))
    message = refusal(monkeypatch, rclone.environment)
    assert "this machine's clock is not the server's; set the clock" in message


def test_a_server_that_polars_cannot_read_from_is_named(
    rclone: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """rclone answers 200, not 206, when all of an object is asked for as a range."""
    only_environment(monkeypatch, rclone.environment)
    with pytest.raises(LakeError, match=r"Polars cannot read .*, though its bytes .*non-partial"):
        Lake.at(URI).preflight()
    assert Lake.at(URI).list("") == []


def test_more_objects_are_deleted_than_one_request_may_name(
    rclone: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    only_environment(monkeypatch, rclone.environment)
    lake = Lake.at(URI)
    keys = [f"_staging/{number:04}" for number in range(1001)]
    lake.write_bytes(keys[0], b"")
    lake.write_bytes(keys[-1], b"")
    lake.delete(keys)
    assert lake.list("") == []


@pytest.fixture(scope="module")
def guarded() -> Iterator[S3Server]:
    """It checks rights, with a bucket and a user in it."""
    with guarded_server() as server:
        server.create_bucket("company-lake")
        iam(server).create_user(UserName="lockstep")
        yield server


def iam(server: S3Server) -> Any:
    """The administrator's client."""
    return server.client("iam")


@pytest.fixture(scope="module")
def user(guarded: S3Server) -> dict[str, str]:
    """The environment of a user without any rights yet."""
    made = iam(guarded).create_access_key(UserName="lockstep")["AccessKey"]
    keys = {
        "AWS_ACCESS_KEY_ID": made["AccessKeyId"],
        "AWS_SECRET_ACCESS_KEY": made["SecretAccessKey"],
    }
    return guarded.environment | keys


def policy(*, without: str | None = None) -> dict[str, Any]:
    """What the documentation says, but for one action."""
    listing, objects = copy.deepcopy(POLICY)["Statement"]
    statements = [] if without == "s3:ListBucket" else [listing]
    objects["Action"] = [action for action in objects["Action"] if action != without]
    # moto asks for the right to delete on the bucket, Amazon on the objects.
    objects["Resource"] = [objects["Resource"], listing["Resource"]]
    return {**POLICY, "Statement": [*statements, objects]}


def allow(server: S3Server, *, without: str | None = None) -> None:
    """Gives the user those rights and no others."""
    document = json.dumps(policy(without=without))
    guard(server, on=False)
    iam(server).put_user_policy(UserName="lockstep", PolicyName="lake", PolicyDocument=document)
    guard(server, on=True)


def test_the_policy_of_the_documentation_is_enough(
    guarded: S3Server, user: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    allow(guarded)
    only_environment(monkeypatch, user)
    Lake.at(URI).preflight()


@pytest.mark.parametrize(("missing", "fine"), FOUND_FINE_WITHOUT.items())
def test_the_right_that_is_missing_is_named(
    guarded: S3Server,
    user: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
    missing: str,
    fine: list[str],
) -> None:
    allow(guarded, without=missing)
    only_environment(monkeypatch, user)
    checks = Lake.at(URI).checks()
    assert next(checks) == f"{guarded.url}, region us-east-1"
    for found in fine:
        assert next(checks) == found
    with pytest.raises(S3Error, match=rf"no permission to \w+ \(.*allow this user {missing}"):
        next(checks)
