"""The seals of iron, client-sessions and secure-session: what the real packages made, opened and made again."""

from __future__ import annotations

import json
import math
from base64 import b64decode, urlsafe_b64decode
from collections.abc import Callable
from typing import Any
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sessile._wire.client_sessions import ClientSeals
from sessile._wire.iron import IronSeals
from sessile._wire.keygrip import Keygrip
from sessile._wire.secretbox import SecretBoxes, derive
from tests.conftest import SECRET, VECTORS

GOLDEN: dict[str, Any] = json.loads((VECTORS / "node-cookies.json").read_text())
IRON = GOLDEN["iron-session 8.0.4"]
CLIENT = GOLDEN["client-sessions 0.8.0"]
SECURE = GOLDEN["@fastify/secure-session 8.4.0"]
SEAL = IRON["value"].removesuffix("~2")
KEY = b64decode(SECURE["key"])


def replayed(*parts: bytes) -> Callable[[int], bytes]:
    """Return a source of random bytes that gives these."""
    left = list(parts)

    def random(count: int) -> bytes:
        part = left.pop(0)
        assert len(part) == count
        return part

    return random


def padded(text: str) -> bytes:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))


# iron -----------------------------------------------------------------------------------------------------------------


def test_a_seal_of_iron_is_opened() -> None:
    unsealed = IronSeals([("1", SECRET.encode())]).unseal(SEAL.encode())
    assert unsealed is not None
    assert unsealed == (b'{"user":{"id":7}}', IRON["expires_at"] / 1000, True)


def test_a_seal_of_iron_is_made_byte_for_byte() -> None:
    """With the random parts of the one that iron made."""
    _, _, salt, iv, _, _, mac_salt, _ = SEAL.split("*")
    random = replayed(bytes.fromhex(salt), padded(iv), bytes.fromhex(mac_salt))
    made = IronSeals([("1", SECRET.encode())]).seal(b'{"user":{"id":7}}', IRON["expires_at"] / 1000, random)
    assert made == SEAL


def test_any_password_opens_and_the_first_is_current() -> None:
    """The number in a seal says which it was; a password that has another number by now opens all the same."""
    new, old = ("2", b"n" * 32), ("1", SECRET.encode())
    assert IronSeals([new, old]).unseal(SEAL.encode())[2] is False
    assert IronSeals([old, new]).unseal(SEAL.encode())[2] is True
    assert IronSeals([("7", SECRET.encode())]).unseal(SEAL.encode())[2] is False
    assert IronSeals([new]).unseal(SEAL.encode()) is None


def test_a_seal_without_an_end_has_none() -> None:
    seals = IronSeals([("", SECRET.encode())])
    made = seals.seal(b"{}", math.inf)
    assert made.split("*")[5] == ""
    assert seals.unseal(made.encode()) == (b"{}", math.inf, True)


@pytest.mark.parametrize("end", ["9" * 17, "-1", "1e300", "tomorrow", "\u0661"])
def test_an_end_that_is_not_a_moment_is_no_seal(end: str) -> None:
    """Even if whoever has the password made it: Node refuses it too, or would count for ever."""
    from sessile._wire.iron import _mac

    *head, _, mac_salt, _ = SEAL.split("*")
    signed = "*".join([*head, end]).encode()
    forged = b"*".join((signed, mac_salt.encode(), _mac(SECRET.encode(), mac_salt.encode(), signed)))
    assert IronSeals([("1", SECRET.encode())]).unseal(forged) is None


# client-sessions ------------------------------------------------------------------------------------------------------


def test_a_cookie_of_client_sessions_is_opened() -> None:
    unsealed = ClientSeals("s", [b"x" * 32, SECRET.encode()]).unseal(CLIENT["value"].encode())
    assert unsealed == (b'{"user":7}', CLIENT["expires_at"] - 86_400_000, 86_400_000, False)


def test_a_cookie_of_client_sessions_is_made_byte_for_byte() -> None:
    iv, _, created, duration, _ = CLIENT["value"].split(".")
    random = replayed(padded(iv))
    made = ClientSeals("s", [SECRET.encode()]).seal(b'{"user":7}', int(created), int(duration), random)
    assert made == CLIENT["value"]


def test_a_cookie_of_client_sessions_is_bound_to_its_name() -> None:
    assert ClientSeals("other", [SECRET.encode()]).unseal(CLIENT["value"].encode()) is None


# secure-session -------------------------------------------------------------------------------------------------------


def test_a_box_of_secure_session_is_opened_and_made_byte_for_byte() -> None:
    value = unquote(SECURE["value"])
    unsealed = SecretBoxes([b"x" * 32, KEY]).unseal(value.encode())
    assert unsealed is not None
    text, current = unsealed
    data = json.loads(text)
    assert isinstance(data.pop("__ts"), int)
    assert (data, current) == (SECURE["data"], False)
    nonce = b64decode(value.partition(";")[2])
    assert SecretBoxes([KEY]).seal(text, replayed(nonce)) == value


@pytest.mark.parametrize(
    ("which", "salt"), [("value with a secret", None), ("value with a secret and a salt", SECURE["salt"].encode())]
)
def test_a_key_is_derived_from_a_secret_as_there(which: str, salt: bytes | None) -> None:
    boxes = SecretBoxes([derive(SECRET.encode(), salt)])
    assert boxes.unseal(unquote(SECURE[which]).encode()) is not None


# What nobody made -----------------------------------------------------------------------------------------------------

OPENERS: dict[str, tuple[str, Callable[[bytes], object]]] = {
    "iron": (SEAL, IronSeals([("1", SECRET.encode())]).unseal),
    "client-sessions": (CLIENT["value"], ClientSeals("s", [SECRET.encode()]).unseal),
    "secure-session": (unquote(SECURE["value"]), SecretBoxes([KEY]).unseal),
}


@pytest.mark.parametrize("kind", OPENERS)
def test_every_changed_or_missing_character_is_noticed(kind: str) -> None:
    """But for the last bits of base64 that stand for nothing."""
    text, unseal = OPENERS[kind]
    assert unseal(text.encode()) is not None
    opened = []
    for position, character in enumerate(text):
        assert unseal(text[:position].encode()) is None
        changed = text[:position] + ("B" if character == "A" else "A") + text[position + 1 :]
        if unseal(changed.encode()) is not None:
            opened.append(position)
    assert opened == []


@pytest.mark.parametrize("kind", OPENERS)
@given(raw=st.binary(max_size=400))
def test_any_bytes_are_no_seal(kind: str, raw: bytes) -> None:
    text, unseal = OPENERS[kind]
    assert unseal(raw) is None
    assert unseal(text.encode() + raw + b"x") is None or kind == "iron"
    for separator in (b"*", b".", b";"):
        assert unseal(raw.replace(b"a", separator)) is None


@pytest.mark.parametrize("kind", OPENERS)
def test_work_is_linear(kind: str) -> None:
    """A header of 100 KB of separators, or of one long part, is over at once: nothing in it is a count."""
    text, unseal = OPENERS[kind]
    for raw in (b"*" * 100_000, b"." * 100_000, b";" * 100_000, text.encode() * 500, b"Fe26.2*1*" + b"a" * 100_000):
        assert unseal(raw) is None


def test_keygrip_accepts_any_key_and_says_which() -> None:
    koa = GOLDEN["koa-session 7.0.2"]
    keygrip = Keygrip("koa.sess", [b"new", SECRET.encode()])
    assert keygrip.beside == "koa.sess.sig"
    assert keygrip.verify(koa["value"].encode(), [b"", koa["signature"].encode()]) == 1
    assert keygrip.verify(koa["value"].encode() + b"=", [koa["signature"].encode()]) is None
    assert Keygrip("koa.sess", [SECRET.encode()]).sign(koa["value"].encode()) == koa["signature"]
