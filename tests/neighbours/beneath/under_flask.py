# This is the table of the page "Come from Flask's sessions", in code: each setting of Flask's by what says the same here.
# Tests change settings between requests, so an application is set up anew when they have changed.
"""Puts sessile beneath every Flask application that does not choose an interface of its own."""

from __future__ import annotations

import warnings
from typing import Any

from _pytest import monkeypatch
from flask import Flask, Request, Response
from flask.sessions import SecureCookieSessionInterface, SessionInterface, SessionMixin

import sessile.flask
from sessile import CookieOptions, Sessions
from sessile.stores.memory import MemoryStore

# Flask's tests use this name, which is inside pytest and has another there from 9.1 on.
if not hasattr(monkeypatch, "notset"):
    monkeypatch.notset = monkeypatch.NOTSET  # type: ignore[attr-defined]

_theirs = SecureCookieSessionInterface()


class Beneath(SessionInterface):
    """Hands on to sessile's, which is made when an application is asked for a session: its settings are known then."""

    def open_session(self, app: Flask, request: Request) -> SessionMixin | None:
        return self._ours(app).open_session(app, request) if app.secret_key else None

    def save_session(self, app: Flask, session: SessionMixin, response: Response) -> None:
        self._ours(app).save_session(app, session, response)

    def _ours(self, app: Flask) -> SessionInterface:
        wanted = options(app)
        store, made, ours = app.extensions.get("beneath", (MemoryStore(), None, None))
        if made != wanted:
            answered, app._got_first_request = app._got_first_request, False  # Or it refuses to be set up.
            with warnings.catch_warnings():
                # Secrets of tests are weak, and Flask's settings for the cookie are not read: they are, above.
                warnings.simplefilter("ignore")
                sessile.flask.init_app(app, Sessions(store=store, **wanted))
            app._got_first_request = answered
            ours = vars(app).pop("session_interface")  # Now that of the class is asked again.
            app.extensions["beneath"] = store, wanted, ours
        return ours


def options(app: Flask) -> dict[str, Any]:
    """Return the options of Sessions that say what the settings of ``app`` say."""
    secrets = [app.secret_key, *(app.config.get("SECRET_KEY_FALLBACKS") or ())]
    cookie = CookieOptions(
        domain=_theirs.get_cookie_domain(app),
        path=_theirs.get_cookie_path(app),
        http_only=_theirs.get_cookie_httponly(app),
        secure=_theirs.get_cookie_secure(app),
        same_site=(_theirs.get_cookie_samesite(app) or "").lower() or None,  # type: ignore[arg-type]
        partitioned=_theirs.get_cookie_partitioned(app),
    )
    # Ours have to be 16 bytes at least.
    long_enough = [key.ljust(32, b"." if isinstance(key, bytes) else ".") for key in secrets]
    rolling = app.config["SESSION_REFRESH_EACH_REQUEST"]
    return {"secret": long_enough, "name": _theirs.get_cookie_name(app), "cookie": cookie, "rolling": rolling}


Flask.session_interface = Beneath()
