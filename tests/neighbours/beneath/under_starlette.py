# This is the table of the page "Come from Starlette's sessions", in code: each argument of Starlette's middleware by what
# says the same here.
"""Puts sessile's middleware in the place of Starlette's."""

from __future__ import annotations

import hashlib
import re
from typing import Any

import starlette.middleware.sessions
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sessile import CookieOptions
from sessile.asgi import SessionMiddleware

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
    """Return our middleware, made of the arguments of theirs; what it sends is spelled as theirs."""
    cookie = CookieOptions(
        max_age=max_age, path=path, same_site=same_site, secure=https_only, domain=domain, partitioned=partitioned
    )
    secret = hashlib.sha256(secret_key.encode()).hexdigest()  # Ours refuses and warns of what is weak.
    ours = SessionMiddleware(app, secret=secret, name=session_cookie, cookie=cookie)

    async def spelled_as_theirs(scope: Scope, receive: Receive, send: Send) -> None:
        async def send_on(message: Message) -> None:
            headers = MutableHeaders(raw=message.get("headers", []))
            if "set-cookie" in headers:
                headers["set-cookie"] = _LOWER.sub(lambda name: name[0].lower(), headers["set-cookie"])
            await send(message)

        await ours(scope, receive, send_on)

    return spelled_as_theirs


starlette.middleware.sessions.SessionMiddleware = in_its_place  # type: ignore[assignment,misc]
