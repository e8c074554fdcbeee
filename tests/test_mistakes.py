"""A newcomer's mistakes, each with the message that says what to do."""

from __future__ import annotations

import datetime
import decimal
import gc
import sys
import uuid
import warnings
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from sessile import CookieOptions, InvalidOption, Lifetime, MissingExtra, Sessions, UnserialisableValue
from sessile.lifetime import LengthWarning
from sessile.options import WeakSecretWarning
from sessile.stores.memory import MemoryStore
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
        ({"cookie_name": "sid"}, "Did you mean 'name'"),
        ({"savUninitialised": False}, "Did you mean 'save_uninitialized'"),
        ({"samesite": "lax"}, r"cookie=CookieOptions\(same_site="),
        ({"maxAge": 1}, r"cookie=CookieOptions\(max_age="),
        ({"http_only": True}, r"cookie=CookieOptions\(http_only="),
        ({"colour": "red"}, "The options are: "),
        ({"store": "oracle://localhost/x"}, "Use one of: memory://, sqlite://"),
        ({"store": "sessions.db"}, r"'sessions\.db' is a path, not a URL\. Use \"sqlite:///sessions\.db\"\.$"),
        ({"store": "./var/sessions.sqlite3"}, 'Use "sqlite:///var/sessions.sqlite3"'),
        ({"store": "/var/lib/sessions.db"}, 'Use "sqlite:////var/lib/sessions.db"'),
        ({"store": "/var/lib/sessions"}, 'Use "file:////var/lib/sessions"'),
        ({"store": Path("sessions.db")}, r"'sessions.db' is a path, not a store. Give a URL, such as \"sqlite:///"),
        ({"store": "postgres2://localhost/x"}, "scheme 'postgres2://'. Did you mean \"postgres://\""),
        ({"store": "sqllite:///sessions.db"}, 'Did you mean "sqlite://"'),
        ({"store": "postgresql+asyncpg://localhost/x"}, 'Did you mean "postgresql://"'),
        ({"store": "memory"}, 'Did you mean "memory://"'),
        ({"store": MemoryStore}, r"MemoryStore is a class, not a store\. Create one: store=MemoryStore\(\.\.\.\)"),
        ({"codec": "json"}, r"'json' is a name, not a codec\. Use one of sessile\.codecs"),
        ({"store": {}}, "lacks load, create, replace, touch, delete"),
        ({"unset": "forget"}, "'keep', 'destroy'"),
        ({"conflict": "lww"}, "'merge', 'overwrite', 'error'"),
        ({"on_store_error": "ignore"}, "'unavailable', 'raise', 'anonymous'"),
        ({"name": "my sid"}, "no blank"),
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
        ({"samesite": "lax"}, r"^cookie samesite: there is no such option\. Did you mean 'same_site'\?"),
        ({"httpOnly": True}, "Did you mean 'http_only'"),
        ({"colour": "red"}, "There are: path, max_age, "),
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
    ("max_age", "message"),
    [
        (86_400_000, "86400000 seconds are 1000 days\\. .* give seconds: max_age=86400\\. "),
        (0, "0 ends each session at once. Give seconds, or None"),
        (-1, "-1 ends each session at once"),
    ],
)
def test_a_cookie_s_life_that_is_hardly_meant_is_a_warning(max_age: float, message: str) -> None:
    """Not an error: express-session takes them too. It names the line of the program."""
    with pytest.warns(LengthWarning, match=f"^cookie max_age: {message}") as caught:
        Sessions(secret=SECRET, cookie=CookieOptions(max_age=max_age))
    assert caught[0].filename == __file__


@pytest.mark.parametrize(
    ("give", "name"),
    [
        (lambda length: Sessions(secret=SECRET, ttl=length), "ttl"),
        (lambda length: Lifetime(absolute=length), "lifetime absolute"),
        (lambda length: Lifetime(idle=length), "lifetime idle"),
    ],
)
def test_a_life_in_milliseconds_is_a_warning(give: Callable[[Any], object], name: str) -> None:
    """Whichever option has it. A timedelta of the same length has a unit, so it is meant."""
    message = rf"^{name}: 43200000 seconds are 500 days\. If you meant milliseconds.* give seconds: \w+=43200\."
    with pytest.warns(LengthWarning, match=message) as caught:
        give(43_200_000)
    assert caught[0].filename == __file__
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        give(datetime.timedelta(days=500))


@pytest.mark.parametrize(
    ("construct", "message"),
    [
        (lambda: Sessions(), r"^secret: it is missing\. Write Sessions\(secret=os.environ"),
        (lambda: Sessions(SECRET), r"^Sessions: its arguments go by name\. Write Sessions\(secret="),
        (lambda: Sessions(secret_key=SECRET), r"^secret_key: there is no such option\. Did you mean 'secret'\?"),
        (lambda: Sessions(Secret=SECRET), r"^Secret: there is no such option\. Did you mean 'secret'\?"),
    ],
)
def test_a_wrong_call_says_how_to_write_it(construct: Callable[[], object], message: str) -> None:
    """A TypeError of Python's own would not. It never quotes the secret."""
    with pytest.raises(InvalidOption, match=message) as caught:
        construct()
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize("max_age", [None, 34_560_000, datetime.timedelta(days=5000), datetime.timedelta(0)])
def test_a_cookie_s_life_with_a_unit_is_meant(max_age: Any) -> None:
    """A timedelta cannot be milliseconds, and 400 days are what browsers keep."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        Sessions(secret=SECRET, cookie=CookieOptions(max_age=max_age))


@pytest.mark.parametrize(("user_id", "kind"), [("", "an empty str"), (None, "NoneType"), (True, "bool")])
async def test_a_log_in_of_nobody_is_told(user_id: Any, kind: str) -> None:
    """What was given is named."""
    with pytest.raises(TypeError, match=rf"takes the user's id as text or an int, not {kind}$"):
        await Browser(sessile_app(lambda session: session.login(user_id))).get()


@pytest.mark.parametrize(
    ("value", "path", "problem"),
    [
        ({"when": datetime.datetime(2030, 1, 1)}, r"session\['x'\]\['when'\]", "datetime"),
        ([1, {2, 3}], r"session\['x'\]\[1\]", "set"),
        (b"bytes", r"session\['x'\]", "bytes"),
        (uuid.UUID(int=1), r"session\['x'\]", "UUID"),
        ({"price": decimal.Decimal("1.5")}, r"session\['x'\]\['price'\]", "Decimal"),
        ({"by id": {1.5: "a"}}, r"session\['x'\]\['by id'\]", "key of type float"),
        (object(), r"session\['x'\]", "object"),
    ],
)
async def test_a_value_that_cannot_be_stored_is_named(value: Any, path: str, problem: str) -> None:
    """Where it is and what it is; never what it says."""
    app = sessile_app(lambda session: session.__setitem__("x", value))
    with pytest.raises(UnserialisableValue, match=f"^{path} .*{problem}"):
        await Browser(app).get()


async def test_a_session_that_contains_itself_is_named() -> None:
    """Instead of a RecursionError out of the encoder."""

    def work(session: Any) -> None:
        session["x"] = []
        session["x"].append(session["x"])

    with pytest.raises(UnserialisableValue, match="contains itself"):
        await Browser(sessile_app(work)).get()


@pytest.mark.parametrize("key", ["cookie", "sessile"])
async def test_a_reserved_key_is_named(key: str) -> None:
    """express-session drops it without a word."""
    app = sessile_app(lambda session: session.__setitem__(key, 1))
    with pytest.raises(UnserialisableValue, match=f"session\\['{key}'\\] is a reserved key"):
        await Browser(app).get()


async def test_an_attribute_is_no_key() -> None:
    """As in JavaScript: here it would be lost, so it is refused."""

    def work(session: Any) -> None:
        with pytest.raises(AttributeError):
            session.user = "zoe"

    await Browser(sessile_app(work)).get()


def sessile_app(work: Any) -> Any:
    from sessile.asgi import SessionMiddleware

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
    accept = getattr(import_module(f"sessile.{module}"), name)
    takes_an_application = module not in ("litestar", "falcon", "bottle")
    with pytest.raises(InvalidOption, match=r"sessions: .*Sessions\(secret="):
        accept(*([object()] if takes_an_application else []), wrong)


@pytest.mark.parametrize(
    "name", ["starlette", "fastapi", "flask", "quart", "litestar", "falcon", "pyramid", "bottle", "django"]
)
def test_a_framework_that_is_not_installed_is_named_with_its_extra(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whichever way its module is imported."""
    for module in list(sys.modules):
        if f"{module}.".startswith(f"sessile.{name}."):
            monkeypatch.delitem(sys.modules, module)
        elif f"{module}.".startswith(f"{name}."):
            monkeypatch.setitem(sys.modules, module, None)
    monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(MissingExtra, match=rf"^sessile\.{name} needs .*pip install 'sessile\[{name}\]'$"):
        import_module(f"sessile.{name}")


async def test_a_forgotten_await_names_the_verb() -> None:
    """Python says it, by the name that was called."""
    sessions = Sessions(secret=SECRET)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        assert sessions.arevoke_user("zoe")
        gc.collect()
    assert [str(each.message) for each in caught] == ["coroutine 'Sessions.arevoke_user' was never awaited"]
