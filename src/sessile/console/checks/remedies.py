# Under Django most options come from settings of Django's own, so a remedy that names the option would lead nowhere.
"""What to do about a finding of `sessile check`, in the words of the project's own settings."""

from __future__ import annotations

import sys

from sessile import Sessions

__all__ = ["remedy_of"]

_ANOTHER = (
    "Make one with `sessile secret` and set SECRET_KEY to it. Keep the old one in SECRET_KEY_FALLBACKS for a while."
)
_SHORTER = "Set SESSION_COOKIE_AGE to {days} days or less: {seconds}."

#: By the name of the check. What is not here is an option in SESSILE.
DJANGO = {
    "secret-guessable": _ANOTHER,
    "secret-short": _ANOTHER,
    "secret-shorter-than-hash": _ANOTHER,
    "cookie-secure-auto": (
        "Set SESSION_COOKIE_SECURE = True in production; behind a proxy that ends TLS, also SECURE_PROXY_SSL_HEADER."
    ),
    "cookie-readable": "Set SESSION_COOKIE_HTTPONLY = True.",
    "cookie-cross-site": 'Set SESSION_COOKIE_SAMESITE = "Lax", or "Strict".',
    "cookie-domain": "Remove SESSION_COOKIE_DOMAIN, so that only this host gets the cookie.",
    "cookie-name-prefix": 'Set SESSION_COOKIE_NAME = "__Host-sessionid" and SESSION_COOKIE_SECURE = True.',
    "cookie-too-long": _SHORTER.format(days=400, seconds=400 * 86_400),
    "life-long": _SHORTER.format(days=30, seconds=30 * 86_400),
    "life-unlimited": 'Set SESSILE = {"lifetime": Lifetime(absolute=...)}.',
    "store-in-memory": 'Set SESSILE = {"store": "sqlite:///sessions.db"}, or the URL of a server.',
    "ids-plain": 'Set SESSILE = {"hash_ids": True}, unless Node shares the store. It ends the sessions there are.',
    "unset-keep": "Log out by django.contrib.auth.logout(request), or request.session.flush().",
}


def remedy_of(check: str, remedy: str, sessions: Sessions) -> str:
    """Return ``remedy``, or what to do instead where ``sessions`` were made of Django's settings."""
    configuration = sys.modules.get("sessile.django.configuration")  # Django is not imported where nobody uses it.
    if configuration is None or sessions not in configuration.of_settings:
        return remedy
    given = getattr(configuration.settings, "SESSILE", {})
    of_sessile = {"secret": "secret", "cookie": "cookie", "life": "cookie"}.get(check.partition("-")[0], "")
    return remedy if of_sessile in given else DJANGO.get(check, remedy)
