"""A newcomer's mistakes, each with the message that says what to do."""

from __future__ import annotations

import datetime
import decimal
import uuid
import warnings
from importlib import import_module
from typing import Any

import pytest

from holdfast import CookieOptions, InvalidOption, Sessions, UnserialisableValue
from holdfast.options import WeakSecretWarning
from tests.asgi import Browser, handler
from tests.conftest import SECRET


@pytest.mark.parametrize(
    "secret", [None, "", b"", [], [""], ["good enough, and long enough for all", ""], 5, [5], {"a"}]
)
def test_a_missing_secret_is_refused_with_the_command_that_makes_one(secret: Any) -> None:
    """No default: a secret that everybody knows is none (CVE-2020-17526)."""
    with pytest.raises(InvalidOption, match=r"^secret: .*(token_urlsafe|str or bytes)"):
        Sessions(secret=secret)


@pytest.mark.parametrize("secret", ["keyboard cat", "short", b"x" * 31, "a" * 64, [SECRET, "changeme"]])
def test_a_weak_secret_is_a_warning_with_the_command_that_makes_a_good_one(secret: Any) -> None:
    """Not an error: Node applications on the same store may have it."""
    with pytest.warns(WeakSecretWarning, match="token_urlsafe") as caught:
        Sessions(secret=secret)
    for item in caught:
        assert "keyboard" not in str(item.message)
        assert "changeme" not in str(item.message)


def test_a_good_secret_is_no_warning() -> None:
    """What the command prints is good."""
    import secrets

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        Sessions(secret=secrets.token_urlsafe(32))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"saveUninitialized": False}, "Did you mean 'save_uninitialized'"),
        ({"maxAge": 1}, r"cookie=CookieOptions\(max_age="),
        ({"http_only": True}, r"cookie=CookieOptions\(http_only="),
        ({"colour": "red"}, "The options are: "),
        ({"store": "oracle://localhost/x"}, "Use one of: memory://, sqlite://"),
        ({"store": "sessions.db"}, "Use one of: "),
        ({"store": {}}, "lacks load, create, replace, touch, delete"),
        ({"unset": "forget"}, "'keep', 'destroy'"),
        ({"conflict": "lww"}, "'merge', 'overwrite', 'error'"),
        ({"on_store_error": "ignore"}, "'unavailable', 'raise', 'anonymous'"),
        ({"name": "my sid"}, "token"),
        ({"resave": "no"}, "True.*False"),
        ({"ttl": 0}, "Give seconds or a timedelta"),
        ({"genid": "uuid"}, "Give a function"),
        ({"cookie": {"max_age": 5}}, r"Use CookieOptions\("),
        ({"name": "__Host-sid", "cookie": CookieOptions(domain="example.com")}, "allows no domain"),
        ({"name": "__Host-sid", "cookie": CookieOptions(path="/app")}, 'needs path="/"'),
        ({"name": "__host-sid", "cookie": CookieOptions(secure=False)}, "needs secure"),
        ({"name": "__Secure-sid", "cookie": CookieOptions(secure=False)}, "needs secure"),
    ],
)
def test_a_wrong_option_names_itself_and_the_remedy(options: Any, message: str) -> None:
    """At construction."""
    with pytest.raises(InvalidOption, match=message):
        Sessions(secret=SECRET, **options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"same_site": "none", "secure": False}, "Set secure=True"),
        ({"partitioned": True, "secure": False}, "Set secure=True"),
        ({"same_site": "relaxed"}, "'strict', 'lax', 'none'"),
        ({"max_age": "1d"}, "seconds or a timedelta"),
        ({"max_age": float("nan")}, "seconds or a timedelta"),
        ({"expires": datetime.datetime(2030, 1, 1)}, "time zone"),
        ({"path": "app"}, "does not begin with"),
        ({"domain": "exa mple.com"}, "host name"),
        ({"domain": "a.com\r\nSet-Cookie: x=1"}, "host name"),
    ],
)
def test_a_wrong_cookie_names_itself_and_the_remedy(options: Any, message: str) -> None:
    """Browsers would drop it without a word."""
    with pytest.raises(InvalidOption, match=message):
        CookieOptions(**options)


@pytest.mark.parametrize(
    ("value", "path", "problem"),
    [
        ({"when": datetime.datetime(2030, 1, 1)}, r"session\['x'\]\['when'\]", "datetime"),
        ([1, {2, 3}], r"session\['x'\]\[1\]", "set"),
        (b"bytes", r"session\['x'\]", "bytes"),
        (uuid.UUID(int=1), r"session\['x'\]", "UUID"),
        ({"price": decimal.Decimal("1.5")}, r"session\['x'\]\['price'\]", "Decimal"),
        ({"by id": {1: "a"}}, r"session\['x'\]\['by id'\]", "key of type int"),
        (object(), r"session\['x'\]", "object"),
    ],
)
async def test_a_value_that_cannot_be_stored_is_named(value: Any, path: str, problem: str) -> None:
    """Where it is and what it is; never what it says."""
    app = holdfast_app(lambda session: session.__setitem__("x", value))
    with pytest.raises(UnserialisableValue, match=f"^{path} .*{problem}"):
        await Browser(app).get()


async def test_a_session_that_contains_itself_is_named() -> None:
    """Instead of a RecursionError out of the encoder."""

    def work(session: Any) -> None:
        session["x"] = []
        session["x"].append(session["x"])

    with pytest.raises(UnserialisableValue, match="contains itself"):
        await Browser(holdfast_app(work)).get()


@pytest.mark.parametrize("key", ["cookie", "holdfast"])
async def test_a_reserved_key_is_named(key: str) -> None:
    """express-session drops it without a word."""
    app = holdfast_app(lambda session: session.__setitem__(key, 1))
    with pytest.raises(UnserialisableValue, match=f"session\\['{key}'\\] is a reserved key"):
        await Browser(app).get()


async def test_an_attribute_is_no_key() -> None:
    """As in JavaScript: here it would be lost, so it is refused."""

    def work(session: Any) -> None:
        with pytest.raises(AttributeError):
            session.user = "zoe"

    await Browser(holdfast_app(work)).get()


def holdfast_app(work: Any) -> Any:
    from holdfast.asgi import SessionMiddleware

    return SessionMiddleware(handler(work), secret=SECRET)


@pytest.mark.parametrize("wrong", [None, SECRET, object()])
@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("flask", "init_app"),
        ("quart", "init_app"),
        ("aiohttp", "init_app"),
        ("sanic", "init_app"),
        ("litestar", "SessionPlugin"),
        ("falcon", "SessionMiddleware"),
        ("bottle", "SessionPlugin"),
        ("wsgi", "SessionMiddleware"),
        ("asgi", "SessionMiddleware"),
    ],
)
def test_what_is_no_sessions_is_refused_at_once(module: str, name: str, wrong: Any) -> None:
    """A secret in the place of the manager, or the arguments the wrong way round, is no error of the first request."""
    accept = getattr(import_module(f"holdfast.{module}"), name)
    takes_an_application = module not in ("litestar", "falcon", "bottle")
    with pytest.raises(InvalidOption, match=r"sessions: .*Sessions\(secret="):
        accept(*([object()] if takes_an_application else []), wrong)
