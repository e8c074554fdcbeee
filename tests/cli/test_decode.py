"""sessile decode"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from sessile._wire.signing import Signer
from tests.cli.conftest import APP, Run, Shop
from tests.conftest import SECRET

OTHER = "another secret, also long enough for tests"


@pytest.fixture
def cookie(shop: Shop) -> str:
    return shop.visit("zoe")


def test_a_right_signature_is_said_to_be_right(run: Run, cookie: str) -> None:
    """With the secret from the environment; without a store nothing is said of the session."""
    (said,) = run("decode", cookie, "--json", SESSION_SECRET=SECRET).objects
    assert said == {"valid": True, "secret": 1, "encrypted": False}
    done = run("decode", cookie, SESSION_SECRET=SECRET)
    assert done.code == 0
    assert "right, made with the secret" in done.out


@pytest.mark.parametrize(
    "form",
    [
        "{header}",
        "{value}",
        "Cookie: theme=dark; {header}; a=b",
        "set-cookie: {header}; Path=/; HttpOnly",
        " {value}\n",
        '"{value}"',
    ],
)
def test_a_header_and_a_value_are_read_from_the_argument_and_from_a_pipe(run: Run, cookie: str, form: str) -> None:
    """As it was copied: a value, a header with or without its name, in quotes."""
    text = form.format(header=cookie, value=cookie.partition("=")[2])
    assert run("decode", text, SESSION_SECRET=SECRET).code == 0
    assert run("decode", piped=text, SESSION_SECRET=SECRET).code == 0


def test_the_secret_that_signed_is_numbered(run: Run, cookie: str) -> None:
    """Of several secrets, one a line, it says which one: whether the old one is still in use."""
    (said,) = run("decode", cookie, "--json", SESSION_SECRET=f"{OTHER}\n{SECRET}\n").objects
    assert said["secret"] == 2
    assert "number 2 of 2 secrets" in run("decode", cookie, SESSION_SECRET=f"{OTHER}\n{SECRET}").out


def test_a_wrong_signature_is_said_to_be_wrong(run: Run, shop: Shop, cookie: str) -> None:
    """Another secret, or a changed value: exit code 1."""
    for text, secret in ((cookie, OTHER), (cookie[:-1], SECRET), ("connect.sid=s%3Anonsense.x", SECRET)):
        done = run("decode", text, SESSION_SECRET=secret)
        assert done.code == 1
        assert "WRONG" in done.out
    assert run("decode", cookie[:-1], "--json", *APP).objects == [{"valid": False, "secret": None, "encrypted": False}]


def test_a_header_without_the_cookie_names_those_that_are_there(run: Run, cookie: str) -> None:
    """By name only; --name says how the cookie is called."""
    done = run("decode", "theme=dark; lang=en", SESSION_SECRET=SECRET)
    assert done.code == 1
    assert "no cookie 'connect.sid'" in done.err
    assert "lang, theme" in done.err
    hostile = run("decode", "a\x1b[2J\x1b[Hsignature right=1; lang=en", SESSION_SECRET=SECRET)
    assert hostile.code == 1
    assert "\x1b" not in hostile.err + hostile.out
    renamed = cookie.replace("connect.sid", "sid")
    assert run("decode", renamed, "--name", "sid", SESSION_SECRET=SECRET).code == 0


def test_without_a_secret_it_says_where_one_goes(run: Run, cookie: str) -> None:
    """Never on the command line."""
    done = run("decode", cookie)
    assert done.code == 2
    assert "SESSION_SECRET" in done.err


def test_with_a_store_it_says_whether_the_session_lives(run: Run, shop: Shop, cookie: str) -> None:
    """And whose it is; exit code 1 if it has ended."""
    shop.clock.advance(3600)
    done = run("decode", cookie, *APP)
    assert done.code == 0
    assert "lives" in done.out
    assert "zoe" in done.out
    assert "last seen  1h ago (2023-" in done.out
    (said,) = run("decode", cookie, "--json", *APP).objects
    assert said["handle"] == run("ls", "--json", *APP).objects[0]["handle"]
    assert said["expires_at"] == "2023-11-15T22:13:20.000Z"
    shop.sessions.revoke(shop.session(cookie).id)
    done = run("decode", cookie, *APP)
    assert done.code == 1
    assert "has ended, or never was" in done.out


def test_the_id_is_shown_if_asked_for(run: Run, shop: Shop, cookie: str) -> None:
    """--id, and not otherwise."""
    sid = shop.session(cookie).id
    for form in ((), ("--json",)):
        assert sid not in run("decode", cookie, *form, *APP).out
        assert sid in run("decode", cookie, "--id", *form, *APP).out


def test_several_cookies_of_one_name_are_each_looked_at(run: Run, shop: Shop, cookie: str) -> None:
    """A neighbour's beside ours: both are told."""
    forged = "connect.sid=" + Signer([OTHER.encode()]).token("x" * 32)
    found = run("decode", f"{forged}; {cookie}", "--json", *APP).objects
    assert [each["valid"] for each in found] == [False, True]
    assert run("decode", f"{forged}; {cookie}", *APP).out.count("signature") == 2


def test_an_encrypted_token_is_opened(run: Run, new_shop: Callable[..., Shop]) -> None:
    """Whether a token hides the id is said, and which secret sealed it."""
    pytest.importorskip("cryptography")
    shop = new_shop(token="encrypted", secret=[OTHER, SECRET])
    cookie = shop.visit("zoe")
    (said,) = run("decode", cookie, "--json", *APP).objects
    assert (said["valid"], said["secret"], said["encrypted"], said["lives"]) == (True, 1, True, True)
    assert run("decode", cookie, SESSION_SECRET=SECRET).code == 1


@pytest.mark.parametrize("transport", ["header", "bearer"])
@pytest.mark.parametrize("form", ["{token}", "X-Session-Token: {token}", "Authorization: Bearer {token}"])
def test_tokens_of_headers_are_read(run: Run, new_shop: Callable[..., Shop], transport: str, form: str) -> None:
    """With --app it is known that the token comes in a header."""
    shop = new_shop(transport=transport)
    token = shop.visit("zoe")
    assert run("decode", form.format(token=token), *APP).code == 0
    assert run("decode", form.format(token=token[:-1]), *APP).code == 1


@pytest.mark.parametrize(
    "form",
    ["encrypted", "cookie-session", "iron-session&password_ids=7,3", "koa-session", "client-sessions"],
)
def test_sessions_that_travel_in_the_cookie_are_opened(run: Run, new_shop: Callable[..., Shop], form: str) -> None:
    """The cookie is the session: its signature is checked, and its end."""
    pytest.importorskip("cryptography")
    shop = new_shop(store=f"cookie://?form={form}", secret=[OTHER, SECRET])
    session = shop.session("")
    session["a"] = 1
    header = "; ".join(each.partition(";")[0] for each in shop.sessions.engine.commit_sync(session))
    (said,) = run("decode", header, "--json", *APP).objects
    assert (said["valid"], said["secret"], said["lives"]) == (True, 1, True)
    assert said["encrypted"] == (form not in ("cookie-session", "koa-session"))
    forged = header.replace("connect.sid=", "connect.sid=x")
    assert run("decode", forged, *APP).code == 1


@pytest.mark.parametrize("token", ["fastify-session", "koa-session"])
def test_a_token_in_the_form_of_node_is_known(run: Run, new_shop: Callable[..., Shop], token: str) -> None:
    shop = new_shop(token=token)
    session = shop.session("")
    session["a"] = 1
    header = "; ".join(each.partition(";")[0] for each in shop.sessions.engine.commit_sync(session))
    (said,) = run("decode", header, "--json", *APP).objects
    assert (said["valid"], said["encrypted"], said["lives"]) == (True, False, True)
    assert run("decode", header.replace("connect.sid=", "connect.sid=x", 1), *APP).code == 1
