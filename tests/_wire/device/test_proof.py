"""Proofs: what Chromium made is taken, and nothing that an attacker could make."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from hypothesis import given
from hypothesis import strategies as st

from sessile._wire.device.key import DeviceKey
from sessile._wire.device.proof import MAX_PROOF, ProofRefused, read_refresh, read_registration
from tests._wire.device.forge import b64, jwk, jwt, number

VECTORS = json.loads((Path(__file__).parents[2] / "vectors/dbsc-chromium156.json").read_text())["vectors"]
EC = ec.generate_private_key(ec.SECP256R1())
OTHER = ec.generate_private_key(ec.SECP256R1())
P384 = ec.generate_private_key(ec.SECP384R1())
RSA = rsa.generate_private_key(65537, 2048)
SHORT = rsa.generate_private_key(65537, 1024)
HEAD = {"alg": "ES256", "typ": "dbsc+jwt"}
GOOD = HEAD | {"jwk": jwk(EC)}


@pytest.mark.parametrize("vector", VECTORS, ids=[f"{n}-{each['alg']}" for n, each in enumerate(VECTORS)])
def test_what_chromium_made_is_taken(vector: dict[str, Any]) -> None:
    """Registration and refresh, with the challenges that it was given."""
    proof = read_registration(vector["registration_jwt"])
    assert proof.challenge == vector["registration_challenge"]
    assert proof.key.algorithm == vector["alg"]
    assert json.loads(proof.key.stored) == vector["jwk"]
    kept = DeviceKey.from_stored(proof.key.stored)
    assert kept.thumbprint == proof.key.thumbprint
    assert read_refresh(vector["refresh_jwt"], kept).challenge == vector["refresh_challenge"]


@pytest.mark.parametrize("vector", VECTORS, ids=[f"{n}-{each['alg']}" for n, each in enumerate(VECTORS)])
def test_no_proof_is_taken_for_another(vector: dict[str, Any]) -> None:
    """Not a registration for a refresh, not the other way round, and not under the key of another device."""
    key = read_registration(vector["registration_jwt"]).key
    with pytest.raises(ProofRefused, match="brings no key"):
        read_refresh(vector["registration_jwt"], key)
    with pytest.raises(ProofRefused, match="brings its key"):
        read_registration(vector["refresh_jwt"])
    for other in (DeviceKey(jwk(EC)), DeviceKey(jwk(RSA))):
        with pytest.raises(ProofRefused, match=r"the key's|that of the key"):
            read_refresh(vector["refresh_jwt"], other)


def test_the_audience_is_told() -> None:
    assert (
        read_registration(jwt(EC, GOOD, {"jti": "c", "aud": "https://a.example/r"})).audience == "https://a.example/r"
    )
    assert read_registration(jwt(EC, GOOD, {"jti": "c"})).audience is None


def test_the_thumbprint_is_that_of_rfc_7638() -> None:
    """The example of its section 3.1."""
    modulus = (
        "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMs"
        "tn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n9"
        "1CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw"
    )
    key = DeviceKey({"kty": "RSA", "n": modulus, "e": "AQAB", "alg": "RS256", "kid": "2011-04-29"})
    assert key.thumbprint == "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"


def off_curve() -> dict[str, object]:
    return jwk(EC) | {"y": jwk(OTHER)["y"]}


REFUSED: dict[str, tuple[str, str]] = {
    "alg none": (jwt(EC, GOOD | {"alg": "none"}, {"jti": "c"}), "alg"),
    "alg none, no signature": (jwt(EC, GOOD | {"alg": "none"}, {"jti": "c"}).rpartition(".")[0] + ".", "alg"),
    "no alg": (jwt(EC, {"typ": "dbsc+jwt", "jwk": jwk(EC)}, {"jti": "c"}), "alg"),
    "HS256": (jwt(EC, GOOD | {"alg": "HS256"}, {"jti": "c"}), "alg"),
    "RS256 with a key of EC": (jwt(EC, GOOD | {"alg": "RS256"}, {"jti": "c"}), "alg"),
    "ES256 with a key of RSA": (jwt(RSA, HEAD | {"jwk": jwk(RSA)}, {"jti": "c"}), "alg"),
    "P-384": (jwt(P384, HEAD | {"jwk": jwk(P384)}, {"jti": "c"}), "neither"),
    "P-384 called P-256": (jwt(P384, HEAD | {"jwk": jwk(P384) | {"crv": "P-256"}}, {"jti": "c"}), "32 bytes"),
    "RSA of 1024 bits": (jwt(SHORT, HEAD | {"alg": "RS256", "jwk": jwk(SHORT)}, {"jti": "c"}), "weak"),
    "RSA too large": (
        jwt(RSA, HEAD | {"alg": "RS256", "jwk": jwk(RSA) | {"n": number(2**4096 + 1)}}, {"jti": "c"}),
        "large",
    ),
    "e = 3": (jwt(RSA, HEAD | {"alg": "RS256", "jwk": jwk(RSA) | {"e": number(3)}}, {"jti": "c"}), "weak"),
    "e = 1": (jwt(RSA, HEAD | {"alg": "RS256", "jwk": jwk(RSA) | {"e": number(1)}}, {"jti": "c"}), "weak"),
    "e is even": (jwt(RSA, HEAD | {"alg": "RS256", "jwk": jwk(RSA) | {"e": number(65538)}}, {"jti": "c"}), "weak"),
    "e with a zero in front": (
        jwt(RSA, HEAD | {"alg": "RS256", "jwk": jwk(RSA) | {"e": "AAEAAQ"}}, {"jti": "c"}),
        "zero",
    ),
    "off the curve": (jwt(EC, HEAD | {"jwk": off_curve()}, {"jti": "c"}), "not taken"),
    "the point (0, 0)": (
        jwt(EC, HEAD | {"jwk": jwk(EC) | {"x": b64(bytes(32)), "y": b64(bytes(32))}}, {"jti": "c"}),
        "not taken",
    ),
    "a short coordinate": (jwt(EC, HEAD | {"jwk": jwk(EC) | {"x": b64(bytes(31))}}, {"jti": "c"}), "32 bytes"),
    "a coordinate is a number": (jwt(EC, HEAD | {"jwk": jwk(EC) | {"x": 1}}, {"jti": "c"}), "has no x"),
    "a coordinate is not ASCII": (jwt(EC, HEAD | {"jwk": jwk(EC) | {"x": "\ud800"}}, {"jti": "c"}), "not taken"),
    "a coordinate is padded": (jwt(EC, HEAD | {"jwk": jwk(EC) | {"x": f"{jwk(EC)['x']}="}}, {"jti": "c"}), "not taken"),
    "a private key": (jwt(EC, HEAD | {"jwk": jwk(EC) | {"d": b64(bytes(32))}}, {"jti": "c"}), "private"),
    "a symmetric key": (jwt(EC, HEAD | {"jwk": {"kty": "oct", "k": "AAAA"}}, {"jti": "c"}), "neither"),
    "jwk is no object": (jwt(EC, HEAD | {"jwk": "P-256"}, {"jti": "c"}), "brings its key"),
    "r = s = 0": (jwt(EC, GOOD, {"jti": "c"}).rpartition(".")[0] + "." + b64(bytes(64)), "signature"),
    "a signature in DER": (
        jwt(EC, GOOD, {"jti": "c"}).rpartition(".")[0] + "." + b64(EC.sign(b"", ec.ECDSA(ec.hashes.SHA256()))),
        "signature",
    ),
    "no signature": (jwt(EC, GOOD, {"jti": "c"}).rpartition(".")[0] + ".", "signature"),
    "signed by another key": (jwt(OTHER, GOOD, {"jti": "c"}), "signature"),
    "typ JWT": (jwt(EC, GOOD | {"typ": "JWT"}, {"jti": "c"}), "typ"),
    "no typ": (jwt(EC, {"alg": "ES256", "jwk": jwk(EC)}, {"jti": "c"}), "typ"),
    "no challenge": (jwt(EC, GOOD, {}), "challenge"),
    "a challenge that is a list": (jwt(EC, GOOD, {"jti": ["c"]}), "challenge"),
    "an audience that is a list": (jwt(EC, GOOD, {"jti": "c", "aud": ["a"]}), "aud"),
    "a name twice in the header": (jwt(EC, json.dumps(GOOD)[:-1] + ', "alg": "ES256"}', {"jti": "c"}), "JSON"),
    "a name twice in the payload": (jwt(EC, GOOD, '{"jti": "a", "jti": "c"}'), "JSON"),
    "the payload is a list": (jwt(EC, GOOD, '["c"]'), "JSON"),
    "the payload is not JSON": (jwt(EC, GOOD, "{"), "JSON"),
    "deep": (jwt(EC, GOOD, "[" * 5000), "JSON"),
    "two parts": (jwt(EC, GOOD, {"jti": "c"}).rpartition(".")[0], "three parts"),
    "five parts": (jwt(EC, GOOD, {"jti": "c"}) + ".a.b", "three parts"),
    "padded": (jwt(EC, GOOD, {"jti": "c"}) + "=", "base64url"),
    "junk in base64": (jwt(EC, GOOD, {"jti": "c"}).replace(".", ".!", 1), "base64url"),
    "the alphabet of plain base64": (
        jwt(EC, GOOD, {"jti": "c"}).rpartition(".")[0] + "." + base64.b64encode(b"\xff" * 63).decode(),
        "base64url",
    ),
    "not ASCII": ("é.é.é", "base64url"),
    "empty": ("", "three parts"),
    "too long": ("a" * (MAX_PROOF + 1), "too long"),
} | {
    name: (jwt(EC, GOOD | {name: []}, {"jti": "c"}), "parameter")
    for name in ("crit", "jku", "kid", "x5c", "x5t", "x5t#S256", "x5u")
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_an_attacker_could_make_is_refused(case: str) -> None:
    text, reason = REFUSED[case]
    with pytest.raises(ProofRefused, match=reason):
        read_registration(text)


def test_the_unused_bits_of_the_last_character_count() -> None:
    """Loose decoders take four texts for one signature; a replay would look new."""
    good = jwt(EC, GOOD, {"jti": "c"})
    read_registration(good)
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    sibling = alphabet[alphabet.index(good[-1]) ^ 1]
    with pytest.raises(ProofRefused, match="base64url"):
        read_registration(good[:-1] + sibling)


@given(st.text(max_size=200) | st.lists(st.binary(max_size=80).map(b64), min_size=3, max_size=3).map(".".join))
def test_no_input_raises_anything_else(text: str) -> None:
    for read in (read_registration, lambda text: read_refresh(text, DeviceKey(jwk(EC)))):
        with pytest.raises(ProofRefused):
            read(text)


@pytest.mark.parametrize("stored", ["", "[]", '"a"', "{}", "{"])
def test_what_is_not_a_stored_key_is_a_value_error(stored: str) -> None:
    with pytest.raises(ValueError):
        DeviceKey.from_stored(stored)
