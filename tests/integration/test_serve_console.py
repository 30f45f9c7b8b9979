"""The console in a real browser, before a real server: what a person sees is what the API says."""

from __future__ import annotations

import copy
import http.client
import json
from collections.abc import Iterator
from typing import Any

import pytest
from console_page import (
    AT,
    Console,
    chromium,
    served_console,
    shown_reasons,
    shown_rows,
    stored_features,
)
from fraud_project import Project
from playwright.sync_api import Browser, Route, expect

from lockstep.cli.demo_parts.api import Api

LARGEST = 2**63 - 1
MARKUP = "<img src=x onerror=\"document.title='run'\">"


@pytest.fixture(scope="module")
def api(project: Project, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """`lockstep serve` over the project, materialised up to END."""
    with served_console(project, tmp_path_factory.mktemp("console")) as running:
        yield running


# After `api`: while Playwright runs, no other event loop can in this thread.
@pytest.fixture(scope="module")
def browser(api: Api) -> Iterator[Browser]:
    with chromium() as running:
        yield running


@pytest.fixture
def console(browser: Browser, api: Api) -> Iterator[Console]:
    """The page in a session of its own, not yet opened."""
    with browser.new_context() as context:
        context.grant_permissions(["clipboard-read", "clipboard-write"])
        context.set_default_timeout(20_000)
        yield Console(context.new_page(), api)


@pytest.mark.parametrize("path", ["/", "/console/console.js", "/console/console.css"])
def test_the_files_are_open_and_guarded(api: Api, path: str) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", api.port, timeout=10)
    connection.request("GET", path)
    answer = connection.getresponse()
    text = answer.read().decode()
    connection.close()
    assert answer.status == 200
    assert api.key not in text
    policy = answer.headers["Content-Security-Policy"].split("; ")
    assert {"default-src 'none'", "script-src 'self'", "frame-ancestors 'none'"} <= set(policy)
    assert "unsafe" not in str(policy)
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("path", ["/console/nothing.js", "/console/index.html", "/console/..%2f"])
def test_other_files_are_not_there(api: Api, path: str) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", api.port, timeout=10)
    connection.request("GET", path, headers={"X-API-Key": api.key})
    assert connection.getresponse().status == 404
    connection.close()


def test_it_shows_what_the_api_answers(console: Console) -> None:
    console.open()
    console.score(**AT)
    expect(console.page.locator("#features tbody tr").first).to_be_visible()
    told, stored = console.ask("explain", **AT), stored_features(console, AT)
    prediction = told["prediction"]
    verdict = console.page.locator("#verdict")
    assert console.number("#verdict .score") == prediction["score"]
    expect(verdict.locator(".decision")).to_have_text(prediction["decision"])
    expect(verdict).to_contain_text(prediction["model"]["fingerprint"])
    expect(verdict).to_contain_text(f"fraud version {prediction['model']['version']}")
    assert console.number("#verdict dl") == prediction["threshold"]
    assert shown_reasons(console.page) == [
        (reason["feature"], reason["words"], reason["contribution"]) for reason in told["reasons"]
    ]
    assert shown_rows(console.page) == {
        name: (*served.values(), stored.get(name, {}).get("view", "computed for the request"))
        for name, served in prediction["features"].items()
    }
    expect(console.page.locator("#models")).to_contain_text("champion")
    expect(console.page.locator("#parity")).to_have_text("No audit has run.")
    assert console.errors == []
    assert all(r.url.startswith((console.origin, "data:")) for r in console.asked)


def test_the_key_stays_in_the_tab(console: Console) -> None:
    console.open()
    console.score(**AT)
    expect(console.page.locator("#verdict")).to_be_visible()
    key = console.api.key
    assert console.page.evaluate("Object.entries(localStorage)") == []
    assert key in str(console.page.evaluate("Object.entries(sessionStorage)"))
    assert not [r.url for r in console.asked if key in r.url]
    assert key not in console.page.url
    console.page.reload()
    expect(console.page.get_by_label("API key")).to_have_value(key)
    console.page.get_by_role("button", name="Forget").click()
    assert key not in str(console.page.evaluate("Object.entries(sessionStorage)"))


def test_a_wrong_key_says_so(console: Console) -> None:
    console.open()
    console.fill(**AT)
    console.page.get_by_role("button", name="Score").click()
    expect(console.page.locator("#problem h2")).to_have_text("No key was sent: enter your API key.")
    for wrong in ("lsk_wrong", "kľúč"):
        console.page.get_by_label("API key").fill(wrong)
        console.page.get_by_role("button", name="Score").click()
        expect(console.page.locator("#problem h2")).to_contain_text("does not accept this key")
        expect(console.page.locator("#key-problem")).to_contain_text("revoked or expired")
    expect(console.page.get_by_label("API key")).to_be_focused()


@pytest.mark.parametrize(
    ("status", "words"), [(403, "it may not do this"), (429, "wait 7 s and try again")]
)
def test_what_a_key_may_not_is_said(console: Console, status: int, words: str) -> None:
    document = {"type": "urn:x", "title": "No", "status": status, "detail": "scope 'predict'"}
    headers = {"Retry-After": "7", "Content-Type": "application/problem+json"}
    answer = {"status": status, "headers": headers, "body": json.dumps(document)}
    console.page.route("**/explain", lambda route: route.fulfill(**answer))
    console.open()
    console.score(**AT)
    expect(console.page.locator("#problem")).to_contain_text(words)
    expect(console.page.locator("#problem")).to_contain_text("scope 'predict'")


def test_an_unknown_customer_stands_out_and_keeps_its_digits(console: Console) -> None:
    console.open()
    console.score(**AT | {"customer_id": LARGEST, "transaction_id": LARGEST})
    unknown = console.page.locator("#features tr.not-present", has_text="customer_tx_count_1d")
    expect(unknown.locator(".badge")).to_have_text("NOT_FOUND")
    expect(unknown.locator(".value")).to_have_text("none")
    expect(console.page.locator("#verdict .badge", has_text="NOT_FOUND")).to_be_visible()
    expect(console.page.locator("#verdict")).to_contain_text(str(LARGEST))
    for action in ("explain", "features"):
        assert json.loads(console.bodies(action)[0])["customer_id"] == LARGEST


def test_a_bad_field_is_named_at_its_input(console: Console) -> None:
    console.open()
    console.score(customer_id=1, terminal_id="", amount_cents="1.5")
    bad = console.page.locator("[aria-invalid=true]")
    expect(bad).to_have_count(2)
    expect(console.page.get_by_label("terminal_id")).to_be_focused()
    expect(console.page.locator("#problem-terminal_id")).to_have_text("Field required")
    expect(console.page.locator("#problem-amount_cents")).to_contain_text("valid integer")
    expect(console.page.locator("#problem-customer_id")).to_be_empty()
    expect(console.page.locator("#problem")).to_contain_text("The request is not valid")
    console.score(**AT)
    expect(console.page.locator("#verdict")).to_be_visible()
    expect(bad).to_have_count(0)


def test_markup_is_text(console: Console) -> None:
    def with_markup(route: Route) -> None:
        told = route.fetch().json()
        told["reasons"][0]["words"] = MARKUP
        told["prediction"]["decision"] = MARKUP
        route.fulfill(json=told)

    console.open()
    console.score(**AT | {"amount_cents": MARKUP})
    expect(console.page.locator("#problem")).to_contain_text("<img src=x onerror=")
    console.page.route("**/explain", with_markup)
    console.score(**AT)
    expect(console.page.locator(".decision")).to_have_text(MARKUP)
    expect(console.page.locator("#reasons li p").first).to_have_text(MARKUP)
    assert console.page.locator("img").count() == 0
    assert console.page.title() == "Lockstep console"


def test_asked_before_and_as_curl(console: Console) -> None:
    console.open()
    console.score(**AT)
    console.page.get_by_role("button", name="customer_id 1 · terminal_id 2").wait_for()
    console.fill(customer_id="", amount_cents="")
    console.page.get_by_role("button", name="customer_id 1 · terminal_id 2").click()
    for name, value in AT.items():
        expect(console.page.get_by_label(name)).to_have_value(str(value))
    console.page.get_by_role("button", name="Copy as curl").click()
    expect(console.page.locator("#copied")).to_contain_text("Copied.")
    copied = console.page.evaluate("navigator.clipboard.readText()")
    assert copied.startswith(f"curl -s '{console.origin}/v1/fraud/explain'")
    assert console.api.key not in copied
    assert json.loads(copied.split("-d ")[1].strip("'")) == AT


def test_refusals_and_the_last_audit_are_shown(console: Console) -> None:
    def with_parity(route: Route) -> None:
        told = route.fetch().json()
        told["paths"]["/v1/parity"] = {"get": {}}
        route.fulfill(json=told)

    refused = {"alias": "challenger", "version": 3, "why": "another fingerprint"}
    models = {"use_case": "fraud", "loaded": [], "refused": [refused], "registry": "it is down"}
    console.page.route("**/openapi.json", with_parity)
    console.page.route("**/v1/models", lambda route: route.fulfill(json=[models]))
    console.page.route("**/v1/parity", lambda route: route.fulfill(json={"mismatches": 0}))
    console.open()
    console.score(**AT)
    for words in ("no model is loaded", "challenger, version 3. another", "it is down"):
        expect(console.page.locator("#models")).to_contain_text(words)
    expect(console.page.locator("#parity")).to_contain_text("mismatches0")
    console.page.unroute("**/v1/parity")
    console.page.get_by_role("button", name="Refresh").click()
    expect(console.page.locator("#parity")).to_have_text("No audit has run.")


def test_another_use_case_needs_no_change(console: Console) -> None:
    def with_loans(route: Route) -> None:
        told = route.fetch().json()
        schema = copy.deepcopy(told["components"]["schemas"]["FraudRequest"])
        schema["properties"]["purpose"] = {"type": "string", "enum": ["car", "house"]}
        schema["properties"]["rate"] = {"type": "number", "minimum": 0, "maximum": 0.5}
        schema["required"] = ["customer_id", "purpose", "rate"]
        content = {"application/json": {"schema": schema}}
        told["paths"]["/v1/loans/predict"] = {"post": {"requestBody": {"content": content}}}
        route.fulfill(json=told)

    console.page.route("**/openapi.json", with_loans)
    console.open()
    console.page.get_by_label("Use case").select_option("loans")
    console.page.get_by_label("purpose").select_option("house")
    expect(console.page.locator("#hint-rate")).to_have_text("From 0 to 0.5.")
    console.score(customer_id=1, rate="0.25")
    # This server has no such use case, and says so.
    expect(console.page.locator("#problem")).to_contain_text("there is no use case 'loans'")
    sent = [r.post_data for r in console.asked if r.url.endswith("/v1/loans/predict")]
    assert json.loads(sent[0]) == {"customer_id": 1, "purpose": "house", "rate": 0.25}


ESTIMATE = {"value": 11_650_000.0, "low": 9_820_000.0, "high": 13_400_000.5, "coverage": 0.9}
CALLS = {"probabilities": {"hold": 0.25, "buy": 0.5, "sell": 0.25}, "decision": "buy"}


@pytest.mark.parametrize(
    ("fields", "title", "said"),
    [
        (ESTIMATE, "Estimate", ["11,650,000", "9,820,000", "13,400,000", "90 %"]),
        (CALLS, "Decision", ["buy", "hold", "0.25", "0.5"]),
    ],
    ids=["an estimate", "several classes"],
)
def test_every_kind_of_answer_is_shown(
    console: Console, fields: dict[str, Any], title: str, said: list[str]
) -> None:
    def answered_so(route: Route) -> None:
        told = route.fetch().json()
        prediction = told.get("prediction", told)
        for name in ("score", "decision", "threshold") if "value" in fields else ():
            del prediction[name]
        prediction.update(fields)
        route.fulfill(json=told)

    console.open()
    for path in ("predict", "explain"):
        console.page.route(f"**/v1/fraud/{path}", answered_so)
    console.score(**AT)
    verdict = console.page.locator("#verdict")
    expect(verdict.locator("h2")).to_have_text(title)
    for text in said:
        expect(verdict).to_contain_text(text)
    shown = verdict.inner_text()
    assert not {"NaN", "undefined", "object"} & set(shown.replace("]", " ").split())
    expect(console.page.locator("#reasons .hint")).to_contain_text("In the model's raw output")
    expect(verdict.locator(".scale")).to_have_count(0 if "value" in fields else 1)


@pytest.mark.parametrize("width", [380, 1280])
def test_nothing_is_wider_than_the_screen(console: Console, width: int) -> None:
    console.page.set_viewport_size({"width": width, "height": 800})
    console.open()
    console.score(**AT)
    expect(console.page.locator("#features")).to_be_visible()
    assert console.page.evaluate("document.documentElement.scrollWidth") == width
    expect(console.page.locator("#verdict .score")).to_be_in_viewport()
    console.score(event_timestamp="yesterday")
    expect(console.page.locator("#problem-event_timestamp")).to_be_in_viewport()
    assert console.page.evaluate("document.documentElement.scrollWidth") == width
