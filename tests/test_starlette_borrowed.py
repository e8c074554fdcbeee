# The file that was borrowed is as it came. It finds our middleware in the place of Starlette's, by way of the arguments
# that Starlette's has: this shim is the table of the docs page "Coming from Starlette's sessions", in code.
"""Starlette's own tests of its session layer pass on ours, but for the one that is named here."""

from __future__ import annotations

import importlib
import re
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any
from unittest.mock import patch

import pytest
import starlette.middleware.sessions
from starlette.datastructures import MutableHeaders
from starlette.testclient import TestClient
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from holdfast import CookieOptions
from holdfast.starlette import SessionMiddleware

#: What is not about a session layer but about a class of Starlette's, and would pass whatever ours did.
THEIRS = {"test_session_tracks_modification": "its flags `modified` and `accessed`; ours has `is_modified`"}

#: What they look for in lower case. Ours writes `Path`, and the names of attributes have no case (RFC 6265bis 5.6). Were
#: these left as they are, what they say of an attribute that must not be there would pass whatever ours did.
_LOWER = re.compile("; (Domain|Partitioned|Path)")


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
) -> ASGIApp:
    """Our middleware, made of the arguments of theirs; what it sends is spelled as theirs."""
    cookie = CookieOptions(
        max_age=max_age, path=path, same_site=same_site, secure=https_only, domain=domain, partitioned=partitioned
    )
    secret = secret_key.ljust(32, ".")  # Ours has to be 16 bytes at least.
    ours = SessionMiddleware(app, secret=secret, name=session_cookie, cookie=cookie)

    async def spelled_as_theirs(scope: Scope, receive: Receive, send: Send) -> None:
        async def send_on(message: Message) -> None:
            headers = MutableHeaders(raw=message.get("headers", []))
            if "set-cookie" in headers:
                headers["set-cookie"] = _LOWER.sub(lambda name: name[0].lower(), headers["set-cookie"])
            await send(message)

        await ours(scope, receive, send_on)

    return spelled_as_theirs


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
        globals()[_name] = _test
