# A proof is a JWT, and JWTs have a history: `alg: none`, a key of one kind under the algorithm of another, a key that
# the attacker names. So little is taken here: two algorithms, the key from one place, one way to write each part. The
# algorithm follows from the key. The header has to agree; it never chooses.
#
#   registration   header {"alg", "jwk", "typ": "dbsc+jwt"}   payload {"jti": challenge}
#   refresh        header {"alg", "typ": "dbsc+jwt"}          payload {"jti": challenge}
#
# Chromium may add `aud` (the URL) and `authorization` (what the offer carried).
"""Proofs of a device: check that a JWT was signed with the key that a session is bound to."""

from __future__ import annotations

import json
from typing import NamedTuple

from sessile._wire import base64url
from sessile._wire.device.key import DeviceKey

__all__ = ["MAX_PROOF", "Proof", "ProofRefused", "read_refresh", "read_registration"]

#: Bytes of a proof. The largest that a browser makes has a key of 4096 bits and its signature: about 1,500.
MAX_PROOF = 8192

#: Header parameters that name a key elsewhere, or change the meaning of others (RFC 7515, section 4.1).
_FORBIDDEN = frozenset(["crit", "jku", "kid", "x5c", "x5t", "x5t#S256", "x5u"])


class ProofRefused(ValueError):
    """The proof is not one. The text says why, and has nothing in it that the client sent."""


class Proof(NamedTuple):
    """What a device has signed. Nobody has compared the challenge yet."""

    key: DeviceKey
    challenge: str
    #: The URL that the proof was made for, where the browser says so.
    audience: str | None


def read_registration(text: str) -> Proof:
    """Return the proof of a device that brings its key. Raises ProofRefused for all else, and nothing besides."""
    header, payload, message, signature = _parts(text)
    jwk = header.get("jwk")
    if not isinstance(jwk, dict):
        raise ProofRefused("a registration brings its key")
    try:
        key = DeviceKey(jwk)
    except ValueError as error:
        raise ProofRefused(f"the key is not taken: {error}") from None
    return _checked(key, header, payload, message, signature)


def read_refresh(text: str, key: DeviceKey) -> Proof:
    """Return the proof of a device whose ``key`` we have. Raises ProofRefused for all else, and nothing besides."""
    header, payload, message, signature = _parts(text)
    if "jwk" in header:
        raise ProofRefused("a refresh brings no key")
    return _checked(key, header, payload, message, signature)


def _checked(
    key: DeviceKey, header: dict[str, object], payload: dict[str, object], message: bytes, signature: bytes
) -> Proof:
    if header.get("typ") != "dbsc+jwt":
        raise ProofRefused("typ is not dbsc+jwt")
    if header.get("alg") != key.algorithm:
        raise ProofRefused("alg is not that of the key")
    if not _FORBIDDEN.isdisjoint(header):
        raise ProofRefused("the header has a parameter that is not taken")
    if not key.verify(message, signature):
        raise ProofRefused("the signature is not the key's")
    challenge, audience = payload.get("jti"), payload.get("aud")
    if not isinstance(challenge, str):
        raise ProofRefused("there is no challenge")
    if not (audience is None or isinstance(audience, str)):
        raise ProofRefused("aud is not a text")
    return Proof(key, challenge, audience)


def _parts(text: str) -> tuple[dict[str, object], dict[str, object], bytes, bytes]:
    if len(text) > MAX_PROOF:
        raise ProofRefused("it is too long")
    parts = text.split(".")
    if len(parts) != 3:
        raise ProofRefused("it does not have three parts")
    try:
        header, payload, signature = (base64url.decode(part.encode("ascii")) for part in parts)
        return _object(header), _object(payload), text.rpartition(".")[0].encode("ascii"), signature
    except (ValueError, RecursionError):
        raise ProofRefused("a part is not base64url, or not a JSON object") from None


def _object(raw: bytes) -> dict[str, object]:
    value = json.loads(raw.decode("utf-8"), object_pairs_hook=_once)
    if not isinstance(value, dict):
        raise ValueError("it is not an object")
    return value


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    # RFC 7515, section 4: names in the header must be unique. Parsers differ in which of two they take.
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a name stands twice")
    return members
