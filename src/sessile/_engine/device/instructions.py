# What Chromium makes of each key was measured. An identifier other than the binding's ends the binding. An origin with
# a slash at the end fails the registration, and so does a life in the attributes. A refresh is answered with the whole
# of it again: after an empty body the browser would sign an old challenge.
"""The JSON with which a registration and a refresh are answered."""

from __future__ import annotations

import json
from collections.abc import Sequence

from sessile._engine.device.cookie import BoundCookie

__all__ = ["ended", "instructions"]


def instructions(
    identifier: str, refresh_path: str, origin: str, cookie: BoundCookie, *, excluded: Sequence[str] = ()
) -> bytes:
    """Return what the browser is to do: which cookie to keep fresh, where, and for which requests.

    ``origin`` is that of the site, as ``https://example.com``. ``excluded`` are the path prefixes of requests that do
    not wait for a refresh, such as those of static files.
    """
    scope = {
        "origin": origin.rstrip("/"),
        "include_site": False,
        "scope_specification": [{"type": "exclude", "domain": "*", "path": path} for path in excluded],
    }
    return _json(
        {
            "session_identifier": identifier,
            "refresh_url": refresh_path,
            "scope": scope,
            "credentials": [cookie.credential()],
            "allowed_refresh_initiators": [],
        }
    )


def ended(identifier: str) -> bytes:
    """Return the answer that ends the binding in the browser."""
    return _json({"session_identifier": identifier, "continue": False})


def _json(value: dict[str, object]) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode("ascii")
