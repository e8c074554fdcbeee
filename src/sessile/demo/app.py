# The layers, from the outside in: the session middleware, the check for other sites' forms, the routes.
"""Put the shop together."""

from __future__ import annotations

import re
import time
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import RedirectResponse
from fastapi.staticfiles import StaticFiles
from starlette.exceptions import HTTPException

from sessile import CookieOptions, RequestFacts, Session, SessionConflict, SessionGone, Sessions
from sessile.console.asgi import console
from sessile.demo import accounts, devices, password, shop
from sessile.demo.anatomy import Anatomist
from sessile.demo.dependencies import NotLoggedIn
from sessile.demo.folder import Folder
from sessile.demo.hashing import in_thread
from sessile.demo.pages import HERE, Pages
from sessile.demo.users import Users
from sessile.errors import InvalidOption
from sessile.fastapi import SessionMiddleware
from sessile.stores.base import Indexed, can

__all__ = ["create_app"]

#: The cart waits so long for a visitor to come back, counted from the last visit.
REMEMBERED = timedelta(days=30)

#: Not the default, connect.sid: cookies do not know ports (RFC 6265bis 8.5), and whoever tries this shop may well
#: have an Express application on another port of localhost.
COOKIE_NAME = "sessile.sid"


def create_app(
    folder: Path,
    *,
    store: str | None = None,
    server: str = "",
    secret: str | None = None,
    clock: Callable[[], float] = time.time,
) -> FastAPI:
    """Return the shop whose sessions, users and secret are in ``folder``, which is made if there is none.

    ``store`` is the URL of a store for the sessions, ``secret`` a secret, in place of those in the folder. ``server``
    is what the pages say of who has answered. ``clock`` gives the time, in epoch seconds. Raises InvalidOption for a
    store that cannot tell the sessions of a user.
    """
    kept = Folder.at(folder)
    secret = secret or kept.secret()
    sessions = Sessions(
        secret=secret,
        store=store or kept.store,
        name=COOKIE_NAME,
        cookie=CookieOptions(max_age=REMEMBERED),
        clock=clock,
    )
    if not can(sessions.store, Indexed):
        name, remedy = type(sessions.store).__name__, "Take another, or leave --store out."
        raise InvalidOption("store", f"a {name} cannot tell the devices of a user", remedy)
    # No openapi_url: the shop is for people, and its pages are no API.
    app = FastAPI(title="sessile demonstration", openapi_url=None)
    app.state.sessions = sessions
    app.state.store = _without_password(store or kept.store)
    app.state.users = Users(kept.users)
    app.state.pages = Pages(Anatomist(sessions, secret, app.state.store), server)
    for routes in (shop, accounts, devices, password):
        app.include_router(routes.router)
    app.mount("/console", console(sessions, who=_administrator(app.state.users)))
    app.mount("/static", StaticFiles(directory=HERE / "static"))
    app.add_exception_handler(HTTPException, _refuse)
    app.add_exception_handler(RequestValidationError, _misread)
    app.add_exception_handler(NotLoggedIn, _send_to_log_in)
    app.add_exception_handler(SessionConflict, _overtaken)
    app.add_exception_handler(SessionGone, _overtaken)
    app.add_middleware(SessionMiddleware, sessions=sessions)
    return app


def _administrator(users: Users) -> Callable[[Session, RequestFacts], Awaitable[str | None]]:
    async def who(session: Session, request: RequestFacts) -> str | None:
        user_id = session.user_id
        if not isinstance(user_id, int) or not await in_thread(users.is_administrator, user_id):
            return None
        return str(session.get("name", user_id))

    return who


def _without_password(url: str) -> str:
    # Passwords stand before the last "@", or among the options.
    return re.sub("//.*@", "//", url).partition("?")[0]


async def _refuse(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    # Our own words where we gave any; otherwise it is the router that found nothing.
    words = "Nothing is moored here." if error.detail in ("Not Found", "Method Not Allowed") else error.detail
    return await _error(request, error.status_code, words)


async def _send_to_log_in(request: Request, error: Exception) -> Response:
    return RedirectResponse("/login", 303)


async def _misread(request: Request, error: Exception) -> Response:
    return await _error(request, 422, "We could not read that form.")


async def _overtaken(request: Request, error: Exception) -> Response:
    return await _error(request, 409, "Another window was quicker. Nothing was changed; please try again.")


async def _error(request: Request, status: int, words: str) -> Response:
    pages: Pages = request.app.state.pages
    return await pages.render(request, "error.html", status, words=words)
