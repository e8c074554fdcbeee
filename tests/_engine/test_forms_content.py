"""The forms of Node's packages, as a Cookie header brings them: golden cookies, and what nobody made."""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sessile import CookieOptions, InvalidOption, Sessions
from sessile._engine.content import Content, Pocket
from sessile._engine.forms import make_content
from sessile._engine.forms.koa_session import KoaSession
from sessile._records.record import decode
from sessile._wire.client_sessions import ClientSeals
from sessile._wire.iron import IronSeals
from sessile._wire.keygrip import Keygrip
from sessile._wire.secretbox import SecretBoxes
from sessile.cookies import encode
from sessile.errors import MissingExtra
from sessile.options import Options
from sessile.stores.cookie import CookieStore
from tests.conftest import SECRET, VECTORS, Clock

GOLDEN: dict[str, Any] = json.loads((VECTORS / "node-cookies.json").read_text())
KEY = b64decode(GOLDEN["@fastify/secure-session 8.4.0"]["key"])
PACKAGES = {
    "iron-session 8.0.4": "iron-session",
    "koa-session 7.0.2": "koa-session",
    "client-sessions 0.8.0": "client-sessions",
    "@fastify/secure-session 8.4.0": "secure-session",
}
FORMS = [*PACKAGES.values(), "h3"]
OTHER_SECRET = "another secret, long enough for tests!!"
NOW = 1_796_000_000.0


def secret_of(form: str) -> str | bytes:
    return KEY if form == "secure-session" else SECRET


def content_of(form: str, name: str = "session", **options: Any) -> Content:
    given = {"secret": secret_of(form), "cookie": CookieOptions(max_age=86_400), **options}
    return make_content(Options(name=name, clock=lambda: NOW, **given), CookieStore(form))  # type: ignore[arg-type]


def header_of(name: str, value: str, signature: str | None = None) -> bytes:
    pair = f"{name}={value}"
    return (pair if signature is None else f"{pair}; {name}.sig={signature}").encode()


def signed(text: bytes, form: str) -> bytes:
    """Return a Cookie header in which the JSON ``text`` stands, made as the package makes it."""
    if form == "koa-session":
        value = b64encode(text).decode()
        return header_of("session", value, Keygrip("session", [SECRET.encode()]).sign(value.encode()))
    if form == "client-sessions":
        return header_of("session", ClientSeals("session", [SECRET.encode()]).seal(text, int(NOW * 1000), 60_000))
    if form == "secure-session":
        return header_of("session", encode(SecretBoxes([KEY]).seal(text)))
    if form == "h3":
        return header_of("session", IronSeals([("", SECRET.encode())]).seal(text, NOW + 60))
    return header_of("session", IronSeals([("1", SECRET.encode())]).seal(text, NOW + 60) + "~2")


@pytest.mark.parametrize("package", PACKAGES)
def test_a_golden_cookie_is_read(package: str) -> None:
    golden = GOLDEN[package]
    content = content_of(PACKAGES[package], golden["name"])
    (held,), forged = content.open(header_of(golden["name"], golden["value"], golden.get("signature")))
    assert forged == 0
    assert held.current is True
    contents = decode(held.record.payload)
    assert contents is not None
    assert contents.data == golden["data"]
    if "expires_at" in golden:
        assert round(held.record.expires_at * 1000) == golden["expires_at"]


def test_a_golden_cookie_of_koa_is_written_byte_for_byte() -> None:
    """The others have random parts: tests/_wire/test_node_seals.py has them made again."""
    golden = GOLDEN["koa-session 7.0.2"]
    content = content_of("koa-session", "koa.sess")
    held, _ = content.open(header_of("koa.sess", golden["value"], golden["signature"]))
    attributes = {"originalMaxAge": 86_400_000, "path": "/"}
    lines = content.write(held[0].sid, Pocket(lambda: NOW, held), attributes, NOW)
    assert [line.partition(";")[0] for line in lines] == [
        f"koa.sess={golden['value']}",
        f"koa.sess.sig={golden['signature']}",
    ]


@pytest.mark.parametrize("package", PACKAGES)
def test_what_is_read_is_written_with_the_same_payload(package: str) -> None:
    """Byte for byte, under the seal; and with the same end."""
    golden, form = GOLDEN[package], PACKAGES[package]
    content = content_of(form, golden["name"])
    held, _ = content.open(header_of(golden["name"], golden["value"], golden.get("signature")))
    attributes = {"originalMaxAge": 86_400_000, "path": "/"}
    at = held[0].record.expires_at - 86_400
    value = content.write(held[0].sid, Pocket(lambda: at, held), attributes, at)[0].partition(";")[0].partition("=")[2]
    assert opened(value, form, golden["name"]) == opened(golden["value"], form, golden["name"])


def opened(value: str, form: str, name: str) -> Any:
    from urllib.parse import unquote_to_bytes

    raw = unquote_to_bytes(value)
    if form == "koa-session":
        return raw
    if form == "client-sessions":
        return ClientSeals(name, [SECRET.encode()]).unseal(raw)
    if form == "secure-session":
        return SecretBoxes([KEY]).unseal(raw)
    return IronSeals([("1", SECRET.encode())]).unseal(raw.removesuffix(b"~2"))


def test_a_golden_cookie_of_h3_is_read_and_written_with_its_id() -> None:
    """The text under the seal comes back byte for byte: the id, when the session began, and the data."""
    golden = GOLDEN["h3 1.15.4"]
    seals = IronSeals([("", SECRET.encode())])
    text, end, _ = seals.unseal(golden["value"].encode())  # type: ignore[misc]
    content = content_of("h3", "h3", cookie=CookieOptions(max_age=90_000))
    (held,), forged = content.open(header_of("h3", golden["value"]))
    assert (held.sid, held.current, forged) == (golden["id"], True, 0)
    contents = decode(held.record.payload)
    assert contents is not None
    assert contents.data == golden["data"]
    assert held.record.expires_at == end == golden["sealed_until"] / 1000
    (line,) = content.write(held.sid, Pocket(lambda: NOW, [held]), {"path": "/"}, NOW)
    assert seals.unseal(line.partition(";")[0].partition("=")[2].encode()) == (text, end, True)
    begun = json.loads(text)["createdAt"] / 1000
    (held,), _ = content_of("h3", "h3", cookie=CookieOptions(max_age=60)).open(header_of("h3", golden["value"]))
    assert held.record.expires_at == begun + 60, "its whole life after its beginning, and no later"


@pytest.mark.parametrize(
    "text",
    [
        b'{"data":{"n":1}}',
        b'{"id":7,"createdAt":"soon","data":{"n":1}}',
        b'{"id":"","createdAt":1e308,"data":{"n":1}}',
        b'{"id":"' + b"x" * 300 + b'","createdAt":true,"data":{"n":1}}',
    ],
)
def test_what_h3_would_not_have_sealed_gets_another_id(text: bytes) -> None:
    value = IronSeals([("", SECRET.encode())]).seal(text, NOW + 60)
    (held,), _ = content_of("h3").open(header_of("session", value))
    assert len(held.sid) == 32
    contents = decode(held.record.payload)
    assert contents is not None
    assert (contents.data, contents.system) == ({"n": 1}, {})
    content_of("h3").write(held.sid, Pocket(lambda: NOW, [held]), {"path": "/"}, NOW)


def test_a_session_of_koa_that_ends_with_the_browser_stays_one() -> None:
    """It has no end inside, there as here."""
    content = content_of("koa-session")
    held, _ = content.open(signed(b'{"n":1,"_session":true}', "koa-session"))
    pocket = Pocket(lambda: NOW, held)
    pocket.touch(held[0].sid, 60)
    lines = content.write(held[0].sid, pocket, {"originalMaxAge": None, "path": "/"}, NOW)
    assert b64decode(lines[0].partition(";")[0].partition("=")[2]) == b'{"n":1,"_session":true}'
    assert "Max-Age" not in lines[0]


def test_the_number_of_a_password_is_that_of_node() -> None:
    options = Options(secret=[OTHER_SECRET, SECRET], name="session", clock=lambda: NOW)
    for ids, expected in ((None, "2"), ([7, 3], "7")):
        content = make_content(options, CookieStore("iron-session", password_ids=ids))
        pocket = Pocket(lambda: NOW, [])
        pocket.create("sid", b'{"n":1}', 60)
        (line,) = content.write("sid", pocket, {"path": "/"}, NOW)
        assert line.split("*")[:2] == ["session=Fe26.2", expected]


# What is signed, and is not a session ---------------------------------------------------------------------------------

DEEP = b'{"a":' * 5_000 + b"1" + b"}" * 5_000


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    "text", [b"", b"null", b"[]", b"7", b'{"a":', b'{"cookie":5}', b'{"cookie":{}}', b"\xff", DEEP]
)
def test_what_is_sealed_and_is_not_a_session_is_none(form: str, text: bytes) -> None:
    """Another program that has the secret may seal anything."""
    held, forged = content_of(form).open(signed(text, form))
    assert forged == 0
    assert all(decode(each.record.payload) is None for each in held)


@pytest.mark.parametrize("end", ["1e308", "-1e308", '"soon"', "true", "null", "[]", "9" * 400, "8.64e15"])
@pytest.mark.parametrize(
    ("form", "key"), [("koa-session", "_expire"), ("koa-session", "_maxAge"), ("secure-session", "__ts")]
)
def test_any_end_is_borne(form: str, key: str, end: str) -> None:
    """A number that is not a time is not the end of a session, as in JavaScript."""
    content = content_of(form)
    held, _ = content.open(signed(b'{"n":1,"%b":%b}' % (key.encode(), end.encode()), form))
    for each in held:
        contents = decode(each.record.payload)
        assert contents is not None
        assert contents.data == {"n": 1}
        content.write(each.sid, Pocket(lambda: NOW, held), {"originalMaxAge": 1e300, "path": "/"}, NOW)


@pytest.mark.parametrize("form", FORMS)
@given(raw=st.binary(max_size=300))
def test_any_cookie_is_served(form: str, raw: bytes) -> None:
    """Nothing in a cookie raises."""
    content = content_of(form)
    for header in (raw, b"session=" + raw, b"session=Fe26.2*" + raw, b"session=e30=; session.sig=" + raw):
        held, _ = content.open(header)
        assert held == []


@pytest.mark.parametrize("form", FORMS)
def test_a_long_header_is_over_soon(form: str) -> None:
    content = content_of(form)
    for header in (b"session=" + b"A" * 100_000, b"session=" + b"*" * 100_000, b"session=%2A; " * 8_000):
        assert content.open(header)[0] == []


def test_data_with_keys_of_koas_own_cannot_make_an_end() -> None:
    """What a handler puts under its names is replaced: it would decide how long the session lives."""
    pocket = Pocket(lambda: NOW, [])
    pocket.create("sid", b'{"n":1,"_expire":9e15,"_session":true}', 60)
    content = KoaSession("session", [SECRET.encode()])
    lines = content.write("sid", pocket, {"originalMaxAge": 60_000, "path": "/"}, NOW)
    value = json.loads(b64decode(lines[0].partition(";")[0].partition("=")[2]))
    assert value == {"n": 1, "_expire": round((NOW + 60) * 1000), "_maxAge": 60_000}


# Options --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "secret", "option"),
    [
        ("cookie://?form=iron-session", "a short secret of 31 characters", "secret"),
        ("cookie://?form=iron-session&password_ids=2,1", SECRET, "password_ids"),
        ("cookie://?form=iron-session&password_ids=two", SECRET, "password_ids"),
        ("cookie://?form=koa-session&password_ids=1", SECRET, "password_ids"),
        ("cookie://?form=secure-session", SECRET, "secret"),
        ("cookie://?form=secure-session&derive=maybe", SECRET, "derive"),
        ("cookie://?form=secure-session&salt=0123456789abcdef", KEY, "salt"),
        ("cookie://?form=secure-session&derive=yes&salt=short", SECRET, "salt"),
        ("cookie://?form=iron-session&derive=yes", SECRET, "derive"),
        ("cookie://?form=client-cookies", SECRET, "form"),
    ],
)
@pytest.mark.filterwarnings("ignore::sessile.options.WeakSecretWarning")
def test_a_wrong_option_is_refused_with_its_name(url: str, secret: Any, option: str) -> None:
    with pytest.raises(InvalidOption) as caught:
        Sessions(secret=secret, store=url)
    assert caught.value.option == option
    assert SECRET not in str(caught.value)


def test_a_key_may_be_given_in_base64() -> None:
    golden = GOLDEN["@fastify/secure-session 8.4.0"]
    content = content_of("secure-session", secret=golden["key"])
    assert len(content.open(header_of("session", golden["value"]))[0]) == 1


def test_a_key_is_derived_if_that_is_asked_for() -> None:
    golden = GOLDEN["@fastify/secure-session 8.4.0"]
    store = CookieStore("secure-session", derive=True, salt=golden["salt"])
    content = make_content(Options(secret=SECRET, name="session"), store)
    assert len(content.open(header_of("session", golden["value with a secret and a salt"]))[0]) == 1


@pytest.mark.parametrize(
    ("form", "package", "extra"),
    [("secure-session", "nacl.secret", "secure-session"), ("iron-session", "cryptography", "encryption")],
)
def test_without_its_package_the_extra_is_named(
    form: str, package: str, extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    import sys

    for name in list(sys.modules):
        if name.startswith(("sessile._engine.forms.", "sessile._wire.")) or name.partition(".")[0] == package:
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingExtra, match=rf"sessile\[{extra}\]"):
        content_of(form)


async def test_a_visit_sends_the_cookie_with_the_attributes_of_the_options(clock: Clock) -> None:
    """Of the cookie Node keeps nothing but the length of its life."""
    from sessile.asgi import SessionMiddleware
    from tests.asgi import Browser, handler

    sessions = Sessions(
        secret=SECRET,
        name="session",
        store="cookie://?form=koa-session",
        clock=clock,
        cookie=CookieOptions(max_age=60, same_site="strict", domain="example.com"),
    )
    value = b64encode(b'{"n":1,"_expire":%d,"_maxAge":3600000}' % ((clock() + 10) * 1000)).decode()
    jar = {"session": value, "session.sig": Keygrip("session", [SECRET.encode()]).sign(value.encode())}
    response = await Browser(SessionMiddleware(handler(lambda session: session.update(n=2)), sessions), jar).get()
    line = response.all("set-cookie")[0]
    assert "Max-Age=3600; Domain=example.com; Path=/;" in line
    assert line.endswith("HttpOnly; SameSite=Strict")
