# The file that was borrowed is as it came. It finds our middleware in the place of Starlette's, by way of the arguments
# that Starlette's has: this shim is the table of the docs page "Coming from Starlette's sessions", in code.
"""Starlette's own tests of its session layer pass on ours, but for those that are named here."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any
from unittest.mock import patch

import pytest
import starlette.middleware.sessions
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.routing import Route
from starlette.testclient import TestClient

from holdfast import CookieOptions
from holdfast.starlette import SessionMiddleware

_SPELLING = "looks for `{}` in lower case; ours writes `{}`, and attributes have no case (RFC 6265bis 5.6)"

#: What does not pass, and why.
LACKS = {
    "test_partitioned_session": _SPELLING.format("partitioned", "Partitioned"),
    "test_session_cookie_subpath": _SPELLING.format("path=", "Path="),
    "test_domain_cookie": _SPELLING.format("domain=", "Domain="),
}

#: What is not about a session layer but about a class of Starlette's, and would pass whatever ours did.
THEIRS = {"test_session_tracks_modification": "its flags `modified` and `accessed`; ours has `is_modified`"}


def in_its_place(
    app: Any,
    secret_key: str,
    session_cookie: str = "session",
    max_age: int | None = 14 * 24 * 60 * 60,
    path: str = "/",
    same_site: Any = "lax",
    https_only: bool = False,
    domain: str | None = None,
    partitioned: bool = False,
) -> SessionMiddleware:
    """Our middleware, made of the arguments of theirs."""
    cookie = CookieOptions(
        max_age=max_age, path=path, same_site=same_site, secure=https_only, domain=domain, partitioned=partitioned
    )
    secret = secret_key.ljust(32, ".")  # Ours has to be 16 bytes at least.
    return SessionMiddleware(app, secret=secret, name=session_cookie, cookie=cookie)


def borrowed() -> ModuleType:
    """Return the module of tests, on our middleware."""
    types = ModuleType("tests.types")
    types.TestClientFactory = Callable[..., TestClient]  # type: ignore[attr-defined]
    with (
        patch.dict(sys.modules, {"tests.types": types}),
        patch.object(starlette.middleware.sessions, "SessionMiddleware", in_its_place),
    ):
        return importlib.import_module("tests.integrations.borrowed.starlette.session")


@pytest.fixture
def test_client_factory() -> Callable[..., TestClient]:
    """What Starlette's tests ask for."""
    return TestClient


for _name, _test in vars(borrowed()).items():
    if _name.startswith("test_") and _name not in THEIRS:
        globals()[_name] = pytest.mark.xfail(reason=LACKS[_name])(_test) if _name in LACKS else _test


def test_the_attributes_that_they_look_for_are_there() -> None:
    """What is spelled otherwise says the same."""
    for options, attribute in (
        ({"https_only": True, "same_site": "none", "partitioned": True}, "; Partitioned"),
        ({"path": "/second_app"}, "; Path=/second_app;"),
        ({"domain": ".example.com"}, "; Domain=.example.com;"),
    ):
        module = borrowed()
        app = Starlette(
            routes=[Route(f"{options.get('path', '')}/", module.update_session, methods=["POST"])],
            middleware=[Middleware(in_its_place, secret_key="example", **options)],
        )
        site = TestClient(app, base_url="https://testserver" + str(options.get("path", "")))
        assert attribute in site.post("/", json={"some": "data"}).headers["set-cookie"] + ";"
