"""Which requests of other origins are refused: one table, row by row."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sessile import InvalidOption, RequestFacts, Sessions
from sessile._wire.origins import Origins, origins_in
from sessile._wire.proxy import host_of, trust_in
from tests.conftest import SECRET

ALLOWED = Origins(["https://app.example.com"], ["/hook", "/webhooks/"])

PASSES: list[dict[str, Any]] = [
    {"method": "GET", "sec-fetch-site": "cross-site"},
    {"method": "HEAD", "sec-fetch-site": "cross-site"},
    {"method": "OPTIONS", "origin": "https://evil.test"},
    {},
    {"host": None},
    {"sec-fetch-site": "same-origin"},
    {"sec-fetch-site": "none"},
    {"sec-fetch-site": "same-origin", "origin": "https://evil.test"},
    {"origin": "https://shop.test"},
    {"origin": "http://shop.test"},
    {"origin": "HTTPS://SHOP.test"},
    {"origin": "https://shop.test", "host": "shop.test:443"},
    {"origin": "https://shop.test:8443", "host": "shop.test:8443"},
    {"origin": "http://[::1]:8000", "host": "[::1]:8000"},
    {"origin": "https://app.example.com", "sec-fetch-site": "same-site"},
    {"origin": "https://app.example.com", "sec-fetch-site": "cross-site"},
    {"origin": "https://evil.test", "path": "/hook"},
    {"origin": "https://evil.test", "path": "/webhooks/one"},
    {"websocket": True, "method": "GET"},
    {"websocket": True, "method": "GET", "origin": "https://shop.test"},
    {"websocket": True, "method": "GET", "origin": "https://app.example.com"},
]
REFUSED: list[dict[str, Any]] = [
    {"sec-fetch-site": "cross-site"},
    {"sec-fetch-site": "same-site"},
    {"sec-fetch-site": "SAME-ORIGIN"},
    {"sec-fetch-site": ""},
    {"sec-fetch-site": "cross-site", "origin": "https://shop.test"},
    {"method": "PUT", "sec-fetch-site": "cross-site"},
    {"method": "DELETE", "origin": "https://evil.test"},
    {"method": "get", "origin": "https://evil.test"},
    {"origin": "null"},
    {"origin": ""},
    {"origin": "https://evil.test"},
    {"origin": "https://sub.shop.test"},
    {"origin": "https://shop.test.evil.test"},
    {"origin": "https://shop.test:8443"},
    {"origin": "https://shop.test", "host": "shop.test:80"},
    {"origin": "https://shop.test", "host": None},
    {"origin": "http://[", "host": "["[:0]},
    {"origin": "https://evil@shop.test"},
    {"origin": "https://evil.test/https://shop.test"},
    {"origin": "ftp://shop.test"},
    {"origin": "chrome-extension://abc"},
    {"origin": "https://evil.test", "path": "/hook/deeper"},
    {"origin": "https://evil.test", "path": "/webhooks"},
    {"websocket": True, "method": "GET", "origin": "https://evil.test"},
    {"websocket": True, "method": "GET", "origin": "null"},
    {"websocket": True, "method": "GET", "origin": "https://evil.test", "sec-fetch-site": "same-origin"},
]


def refusal(row: dict[str, Any], rules: Origins = ALLOWED, trust: Any = False, **more: Any) -> str:
    row = {"method": "POST", "path": "/", "host": "shop.test", **row}
    headers = tuple(
        (name.encode(), value.encode("latin-1", "replace"))
        for name, value in row.items()
        if name not in ("method", "path", "websocket") and value is not None
    )
    facts = RequestFacts(method=row["method"], path=row["path"], headers=headers, **more)
    return rules.refusal(facts, trust, websocket=row.get("websocket", False))


@pytest.mark.parametrize("row", PASSES, ids=str)
def test_what_passes(row: dict[str, Any]) -> None:
    assert refusal(row) == ""


@pytest.mark.parametrize("row", REFUSED, ids=str)
def test_what_is_refused(row: dict[str, Any]) -> None:
    assert refusal(row) != ""


def test_the_host_of_a_trusted_proxy_counts() -> None:
    """A proxy may change Host; what it says of the browser's counts where it is trusted, and only there."""
    row = {"origin": "https://shop.test", "host": "10.0.0.5:8000", "x-forwarded-host": "shop.test"}
    assert refusal(row) != ""
    assert refusal(row, trust=True) == ""
    trust = trust_in(["10.0.0.1"])
    assert refusal(row, trust=trust, client="10.0.0.1") == ""
    assert refusal(row, trust=trust, client="192.0.2.7") != ""
    forged = row | {"x-forwarded-host": "evil.test, shop.test", "origin": "https://evil.test"}
    assert refusal(forged, trust=trust, client="10.0.0.1") != ""
    assert host_of(RequestFacts(), trust) == ""


@given(st.text(max_size=30), st.text(max_size=30), st.text(max_size=10))
def test_no_header_raises(origin: str, host: str, site: str) -> None:
    for row in ({"origin": origin, "host": host}, {"origin": origin, "sec-fetch-site": site}):
        for trust in (False, True, trust_in(["loopback"])):
            assert isinstance(refusal(row | {"x-forwarded-host": host}, trust=trust), str)


@pytest.mark.parametrize(
    "wrong",
    [
        "https://a.test",
        b"x",
        1,
        None,
        ["a.test"],
        ["ftp://a.test"],
        ["https://a.test/path"],
        ["https://["],
        [1],
        [None],
    ],
)
def test_what_is_no_rule(wrong: Any) -> None:
    with pytest.raises(InvalidOption, match="cross_origin"):
        Sessions(secret=SECRET, cross_origin=wrong)


def test_the_option_can_be_off_and_a_default_port_is_none() -> None:
    assert origins_in(False) is None
    rules = origins_in(["https://App.example.com:443", "/open/"])
    assert rules is not None
    assert refusal({"origin": "https://app.example.com"}, rules) == ""


def test_a_token_in_a_header_is_sent_by_no_page() -> None:
    """A page of another origin cannot send it, so nothing is asked."""
    facts = RequestFacts(method="POST", headers=((b"origin", b"https://evil.test"), (b"host", b"shop.test")))
    told: list[str] = []
    for transport in ("header", "bearer"):
        sessions = Sessions(secret=SECRET, transport=transport)  # type: ignore[arg-type]
        assert not sessions.engine.refuses("POST", lambda: facts)
    sessions = Sessions(secret=SECRET, on_event=lambda event: told.append(event.name))
    assert sessions.engine.refuses("POST", lambda: facts)
    assert told == ["cross_origin"]
    assert sessions.counts()["cross_origin"] == 1
