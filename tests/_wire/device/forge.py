"""Proofs as a browser makes them, and as an attacker might."""

from __future__ import annotations

import json

from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

from sessile._wire import base64url

Private = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


def b64(raw: bytes) -> str:
    return base64url.encode(raw).decode()


def number(value: int, size: int | None = None) -> str:
    return b64(value.to_bytes(size or (value.bit_length() + 7) // 8, "big"))


def jwk(key: Private) -> dict[str, object]:
    public = key.public_key()
    if isinstance(public, rsa.RSAPublicKey):
        return {"kty": "RSA", "n": number(public.public_numbers().n), "e": number(public.public_numbers().e)}
    numbers, size = public.public_numbers(), (public.key_size + 7) // 8
    return {"crv": f"P-{public.key_size}", "kty": "EC", "x": number(numbers.x, size), "y": number(numbers.y, size)}


def sign(key: Private, message: bytes) -> bytes:
    if isinstance(key, rsa.RSAPrivateKey):
        return key.sign(message, PKCS1v15(), SHA256())
    size = (key.key_size + 7) // 8
    return b"".join(each.to_bytes(size, "big") for each in decode_dss_signature(key.sign(message, ec.ECDSA(SHA256()))))


def jwt(key: Private, header: str | dict[str, object], payload: str | dict[str, object]) -> str:
    parts = [each if isinstance(each, str) else json.dumps(each) for each in (header, payload)]
    message = ".".join(b64(part.encode()) for part in parts)
    return f"{message}.{b64(sign(key, message.encode()))}"
