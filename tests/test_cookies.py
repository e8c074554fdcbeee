"""Reading Cookie headers that anybody may have written, and writing Set-Cookie headers that say what was meant."""

from __future__ import annotations

import asyncio
import copy
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from sessile import cookies
from sessile._wire.signing import Signer, sign
from sessile.cookies import CookieMiddleware, encode

texts = st.text(st.characters())
#: What a hostile header is made of, in any order.
crumbs = st.lists(
    st.sampled_from(
        [
            b"sid",
            b"=",
            b";",
            b" ",
            b"\t",
            b'"',
            b"%",
            b"%3",
            b"\xff",
            b",",
            b"\0",
            b"\r\n",
            b"sid=",
            b"; sid=x",
            b"SID=",
        ]
    )
    | st.binary(max_size=4),
    max_size=40,
).map(b"".join)

#: A Set-Cookie value by RFC 6265bis section 4.1.1, with the attributes that we write.
GRAMMAR = re.compile(
    r"""
    [\x21-\x3A\x3C\x3E-\x7E]+ = (?: [\x21\x23-\x2B\x2D-\x3A\x3C-\x5B\x5D-\x7E]* | "[\x21\x23-\x2B\x2D-\x3A\x3C-\x5B\x5D-\x7E]*" )
    (?: ;\ (?:
        Max-Age=-?[0-9]+
      | Domain=[A-Za-z0-9.-]+
      | Path=[\x20-\x3A\x3C-\x7E]+
      | Expires=(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun),\ [0-9]{2}\ [A-Z][a-z]{2}\ [0-9]{4}\ [0-9]{2}:[0-9]{2}:[0-9]{2}\ GMT
      | HttpOnly | Secure | Partitioned
      | Priority=(?:Low|Medium|High)
      | SameSite=(?:Strict|Lax|None)
    ) )*
    """,
    re.VERBOSE,
)


# Reading --------------------------------------------------------------------------------------------------------------


def test_parses_as_the_cookie_package_does(vectors: Any) -> None:
    """Every vector of the cookie package gives the same cookies in the same order."""
    for vector in vectors["cookie_parse"]:
        assert list(cookies.parse(vector["header"]).items()) == [tuple(pair) for pair in vector["parsed"]]


@given(texts | crumbs.map(lambda raw: raw.decode("latin-1")))
def test_parsing_never_raises(header: str) -> None:
    """Any text in place of a Cookie header is read as some cookies, at most one for each of its parts."""
    found = cookies.parse(header)
    assert len(found) <= header.count(";") + 1
    assert all(isinstance(value, str) for value in found.values())


@given(header=crumbs | st.binary(), name=st.sampled_from([b"sid", b"connect.sid", b"__Host-sid", b"s"]))
def test_candidates_are_a_few_of_what_is_there(header: bytes, name: bytes) -> None:
    """Any bytes give at most four values, in their order, and each is the value of a cookie of exactly this name."""
    there = []
    for pair in header.split(b";"):
        key, equals, value = pair.partition(b"=")
        if equals and key.strip(b" \t") == name:
            value = value.strip(b" \t")
            there.append(value[1:-1] if value[:1] == b'"' == value[-1:] else value)
    assert cookies.candidates(header, name) == there[: cookies.CANDIDATES]


def test_no_more_than_four_candidates_are_looked_at() -> None:
    """A header full of cookies of one name costs no more than four lookups."""
    assert cookies.candidates(b"sid=x; " * 5000, b"sid") == [b"x"] * 4


@pytest.mark.parametrize(
    "header",
    [
        b"sid=" * 250_000,
        b"sid" * 300_000,
        b"sid;" * 250_000,
        b";" * 1_000_000,
        b" " * 1_000_000 + b"sid=x",
        b"x=sid; " * 140_000 + b"sid=x",
        b'sid="' + b"\\" * 1_000_000,
        b"sid=" + b"%" * 1_000_000,
        b"sid=" + b"s%3A" * 250_000,
    ],
    ids=lambda header: header[:12].decode(),
)
def test_a_megabyte_of_header_is_read(header: bytes) -> None:
    """A header as long as a server lets through is read to its end, and signs nobody in."""
    signer = Signer([b"secret"])
    found = cookies.candidates(header, b"sid")
    assert len(found) <= cookies.CANDIDATES
    assert [signer.read_token(raw) for raw in found] == [None] * len(found)
    cookies.parse(header.decode("latin-1"))


@pytest.mark.parametrize(
    ("header", "found"),
    [
        (b"sid=1", [b"1"]),
        (b" \tsid\t=\t1\t;", [b"1"]),
        (b"a=b;sid=1;c=d", [b"1"]),
        (b"sid=1; sid=2", [b"1", b"2"]),
        (b'sid="1"', [b"1"]),
        (b'a="x; sid=1; b="', [b"1"]),  # Quotes do not span a semicolon: a neighbour cannot hide ours.
        (b"sid==1=", [b"=1="]),
        (b"sid=", [b""]),
        (b"sid", []),
        (b"SID=1", []),
        (b"s%69d=1", []),  # Names are never decoded,
        (b"\xc2\xa0sid=1", []),  # and no blank is trimmed but SP and HTAB.
        (b"\x0bsid=1", []),
        (b"xsid=1; sidx=1; x.sid=1; si=d=1", []),
        (b"a=sid=1", []),
        (b"a=1,sid=2", []),
    ],
)
def test_a_name_is_exact(header: bytes, found: list[bytes]) -> None:
    """Only a cookie whose name is ours, byte for byte, is ours."""
    assert cookies.candidates(header, b"sid") == found


def test_percent_encoded_names_forge_nothing() -> None:
    """A page cannot make a cookie that reads as one with a ``__Host-`` prefix by encoding its name."""
    header = "__%48ost-sid=forged; \u00a0__Host-sid=forged; __Host-sid=real"
    assert cookies.parse(header)["__Host-sid"] == "real"


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        ("%41", "A"),
        ("%ED%A0%80", "%ED%A0%80"),
        ("%FF", "%FF"),
        ("%4", "%4"),
        ("%41%zz", "%41%zz"),
        ("+", "+"),
        ("é%41", "éA"),
    ],
)
def test_a_value_is_decoded_whole_or_not_at_all(raw: str, value: str) -> None:
    """A value that is not percent-encoded UTF-8 throughout is left as it came, as decodeURIComponent throws."""
    assert cookies.parse(f"a={raw}") == {"a": value}


# Writing --------------------------------------------------------------------------------------------------------------


def test_set_cookie_is_that_of_express_session(vectors: Any) -> None:
    """Every vector of express-session has our Set-Cookie text."""
    now = vectors["clock_ms"] / 1000
    for vector in vectors["session_cookie"]:
        given = vector["cookie_options"]
        same_site = given.get("sameSite")
        line = cookies.serialize(
            "connect.sid",
            vector["cookie_value"],
            path=given.get("path", "/"),
            domain=given.get("domain"),
            expires=now + given["maxAge"] / 1000 if "maxAge" in given else None,
            http_only=given.get("httpOnly", True),
            secure=given.get("secure", False),
            partitioned=given.get("partitioned", False),
            priority=given.get("priority"),
            same_site="strict" if same_site is True else same_site,
        )
        assert line == vector["set_cookie"]


def test_encodes_as_encode_uri_component_does(vectors: Any) -> None:
    """Every vector of encodeURIComponent is encoded to its text."""
    for vector in vectors["encodeURIComponent"]:
        assert cookies.encode(vector["in"]) == vector["out"]


attributes = st.fixed_dictionaries(
    {},
    optional={
        "max_age": st.integers(),
        "domain": texts | st.sampled_from(["example.com", ".example.com", "a;b", "x\r\ny", "-x", "a..b"]),
        "path": texts | st.sampled_from(["/", "/app", "/;Domain=evil.example", "/\r\nSet-Cookie: a=b", "/<", "/é"]),
        "expires": st.floats(allow_nan=False) | st.integers(),
        "http_only": st.booleans(),
        "secure": st.booleans(),
        "partitioned": st.booleans(),
        "priority": texts | st.sampled_from(["low", "Medium", "HIGH", "high; Path=/"]),
        "same_site": texts | st.sampled_from(["lax", "STRICT", "none", "lax\r\n"]),
    },
)


@given(name=texts | st.just("sid"), value=texts | st.just("x"), attributes=attributes)
def test_a_header_fits_the_grammar_or_is_refused(name: str, value: str, attributes: dict[str, Any]) -> None:
    """Whatever the parts are, the header fits the grammar of RFC 6265bis or ValueError is raised: nothing is injected."""
    try:
        line = cookies.serialize(name, value, **attributes)
    except ValueError:
        return
    assert GRAMMAR.fullmatch(line)
    assert line.isascii()
    assert "\r" not in line
    assert "\n" not in line
    # As many attributes as were asked for: none was smuggled in by another's value.
    assert line.count(";") == sum(value is not False and value != "" for value in attributes.values())


@given(attributes=attributes)
def test_plain_attributes_are_never_refused(attributes: dict[str, Any]) -> None:
    """Numbers and flags of any size give a header: only text can be wrong."""
    plain = {name: value for name, value in attributes.items() if not isinstance(value, str)}
    assert GRAMMAR.fullmatch(cookies.serialize("sid", "x", **plain))


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_an_encoded_value_comes_back(value: str) -> None:
    """What was encoded, written and sent back is read as it was."""
    line = cookies.serialize("sid", cookies.encode(value))
    assert cookies.parse(line) == {"sid": value}


@pytest.mark.parametrize("value", ["a b", "a;b", "a,b", 'a"b', "a\\b", "é", "\x7f", "a\r\nSet-Cookie: x=y"])
def test_a_value_that_was_not_encoded_is_refused(value: str) -> None:
    """A raw value that the grammar does not allow raises, and the message says what to do without repeating it."""
    with pytest.raises(ValueError, match="pass it through") as caught:
        cookies.serialize("sid", value)
    assert value not in str(caught.value)


def test_a_promise_is_no_longer_than_a_browser_keeps_it() -> None:
    """Max-Age is capped at the 400 days that browsers cap it at."""
    assert cookies.serialize("a", "", max_age=10**12) == f"a=; Max-Age={400 * 86_400}"
    assert cookies.serialize("a", "", max_age=0) == "a=; Max-Age=0"


@pytest.mark.parametrize(
    ("moment", "date"),
    [
        (0, "Thu, 01 Jan 1970 00:00:00 GMT"),
        (1_700_000_000.999, "Tue, 14 Nov 2023 22:13:20 GMT"),
        (1_709_164_800, "Thu, 29 Feb 2024 00:00:00 GMT"),
        (-5, "Thu, 01 Jan 1970 00:00:00 GMT"),
        (1e300, "Fri, 31 Dec 9999 23:59:59 GMT"),
    ],
)
def test_dates_are_those_of_http(moment: float, date: str) -> None:
    """A date is an IMF-fixdate with four digits for the year, whatever the moment."""
    assert cookies.http_date(moment) == date


# cookie-parser --------------------------------------------------------------------------------------------------------


def test_reads_as_cookie_parser_does(vectors: Any) -> None:
    """Every vector of cookie-parser gives the same cookies and the same signed cookies."""
    for vector in vectors["cookie_parser"]:
        plain: dict[str, Any] = cookies.parse(vector.get("header", ""))
        signed = cookies.signed_cookies(plain, vector["secret"]) if "secret" in vector else {}
        assert cookies.json_cookies(plain) == vector["cookies"]
        assert cookies.json_cookies(signed) == vector["signedCookies"]


@given(texts)
def test_json_cookies_never_raise(text: str) -> None:
    """Any text behind ``j:`` is JSON or left alone; without it, it is never read."""
    before = {"a": "j:" + text, "b": text}
    after = cookies.json_cookies(copy.copy(before))
    assert after["a"] == before["a"] or after["a"] == cookies.json_cookie(before["a"])
    assert cookies.json_cookie("x" + text) is None


@pytest.mark.parametrize(
    "value",
    ["j:" + "[" * 100_000, "j:" + "9" * 100_000, "j:NaN", "j:Infinity", "j:", "j:{", 'j:"\\ud8"', "J:{}", " j:{}"],
)
def test_odd_json_cookies_stay_text(value: str) -> None:
    """What JSON.parse would refuse, or no interpreter reads, stays text."""
    assert cookies.json_cookie(value) is None
    assert cookies.json_cookies({"a": value}) == {"a": value}


@pytest.mark.parametrize("value", ["j:null", "j:false", "j:0", "j:-0", "j:0.0", "j:1e-400", 'j:""'])
def test_what_javascript_finds_false_stays_text(value: str) -> None:
    """JSON that is false in JavaScript is left as text, as cookie-parser does by accident."""
    assert cookies.json_cookies({"a": value}) == {"a": value}


def test_empty_containers_are_read() -> None:
    """Empty lists and objects are true in JavaScript, and so are read."""
    assert cookies.json_cookies({"a": "j:{}", "b": "j:[]"}) == {"a": {}, "b": []}


@given(value=texts, secret=st.text(st.characters(exclude_categories=["Cs"]), min_size=1))
def test_signed_cookies_are_believed_only_if_signed(value: str, secret: str) -> None:
    """A signed cookie gives its value under any of its secrets, False under none of them, and False for a forgery."""
    signed = "s:" + Signer([secret.encode()]).sign(value)
    assert cookies.signed_cookie(signed, secret) == value
    assert cookies.signed_cookie(signed, ["another" + secret, secret]) == value
    assert cookies.signed_cookie(signed, secret + "!") is False
    assert cookies.signed_cookie(signed + "x", secret) is False
    assert cookies.signed_cookie("s:" + value, []) is False


def test_nothing_signs_for_an_empty_secret() -> None:
    """An empty secret, such as a variable that was not set gives, verifies nothing: anybody could have signed with it."""
    signed = "s:" + Signer([b""]).sign("admin")
    assert cookies.signed_cookie(signed, "") is False
    assert cookies.signed_cookie(signed, ["", b""]) is False


def test_signed_cookies_are_moved() -> None:
    """What begins with ``s:`` is taken out of the plain cookies, forged or not: nobody reads a forgery by accident."""
    plain = {"a": "s:forged.mac", "b": "plain"}
    assert cookies.signed_cookies(plain, "k") == {"a": False}
    assert plain == {"b": "plain"}


# The middleware -------------------------------------------------------------------------------------------------------


async def offered(cookie: str, secret: Any = None, **scope: Any) -> dict[str, Any]:
    """Return what a handler finds in the state of a request with this Cookie header."""
    seen: dict[str, Any] = {}

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.update(scope.get("state", {}))

    headers = [(b"cookie", cookie.encode("latin-1"))] if cookie else []
    await CookieMiddleware(app, secret)({"type": "http", "headers": headers, **scope}, None, None)
    return seen


async def test_the_middleware_offers_what_cookie_parser_does() -> None:
    """Plain, JSON and signed cookies; a forged one is False; signed JSON is read too."""
    good = "s:" + sign("foobarbaz", "keyboard cat")
    held = "s:" + sign('j:{"a":1}', "keyboard cat")
    header = f"theme=dark; cart=j:[1,2]; who={encode(good)}; bad=s%3Aadmin.forged; data={encode(held)}"
    assert await offered(header, "keyboard cat") == {
        "cookies": {"theme": "dark", "cart": [1, 2]},
        "signed_cookies": {"who": "foobarbaz", "bad": False, "data": {"a": 1}},
    }


async def test_the_middleware_without_a_secret_verifies_nothing() -> None:
    assert await offered("who=s%3Aadmin.forged") == {"cookies": {"who": "s:admin.forged"}, "signed_cookies": {}}


@pytest.mark.parametrize("secret", [["new", "keyboard cat"], "keyboard cat", b"keyboard cat"])
async def test_the_middleware_accepts_any_of_its_secrets(secret: Any) -> None:
    header = encode("s:" + sign("x", "keyboard cat"))
    assert (await offered(f"a={header}", secret))["signed_cookies"] == {"a": "x"}


async def test_the_middleware_on_a_request_without_cookies() -> None:
    assert await offered("") == {"cookies": {}, "signed_cookies": {}}


async def test_the_middleware_inside_another_leaves_things_as_they_are() -> None:
    """As cookie-parser: a request that has cookies already keeps them."""
    assert (await offered("a=1", state={"cookies": {"b": "2"}}))["cookies"] == {"b": "2"}


async def test_the_middleware_leaves_other_scopes_alone() -> None:
    assert await offered("a=1", type="lifespan") == {}


def test_the_middleware_in_starlette() -> None:
    """request.state.cookies and request.state.signed_cookies."""

    def page(request: Request) -> JSONResponse:
        return JSONResponse([request.state.cookies, request.state.signed_cookies])

    app = Starlette(routes=[Route("/", page)])
    app.add_middleware(CookieMiddleware, secret="keyboard cat")
    header = {"cookie": "a=1; who=" + encode("s:" + sign("ada", "keyboard cat"))}
    assert TestClient(app).get("/", headers=header).json() == [{"a": "1"}, {"who": "ada"}]


@given(st.binary(max_size=200))
def test_the_middleware_serves_any_header(raw: bytes) -> None:
    assert set(asyncio.run(offered(raw.decode("latin-1"), "keyboard cat"))) == {"cookies", "signed_cookies"}
