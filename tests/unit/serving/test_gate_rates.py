"""The rate of a key: what is too much, and what counts."""

from __future__ import annotations

from gate_world import PREDICT, READ, World

from lockstep.contract.api_keys import Scope, revoke_key


def test_too_many_requests_are_told_when_to_come_again(world: World) -> None:
    text = world.key(Scope.READ, requests_per_second=0.4, burst=2)
    assert [world.status_of(READ, text) for _ in range(2)] == [200, 200]
    answer = world.ask(*READ, ("X-API-Key", text))
    assert (answer.status, answer.headers["retry-after"]) == (429, "3")
    assert answer.body["type"] == "urn:lockstep:problem:too-many-requests"
    world.seconds += 3
    assert world.status_of(READ, text) == 200
    assert len(world.reached) == 3


def test_the_wait_is_at_least_a_second(world: World) -> None:
    text = world.key(Scope.READ, requests_per_second=1000.0, burst=1)
    world.status_of(READ, text)
    assert world.ask(*READ, ("X-API-Key", text)).headers["retry-after"] == "1"


def test_what_is_refused_takes_nothing_of_the_rate(world: World) -> None:
    text = world.key(Scope.READ, requests_per_second=0.01, burst=1)
    assert {world.status_of(PREDICT, text) for _ in range(5)} == {403}
    assert [world.status_of(READ, text) for _ in range(2)] == [200, 429]


def test_rates_outlive_a_change_of_the_file_and_those_of_revoked_keys_do_not(
    world: World,
) -> None:
    kept, revoked = (world.key(Scope.READ, requests_per_second=0.01, burst=1) for _ in range(2))
    assert [world.status_of(READ, text) for text in (kept, revoked)] == [200, 200]
    revoke_key(world.path, revoked[4:12])
    world.seconds += 1
    assert world.status_of(READ, kept) == 429
    assert set(world.limit._left) == {kept[4:12]}
