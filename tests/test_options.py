"""Options: every value either works or is refused at once, with the option, the value and the remedy."""

from __future__ import annotations

import dataclasses
import itertools
import math
import time
import warnings
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sessile import InvalidOption, RequestFacts, SessionError, Sessions
from sessile.asgi import SessionMiddleware
from sessile.codecs import Encrypted
from sessile.lifetime import LengthWarning
from sessile.options import CookieOptions, Options, WeakSecretWarning
from tests.asgi import Browser, handler
from tests.conftest import SECRET

COOKIE_NAMES = [field.name for field in dataclasses.fields(CookieOptions)]
NAMES = [field.name for field in dataclasses.fields(Options)]


class Odd:
    """An object that equals nothing, and shows nothing."""

    def __repr__(self) -> str:
        return "<Odd>"


junk = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(-(10**400), 10**400)
    | st.floats()
    | st.text(st.characters())
    | st.binary()
    | st.lists(st.none() | st.integers() | st.text() | st.binary(), max_size=3)
    | st.dictionaries(st.text(), st.integers(), max_size=2)
    | st.timedeltas()
    | st.datetimes()
    | st.datetimes(timezones=st.just(UTC))
    | st.sampled_from(
        [Odd(), Odd, print, 1j, Decimal("1.5"), Fraction(1, 3), Decimal("NaN"), {1}, (), range(3), memoryview(b"ab")]
    )
    | st.sampled_from(
        ["auto", "lax", "none", "/", "/app", "example.com", "__Host-sid", "keep", "merge", "overwrite", "raise", "\r\n"]
    )
)


def build(kind: Callable[..., Any], **values: Any) -> Any:
    """Return what ``kind`` makes of ``values``, or None if it refuses them as an option should be refused."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", WeakSecretWarning)
        try:
            return kind(**values)
        except InvalidOption as caught:
            refusal = caught
    assert isinstance(refusal, SessionError)
    assert isinstance(refusal, ValueError)
    assert refusal.option.split()[-1] in values
    assert str(refusal).startswith(refusal.option + ": ")
    assert str(refusal).endswith(refusal.remedy)
    assert refusal.remedy
    return None


@pytest.mark.parametrize("name", COOKIE_NAMES)
@given(value=junk)
def test_any_cookie_option_works_or_is_refused(name: str, value: Any) -> None:
    """Whatever a cookie option is set to, the options work when a cookie is made of them, or were never made."""
    options = build(CookieOptions, **{name: value})
    if options is None:
        return
    life = options.lifetime(1_700_000_000.0)
    assert life is None or math.isfinite(life)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", LengthWarning)
        sessions = Sessions(secret=SECRET, cookie=options)
    session = sessions.engine.begin_sync(b"", RequestFacts)
    session["a"] = 1
    sessions.engine.commit_sync(session)


@given(values=st.fixed_dictionaries({}, optional=dict.fromkeys(COOKIE_NAMES, junk)))
def test_any_cookie_options_together_work_or_are_refused(values: dict[str, Any]) -> None:
    """Cookie options of any values together are refused as options are, or not at all."""
    build(CookieOptions, **values)


@pytest.mark.parametrize("name", NAMES)
@given(value=junk)
def test_any_option_works_or_is_refused(name: str, value: Any) -> None:
    """Whatever an option is set to, construction succeeds or raises InvalidOption, and nothing else."""
    build(Options, **{"secret": SECRET, name: value})


def said_of(secrets: list[Any]) -> tuple[str, set[str]]:
    """Return all that a refusal of ``secrets`` says, and the warnings before it."""
    with warnings.catch_warnings(record=True, action="always") as caught, pytest.raises(InvalidOption) as refusal:
        Options(secret=secrets)
    assert refusal.value.__cause__ is None
    return f"{refusal.value!r} {refusal.value} {refusal.value.__dict__}", {str(warning.message) for warning in caught}


@given(
    secret=st.text(st.characters(exclude_categories=["Cs"]), min_size=1) | st.binary(min_size=1),
    wrong=st.sampled_from([None, 5, "", b"", "\ud800 in the text of a secret"]),
)
def test_no_message_has_the_secret_in_it(secret: str | bytes, wrong: Any) -> None:
    """What is said of a secret is the same for all secrets: so it can show none of them."""
    said, warned = said_of([secret, wrong])
    assert (said, set()) == said_of([SECRET, wrong])
    assert "in the text" not in said
    assert not warned  # All are looked at before any is judged.


def test_the_repr_shows_neither_secret_nor_data() -> None:
    """Options and Sessions that end in a log or a traceback show no secret."""
    for secret in ("hunter2, " * 5, b"hunter2, " * 5, ["hunter2, " * 5, b"hunter2, " * 6]):
        options = Options(secret=secret)
        sessions = Sessions(secret=secret)
        for thing in (options, sessions):
            assert "hunter2" not in f"{thing!r} {thing!s} {thing}"


def test_options_are_frozen() -> None:
    """Options cannot be changed once they were checked."""
    for options, name in ((Options(secret=SECRET), "name"), (CookieOptions(), "path")):
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(options, name, "/other")


def test_all_are_keywords() -> None:
    """No option is given by its position."""
    with pytest.raises(TypeError):
        CookieOptions("/")  # type: ignore[misc]
    with pytest.raises(TypeError):
        Options(SECRET)  # type: ignore[misc]


# Secrets --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("secret", [None, "", b"", [], (), [""], ["good enough, and long enough to sign", ""], [None]])
def test_no_secret_is_refused(secret: Any) -> None:
    """No secret, or an empty one such as an unset variable gives, is refused, with the command that makes one."""
    with pytest.raises(
        InvalidOption, match=r"^secret: (there is none|it is empty).* Make one with: python -c 'import secrets"
    ):
        Sessions(secret=secret)


@pytest.mark.parametrize("secret", [42, 1.5, True, {"a": 1}, {SECRET}, object(), [SECRET, 1], range(3), [[SECRET]]])
def test_what_is_no_secret_is_refused(secret: Any) -> None:
    """Anything but str, bytes and lists of them is refused, and its type is named."""
    with pytest.raises(InvalidOption, match=r"^secret: a \w+ is no secret\. Use str or bytes, or a list of them"):
        Sessions(secret=secret)


@pytest.mark.parametrize(
    ("secret", "problem"),
    [
        ("keyboard cat", "well known"),
        ("Keyboard Cat ", "well known"),
        (b"changeme", "well known"),
        ("read it from the environment instead", "well known"),
        ("a" * 64, "made of a few letters"),
        (" " * 64, "made of a few letters"),
        ("\n" * 64, "made of a few letters"),
        ("x1" * 15 + "y", "made of a few letters"),
        ("tr0ub4dor&3", "shorter than 16 bytes"),
        (b"\xff\xfe", "shorter than 16 bytes"),
        ("tr0ub4dor&3, then more", "shorter than 32 bytes"),
        (["keyboard cat", SECRET], "well known"),
        ([SECRET, "short"], "shorter than 16 bytes"),
    ],
)
def test_a_weak_secret_is_warned_of(secret: Any, problem: str) -> None:
    """A secret that can be guessed works, because Node may use it too, and a warning has the command for a better one."""
    with pytest.warns(WeakSecretWarning, match=f"is {problem}.*made with: python -c 'import secrets") as caught:
        Options(secret=secret)
    for warning in caught:
        assert "keyboard cat" not in str(warning.message).lower()
        assert "tr0ub4dor" not in str(warning.message)


@pytest.mark.parametrize("weak", ["keyboard cat", "read it from the environment instead", "x1" * 20, "tr0ub4dor&3"])
def test_a_weak_secret_is_refused_where_node_does_not_need_it(weak: str) -> None:
    """What only this library seals never needs the secret of a Node application. Its text is not quoted."""
    for make in (
        lambda: Options(secret=weak, token="encrypted"),
        lambda: Options(secret=weak, token="encrypted_only"),
        lambda: Options(secret=[SECRET, weak], token="encrypted_only"),
    ):
        with pytest.raises(InvalidOption, match="^secret: .*Node does not need it.*token_urlsafe") as caught:
            make()
        assert weak not in str(caught.value)
    with pytest.warns(WeakSecretWarning), pytest.raises(InvalidOption, match="with cookie:// Node does not need it"):
        Sessions(secret=weak, store="cookie://")


@pytest.mark.parametrize("weak", ["read it from the environment instead", "x1" * 20, "keyboard cat" + 30 * " "])
def test_the_key_of_a_codec_is_no_weak_one(weak: str) -> None:
    """Node has nothing to do with it either."""
    with pytest.raises(InvalidOption, match="with Encrypted Node does not need it"):
        Encrypted([SECRET, weak])


def test_an_older_weak_secret_may_have_signed_tokens_for_node() -> None:
    """While token="encrypted" still takes signed tokens, a weak secret behind a good one is warned of."""
    with pytest.warns(WeakSecretWarning, match="well known"):
        Options(secret=[SECRET, "keyboard cat"], token="encrypted")
    for form in ("iron-session", "cookie-session"):
        with pytest.warns(WeakSecretWarning):
            Sessions(secret="read it from the environment instead", store=f"cookie://?form={form}")


@pytest.mark.parametrize(
    ("secret", "grave"),
    [
        ("changeme", True),
        ("read it from the environment instead", True),
        ("abc" * 20, True),
        ("tr0ub4dor&3, then more", False),
    ],
)
def test_the_command_line_and_the_library_agree_on_what_is_weak(secret: str, grave: bool) -> None:
    """There is one list: what `sessile check` calls an error is what the library refuses where it can."""
    from sessile.cli.target import Site
    from sessile.console.checks.checked import Checked, Level
    from sessile.console.checks.checks import CHECKS

    with pytest.warns(WeakSecretWarning):
        checked = Checked(Site(Sessions(secret=secret), "", app=True, keys=1))
    found = [each.level for each in CHECKS if each.name.startswith("secret") and list(each.find(checked))]
    assert found == [Level.ERROR if grave else Level.WARNING]


def test_the_warning_names_the_line_to_change() -> None:
    """The warning points to the program's line, however deep in the library the secret is looked at."""
    for make in (Options, Sessions):
        with pytest.warns(WeakSecretWarning) as caught:
            make(secret="keyboard cat")
        assert [warning.filename for warning in caught] == [__file__]


@pytest.mark.parametrize(
    "secret", [SECRET, SECRET.encode(), bytearray(SECRET.encode()), [SECRET], (SECRET, SECRET[::-1].encode())]
)
def test_a_good_secret_is_taken_silently(secret: Any) -> None:
    """32 bytes or more of str or bytes, alone or in a list, are taken without a word."""
    assert Options(secret=secret).secrets()[0] == SECRET.encode()


def test_the_command_makes_a_secret_that_is_good_enough() -> None:
    """What the command in the messages prints is a secret without warnings."""
    import contextlib
    import io

    from sessile._wire.secret import MAKE_SECRET

    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(MAKE_SECRET.removeprefix("python -c '").removesuffix("'"))
    Options(secret=printed.getvalue().strip())


# The cookie -----------------------------------------------------------------------------------------------------------


def test_the_defaults_are_safe() -> None:
    """Without a word from the user the cookie is for this host, for no script, for no other site's forms."""
    assert dataclasses.asdict(CookieOptions()) == {
        "path": "/",
        "max_age": None,
        "expires": None,
        "domain": None,
        "http_only": True,
        "secure": "auto",
        "same_site": "lax",
        "partitioned": False,
        "priority": None,
    }


@pytest.mark.parametrize(
    ("values", "option", "problem"),
    [
        ({"same_site": "none", "secure": False}, "cookie same_site", "browsers drop such a cookie. Set secure=True"),
        ({"partitioned": True, "secure": False}, "cookie partitioned", "browsers drop such a cookie. Set secure=True"),
        ({"max_age": 1, "expires": datetime.now(UTC)}, "cookie max_age", "both max_age and expires"),
        ({"max_age": "60"}, "cookie max_age", "'60' is no length of time. Give seconds or a timedelta"),
        ({"max_age": True}, "cookie max_age", "True is no length of time"),
        ({"max_age": math.nan}, "cookie max_age", "nan is no length of time"),
        ({"max_age": math.inf}, "cookie max_age", "inf is no length of time"),
        ({"max_age": 10**400}, "cookie max_age", "is no length of time"),
        ({"max_age": 1e300}, "cookie max_age", "1e+300 is no length of time"),
        (
            {"expires": datetime(2030, 1, 1)},
            "cookie expires",
            "is no moment with a time zone. Use datetime.now(timezone.utc)",
        ),
        ({"expires": 1_700_000_000}, "cookie expires", "1700000000 is no moment"),
        ({"path": ""}, "cookie path", "'' does not begin with '/'. The whole site is \"/\""),
        ({"path": "app"}, "cookie path", "'app' does not begin with '/'"),
        ({"path": None}, "cookie path", "None does not begin with '/'"),
        ({"path": "/;Domain=evil.example"}, "cookie path", "is not one that a cookie can have"),
        ({"path": "/\r\nSet-Cookie: a=b"}, "cookie path", "is not one that a cookie can have"),
        ({"path": "/é"}, "cookie path", "'/é' is not one that a cookie can have"),
        ({"domain": "example.com\r\nX: y"}, "cookie domain", "is not one that a cookie can have"),
        ({"domain": "a;b"}, "cookie domain", "'a;b' is not one that a cookie can have. Give a host name"),
        ({"domain": "https://example.com"}, "cookie domain", "is not one that a cookie can have"),
        ({"domain": "example.com:8000"}, "cookie domain", "is not one that a cookie can have"),
        ({"domain": "*.example.com"}, "cookie domain", "is not one that a cookie can have"),
        ({"domain": ""}, "cookie domain", "or None for this host"),
        ({"domain": b"example.com"}, "cookie domain", "is not one that a cookie can have"),
        ({"http_only": 1}, "cookie http_only", "1 is unknown. Use one of: True, False"),
        ({"http_only": None}, "cookie http_only", "None is unknown. Use one of: True, False"),
        ({"secure": 1}, "cookie secure", "1 is unknown. Use one of: True, False, 'auto'"),
        ({"secure": "yes"}, "cookie secure", "'yes' is unknown. Use one of: True, False, 'auto'"),
        ({"same_site": "Lax"}, "cookie same_site", "'Lax' is unknown. Use one of: 'strict', 'lax', 'none', 'auto'"),
        ({"same_site": 0}, "cookie same_site", "0 is unknown"),
        ({"partitioned": "yes"}, "cookie partitioned", "'yes' is unknown"),
        ({"priority": "urgent"}, "cookie priority", "'urgent' is unknown. Use one of: 'low', 'medium', 'high'"),
    ],
)
def test_a_cookie_that_no_browser_takes_is_refused(values: dict[str, Any], option: str, problem: str) -> None:
    """A cookie option that cannot be meant is refused with its name, its value and what to write instead."""
    with pytest.raises(InvalidOption) as caught:
        CookieOptions(**values)
    assert caught.value.option == option
    assert problem in str(caught.value)


@pytest.mark.parametrize(
    "values",
    [
        {"same_site": "none", "secure": True},
        {"same_site": "none"},
        {"partitioned": True, "secure": True},
        {"max_age": 0},
        {"max_age": -1},
        {"max_age": 0.5},
        {"max_age": timedelta(days=30)},
        {"expires": datetime(2030, 1, 1, tzinfo=timezone(timedelta(hours=2)))},
        {"path": "/a b/~:@!$&'()*+,="},
        {"domain": ".example.com"},
        {"domain": "EXAMPLE.com"},
        {"domain": "localhost"},
        {"same_site": True},
        {"same_site": False},
        {"same_site": None},
        {"same_site": StrEnum("SameSite", ["LAX"]).LAX},  # type: ignore[attr-defined]
    ],
    ids=str,
)
def test_a_cookie_that_browsers_take_is_made(values: dict[str, Any]) -> None:
    """What browsers accept is accepted."""
    assert CookieOptions(**values)


def test_a_life_is_counted_in_seconds() -> None:
    """``max_age`` in seconds or as a timedelta, and ``expires``, all say how long from now."""
    now = 1_700_000_000.0
    assert CookieOptions().lifetime(now) is None
    assert CookieOptions(max_age=90).lifetime(now) == 90
    assert CookieOptions(max_age=timedelta(minutes=1.5)).lifetime(now) == 90
    assert CookieOptions(expires=datetime.fromtimestamp(now + 90, UTC)).lifetime(now) == 90


# The name -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["", "a b", " a", "a;b", "a=b", "é", "a\r\nb", "a\tb", "a\x7f", "\0", None, 5, b"sid"])
def test_a_bad_name_is_refused(name: Any) -> None:
    """A name that no cookie can have is refused, with what names are made of."""
    with pytest.raises(InvalidOption, match=r"cannot name a cookie\. Use letters, digits") as caught:
        Options(secret=SECRET, name=name)
    assert caught.value.option == "name"
    assert repr(name) in str(caught.value)


@pytest.mark.parametrize(
    "name", ["express:sess", "koa:sess", "shop:sid", "a/b", "(a)", "[a]", "a@b", "a,b", '"a"', "{a}?"]
)
async def test_a_name_that_browsers_take_is_one(name: str) -> None:
    """RFC 6265bis section 5.6 has no grammar for names, and old sites have such."""
    sessions = Sessions(secret=SECRET, name=name)
    jar: dict[str, str] = {}
    browser = Browser(
        SessionMiddleware(handler(lambda session: session.update(n=session.get("n", 0) + 1)), sessions), jar
    )
    await browser.get()
    await browser.get()
    assert list(jar) == [name]
    assert dict(sessions.engine.begin_sync(f"{name}={jar[name]}".encode(), RequestFacts)) == {"n": 2}


@pytest.mark.parametrize("name", ["", "a b", "a:b", "a/b", "é", "a\r\nb", None, 5])
def test_a_header_has_a_narrower_grammar(name: Any) -> None:
    with pytest.raises(InvalidOption, match="cannot name a header") as caught:
        Options(secret=SECRET, transport="header", header=name)
    assert caught.value.option == "header"


PREFIXES = {
    # prefix: what it needs of the cookie (RFC 6265bis section 4.1.3)
    "__Secure-": {"secure"},
    "__Host-": {"secure", "path", "domain"},
    "__Http-": {"secure", "http_only"},
    "__Host-Http-": {"secure", "path", "domain", "http_only"},
}
BREAKS: dict[str, Any] = {"secure": False, "path": "/app", "domain": "example.com", "http_only": False}


@pytest.mark.parametrize(
    ("prefix", "spelling", "broken"),
    list(itertools.product(PREFIXES, [str, str.lower, str.upper], BREAKS)),
)
def test_a_prefix_is_a_promise(prefix: str, spelling: Callable[[str], str], broken: str) -> None:
    """A name with a prefix needs of the cookie what browsers demand for it, however the prefix is spelt."""
    name = spelling(prefix) + "sid"
    cookie = CookieOptions(**{broken: BREAKS[broken]})
    if broken in PREFIXES[prefix]:
        with pytest.raises(InvalidOption) as caught:
            Options(secret=SECRET, name=name, cookie=cookie)
        assert caught.value.option == f"cookie {broken}"
        assert repr(name) in str(caught.value)
    else:
        assert Options(secret=SECRET, name=name, cookie=cookie)


@pytest.mark.parametrize("prefix", PREFIXES)
def test_a_prefix_that_is_kept_is_accepted(prefix: str) -> None:
    """The default cookie, and a secure one, fit every prefix."""
    assert Options(secret=SECRET, name=prefix + "sid")
    assert Options(secret=SECRET, name=prefix + "sid", cookie=CookieOptions(secure=True, same_site="none"))


def test_a_name_that_only_contains_a_prefix_is_free() -> None:
    """Only the beginning of a name is a prefix."""
    assert Options(secret=SECRET, name="x__Host-sid", cookie=CookieOptions(secure=False, path="/app"))


# The rest -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "value", "problem"),
    [
        ("cookie", {"max_age": 5}, "is no CookieOptions. Use CookieOptions"),
        ("cookie", None, "None is no CookieOptions"),
        ("resave", 1, "1 is unknown. Use one of: True, False"),
        ("save_uninitialized", "yes", "'yes' is unknown. Use one of: True, False"),
        ("rolling", None, "None is unknown. Use one of: True, False"),
        ("proxy", 1, '1 is unknown. Use True, False, None, or a list such as ["10.0.0.0/8"]'),
        ("proxy", {"10.0.0.0/8"}, "{'10.0.0.0/8'} is unknown. Use True, False"),
        ("proxy", b"10.0.0.0/8", "b'10.0.0.0/8' is unknown"),
        ("proxy", "loopback", "'loopback' is no list. Put it into one: proxy=['loopback']"),
        ("proxy", "10.0.0.5, ::1", "'10.0.0.5, ::1' is no list. Put it into one: proxy=['10.0.0.5', '::1']"),
        ("proxy", ["10.0.0.300"], "'10.0.0.300' is no address or network. Write such as \"10.0.0.5\" or"),
        ("proxy", ["::1", "localhost"], "'localhost' is no address or network"),
        ("proxy", ["Loopback"], "or 'loopback', 'linklocal', 'uniquelocal', 'unix'"),
        ("proxy", [""], "'' is no address or network"),
        ("proxy", [" 10.0.0.1"], "' 10.0.0.1' is no address or network"),
        ("proxy", ["10.0.0.0/33"], "'10.0.0.0/33' is no address or network"),
        ("proxy", ["10.0.0.1:8000"], "'10.0.0.1:8000' is no address or network"),
        ("proxy", ["fe80::1%eth0"], "'fe80::1%eth0' is no address or network"),
        ("proxy", [167772161], "167772161 is no address or network"),
        ("proxy", [None], "None is no address or network"),
        ("proxy", [b"\x0a\x00\x00\x01"], "is no address or network"),
        ("proxy", [["10.0.0.0/8"]], "['10.0.0.0/8'] is no address or network"),
        ("proxy", ["10.0.0.1/8"], 'Write "10.0.0.0/8" for the network, or "10.0.0.1" for the address'),
        ("proxy", ("fc00::1/7",), "'fc00::1/7' is an address within a network. Write \"fc00::/7\""),
        ("unset", "delete", "'delete' is unknown. Use one of: 'keep', 'destroy'"),
        ("conflict", True, "True is unknown. Use one of: 'merge', 'overwrite', 'error'"),
        ("on_store_error", "ignore", "'ignore' is unknown. Use one of: 'unavailable', 'raise', 'anonymous'"),
        ("genid", "uuid4", "'uuid4' cannot be called. Give a function, or None"),
        ("on_event", 5, "5 cannot be called"),
        ("clock", 1_700_000_000, "1700000000 cannot be called. Give a function such as time.time"),
        ("clock", None, "None cannot be called"),
        ("ttl", 0, "0 is no length of time"),
        ("ttl", -1, "-1 is no length of time"),
        ("ttl", math.inf, "inf is no length of time"),
        ("ttl", True, "True is no length of time"),
        ("ttl", timedelta(0), "is no length of time"),
    ],
)
def test_a_wrong_value_is_refused(name: str, value: Any, problem: str) -> None:
    """An option with a wrong value is refused with its name, the value and what to write instead."""
    with pytest.raises(InvalidOption) as caught:
        Sessions(secret=SECRET, **{name: value})
    assert caught.value.option == name
    assert problem in str(caught.value)


def test_a_ttl_is_turned_into_seconds() -> None:
    """``ttl`` may be a timedelta, and is read as seconds."""
    assert Options(secret=SECRET, ttl=timedelta(hours=1)).ttl == 3600.0  # type: ignore[arg-type]
    assert Options(secret=SECRET).ttl == 86_400.0


def test_the_defaults_cost_nobody_anything() -> None:
    """Without a word from the user nothing is stored, sent or believed that need not be."""
    options = Options(secret=SECRET)
    assert not any((options.resave, options.save_uninitialized, options.rolling, options.proxy, options.genid))
    assert (options.unset, options.conflict, options.on_store_error) == ("keep", "merge", "unavailable")
    assert (options.name, options.clock, options.on_event) == ("connect.sid", time.time, None)


@pytest.mark.parametrize(
    ("name", "remedy"),
    [
        ("saveUninitialized", "Did you mean 'save_uninitialized'?"),
        ("save_uninitialised", "Did you mean 'save_uninitialized'?"),
        ("reSave", "Did you mean 'resave'?"),
        ("onEvent", "Did you mean 'on_event'?"),
        ("genId", "Did you mean 'genid'?"),
        ("maxAge", "It belongs to the cookie: cookie=CookieOptions(max_age=...)"),
        ("max_age", "It belongs to the cookie: cookie=CookieOptions(max_age=...)"),
        ("same_site", "It belongs to the cookie: cookie=CookieOptions(same_site=...)"),
        ("httpOnly", "It belongs to the cookie: cookie=CookieOptions(http_only=...)"),
        ("secure", "It belongs to the cookie: cookie=CookieOptions(secure=...)"),
        ("colour", "The options are: autosave, clock, codec"),
    ],
)
def test_an_unknown_option_gets_a_suggestion(name: str, remedy: str) -> None:
    """An option that does not exist is refused, with the one that was meant, and where it belongs."""
    with pytest.raises(InvalidOption, match="there is no such option") as caught:
        Sessions(secret=SECRET, **{name: 1})
    assert caught.value.option == name
    assert caught.value.remedy.startswith(remedy)


@pytest.mark.parametrize("store", ["", "oracle://host/db", "nosuch://", "://", "//", "\0"])
def test_an_unknown_store_is_refused(store: str) -> None:
    """A URL that names no store is refused, with those that there are."""
    with pytest.raises(InvalidOption, match="memory://") as caught:
        Sessions(secret=SECRET, store=store)
    assert caught.value.option == "store"


@pytest.mark.parametrize("store", [None, {}, 5, object()])
def test_what_is_no_store_is_refused(store: Any) -> None:
    """An object without the verbs of a store is refused, and those that it lacks are named."""
    with pytest.raises(InvalidOption, match=r"lacks (load, )?create, replace, touch, delete") as caught:
        Sessions(secret=SECRET, store=store)
    assert caught.value.option == "store"
