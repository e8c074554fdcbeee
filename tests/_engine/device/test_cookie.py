"""The bound cookie: what the browser is told and what it is given agree, or it would refresh before every request."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sessile._engine.device.cookie import BoundCookie
from sessile._engine.device.instructions import ended, instructions
from sessile.errors import InvalidOption

PATHS = st.text("abc/-._~%20", max_size=12).map("/".__add__)
DOMAINS = st.sampled_from([None, "example.com", ".example.com", "a.b.example"])
SAME_SITE = st.sampled_from(["strict", "lax", "none", None])


def attributes(text: str) -> dict[str, str]:
    """As a browser reads them: order and case of the names do not count."""
    return {name.lower(): value for name, _, value in (each.strip().partition("=") for each in text.split(";"))}


@given(path=PATHS, domain=DOMAINS, same_site=SAME_SITE, seconds=st.integers(0, 86_400))
def test_what_is_told_and_what_is_set_agree(path: str, domain: str | None, same_site: str | None, seconds: int) -> None:
    """In all that a browser compares; and the life is not told."""
    cookie = BoundCookie("__Secure-bound", path=path, domain=domain, same_site=same_site)
    told = attributes(str(cookie.credential()["attributes"]))
    for header in (cookie.set("v1.1.a", seconds), cookie.clear()):
        pair, _, rest = header.partition("; ")
        given = attributes(rest)
        assert pair.partition("=")[0] == cookie.credential()["name"]
        assert given.pop("max-age").isdigit()
        assert given == told
    assert {"path", "secure", "httponly"} <= set(told)
    assert not {"max-age", "expires", "partitioned"} & set(told)


def test_the_cookie_of_this_host() -> None:
    cookie = BoundCookie("__Host-sid-b")
    assert cookie.set("v1.1.a", 600) == "__Host-sid-b=v1.1.a; Max-Age=600; Path=/; HttpOnly; Secure; SameSite=Lax"
    assert cookie.clear() == "__Host-sid-b=; Max-Age=0; Path=/; HttpOnly; Secure; SameSite=Lax"


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("__Host-Http-sid", {}),
        ("__host-http-sid", {}),
        ("__Host-sid", {"path": "/app"}),
        ("__Host-sid", {"domain": "example.com"}),
        ("sid", {"path": ""}),
        ("sid", {"path": "app"}),
        ("sid", {"path": "/a;b"}),
        ("sid", {"domain": "a b"}),
        ("sid", {"same_site": "sometimes"}),
        ("s id", {}),
        ("", {}),
    ],
)
def test_what_no_browser_would_bind_is_refused(name: str, options: dict[str, str]) -> None:
    with pytest.raises(InvalidOption, match="device cookie"):
        BoundCookie(name, **options)


def test_the_instructions_are_what_chromium_took() -> None:
    told = instructions("an-id", "/dbsc/refresh", "https://example.com/", BoundCookie("__Host-b"), excluded=["/static"])
    assert json.loads(told) == {
        "session_identifier": "an-id",
        "refresh_url": "/dbsc/refresh",
        "scope": {
            "origin": "https://example.com",
            "include_site": False,
            "scope_specification": [{"type": "exclude", "domain": "*", "path": "/static"}],
        },
        "credentials": [{"type": "cookie", "name": "__Host-b", "attributes": "Path=/; HttpOnly; Secure; SameSite=Lax"}],
        "allowed_refresh_initiators": [],
    }


def test_the_end_names_the_binding() -> None:
    assert ended("an-id") == b'{"session_identifier":"an-id","continue":false}'
