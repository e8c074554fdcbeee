# Node has to verify our cookies, so the signature is made with the secret itself, as cookie-signature does. Nothing else
# may be: who could have us sign or seal one thing could otherwise pass it off as another.
"""Every purpose has a key of its own, derived from the secret."""

from __future__ import annotations

import hmac
import itertools
from typing import Any

import pytest
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from sessile import RequestFacts, Sessions
from sessile._wire.device.mac import FieldsMac
from sessile._wire.sealing import Sealer
from sessile.codecs import Encrypted
from tests.conftest import SECRET

KEY = SECRET.encode()


def test_the_secret_itself_signs_cookies_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each other use of it derives a key, under a label that no other purpose has."""
    labels: list[bytes] = []
    signers = 0
    digest, new = hmac.digest, hmac.new

    def watched_digest(key: bytes, message: bytes, kind: Any) -> bytes:
        if key == KEY:
            labels.append(message)
        return digest(key, message, kind)

    def watched_new(key: bytes, *arguments: Any, **named: Any) -> hmac.HMAC:
        nonlocal signers
        signers += key == KEY
        return new(key, *arguments, **named)

    def watched_hkdf(*arguments: Any, info: bytes, **named: Any) -> HKDF:
        labels.append(info)
        return HKDF(*arguments, info=info, **named)

    monkeypatch.setattr(hmac, "digest", watched_digest)
    monkeypatch.setattr(hmac, "new", watched_new)
    monkeypatch.setattr("sessile._wire.sealing.HKDF", watched_hkdf)
    sessions = Sessions(secret=SECRET, token="encrypted", codec=Encrypted([KEY]))
    Sessions(secret=SECRET, store="cookie://")
    for purpose in ("device bound", "device challenge"):
        FieldsMac([KEY], purpose)
    session = sessions.engine.begin_sync(b"", RequestFacts)
    session.login("zoe")
    sessions.engine.commit_sync(session)
    assert signers > 0  # The cookie's signature, and what Node can verify.
    assert set(labels) == {
        b"sessile index",
        b"sessile system fields",
        b"sessile token",
        b"sessile content",
        b"sessile record",
        b"sessile device bound",
        b"sessile device challenge",
    }


def test_what_one_purpose_makes_no_other_takes() -> None:
    purposes = ("token", "content", "record")
    for one, other in itertools.permutations(purposes, 2):
        sealed = Sealer([KEY], one).seal(b"text", b"").encode()
        assert Sealer([KEY], one).unseal(sealed, b"") is not None
        assert Sealer([KEY], other).unseal(sealed, b"") is None
