"""``manage.py check`` finds what is wrong with the settings, before a visitor does."""

from __future__ import annotations

from typing import Any

import pytest
from django.apps import apps
from django.conf import settings
from django.core import checks
from django.core.exceptions import ImproperlyConfigured
from django.http import HttpResponse
from django.test import override_settings
from django.utils.module_loading import import_string

import sessile.django
from sessile import CookieOptions, Sessions, stores
from sessile.cli.target import Site
from sessile.console.checks.checked import findings
from sessile.console.checks.checks import CHECKS
from sessile.console.checks.remedies import DJANGO as DJANGO_REMEDIES
from sessile.lifetime import LengthWarning
from sessile.options import WeakSecretWarning
from tests.conftest import SECRET

DJANGO = "django.contrib.sessions.middleware.SessionMiddleware"
PLAIN = "sessile.django.PlainSessionMiddleware"
SIGNED = "sessile.django.SessionMiddleware"


def found(**changed: Any) -> list[tuple[str | None, str]]:
    """Return what the checks say of these settings."""
    with override_settings(**changed):
        told = checks.run_checks()
    return [(each.id, each.msg) for each in told if (each.id or "").startswith("sessile")]


def test_good_settings_pass() -> None:
    """Those of this project, and those of one that names the application."""
    assert found() == []
    assert found(SESSILE={"store": "memory://", "secret": SECRET}) == []
    with override_settings(INSTALLED_APPS=[*settings.INSTALLED_APPS, "sessile.django"]):
        assert apps.get_app_config("sessile").name == "sessile.django"
        assert found() == []


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"stor": "memory://"}, "SESSILE: stor: there is no such option. Did you mean 'store'?"),
        ({"cookie": {"secure": True}}, "SESSILE: cookie: "),
        ({"store": "oracle://x"}, "SESSILE: store: "),
        ({"sessions": "there.is.none"}, "A module in the settings cannot be imported: "),
        ("sqlite:///sessions.db", 'SESSILE: the setting: a str is not a dict. Write SESSILE = {"store"'),
    ],
)
def test_a_wrong_option_is_an_error(given: Any, said: str) -> None:
    """With the name, what is wrong and the remedy."""
    [(number, message)] = found(SESSILE=given)
    assert number == "sessile.E001"
    assert message.startswith(said)


def test_a_missing_extra_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """It says what to install."""
    monkeypatch.setitem(stores.SCHEMES, "redis", ("sessile.stores.nowhere", "redis"))
    [(number, message)] = found(SESSILE={"store": "redis://localhost"})
    assert number == "sessile.E002"
    assert message.endswith("pip install 'sessile[redis]'")


def test_two_middlewares_are_an_error() -> None:
    """The second would change what the first has sent."""
    [(number, message)] = found(MIDDLEWARE=[DJANGO, *settings.MIDDLEWARE[1:], SIGNED], SESSION_COOKIE_NAME="sid")
    assert number == "sessile.E003"
    assert DJANGO in message
    assert SIGNED in message
    assert found(MIDDLEWARE=[PLAIN, *settings.MIDDLEWARE[1:]]) == []
    assert found(MIDDLEWARE=[DJANGO, "there.is.none"], SESSILE={"sessions": None}) != found()


@pytest.mark.parametrize("middleware", [PLAIN, SIGNED])
def test_a_forgotten_engine_is_an_error(middleware: str) -> None:
    """With the check, and at the start of a site that does not run it. An engine that is made of ours is one of ours."""
    changed = {
        "MIDDLEWARE": [middleware, *settings.MIDDLEWARE[1:]],
        "SESSION_ENGINE": "django.contrib.sessions.backends.db",
    }
    [(number, message)] = found(**changed)
    assert number == "sessile.E004"
    assert 'needs SESSION_ENGINE = "sessile.django"' in message
    with override_settings(**changed), pytest.raises(ImproperlyConfigured, match=r"backends\.db"):
        import_string(middleware)(lambda request: HttpResponse())
    assert found(MIDDLEWARE=changed["MIDDLEWARE"], SESSION_ENGINE="tests.django.engine") == []


def remedies(**changed: Any) -> dict[str, str]:
    """Return what `sessile check` says to do about these settings, by the name of the check."""
    with override_settings(**changed):
        made = sessile.django.sessions()
        found = findings(Site(made, "the store", app=True, keys=1))
        return {each.check.name: each.remedy for each in found}


def test_the_command_line_names_the_settings_of_django() -> None:
    """A remedy names what the project has: a setting of Django's, or an option in SESSILE."""
    with pytest.warns((WeakSecretWarning, LengthWarning)) as caught:
        named = remedies(
            SESSILE={"store": "memory://"},
            SECRET_KEY="short",
            SESSION_COOKIE_HTTPONLY=False,
            SESSION_COOKIE_SAMESITE=None,
            SESSION_COOKIE_DOMAIN="example.com",
            SESSION_COOKIE_AGE=500 * 86_400,
        )
    assert {each.category for each in caught} == {WeakSecretWarning, LengthWarning}
    assert "SECRET_KEY_FALLBACKS" in named["secret-guessable" if "secret-guessable" in named else "secret-short"]
    assert named["cookie-readable"] == "Set SESSION_COOKIE_HTTPONLY = True."
    assert "SESSION_COOKIE_SAMESITE" in named["cookie-cross-site"]
    assert "SESSION_COOKIE_DOMAIN" in named["cookie-domain"]
    assert "SESSION_COOKIE_AGE" in named["cookie-too-long"]
    assert "SESSION_COOKIE_AGE" in named["life-long"]
    assert "SECURE_PROXY_SSL_HEADER" in named["cookie-secure-auto"]
    assert named["store-in-memory"].startswith('Set SESSILE = {"store": ')


def test_the_command_line_names_options_where_the_project_gives_them() -> None:
    """Settings that SESSILE overrides are no remedy."""
    with pytest.warns(WeakSecretWarning):
        named = remedies(SESSILE={"cookie": CookieOptions(http_only=False), "secret": "short"}, SECRET_KEY=SECRET)
    assert named["cookie-readable"] == "Set http_only=True."
    assert not any("SECRET_KEY" in remedy for remedy in named.values())
    mine = Sessions(secret=SECRET, name=settings.SESSION_COOKIE_NAME, cookie=CookieOptions(http_only=False))
    assert remedies(SESSILE={"sessions": mine})["cookie-readable"] == "Set http_only=True."


def test_every_remedy_of_django_is_of_a_check() -> None:
    """None is left behind when a check gets another name."""
    assert {each.name for each in CHECKS} >= set(DJANGO_REMEDIES)
