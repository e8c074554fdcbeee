# The arithmetic is `cryptography`'s. What stands here is what it leaves open: which keys are taken, and that each has
# one form only. A key that could be written in two ways would have two thumbprints.
"""The public key of a device: which ones are taken, and how they are kept."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Literal

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

from sessile._wire import base64url

__all__ = ["Algorithm", "DeviceKey"]

Algorithm = Literal["ES256", "RS256"]

#: Bits of an RSA key. Below, it is weak (NIST SP 800-131A); above, a stranger chooses how long we calculate.
_RSA_BITS = range(2048, 4097)
#: The exponent that every browser takes is the first. FIPS 186-5 allows larger odd ones.
_RSA_EXPONENTS = range(65537, 2**32, 2)
_COORDINATE = 32


class DeviceKey:
    """A public key that proofs are checked with: P-256 for ES256, or RSA of 2048 to 4096 bits for RS256."""

    __slots__ = ("_key", "algorithm", "stored")

    def __init__(self, jwk: Mapping[str, object]) -> None:
        """Take the key out of a JWK (RFC 7517). Raises ValueError if it is not one of the two kinds."""
        self.algorithm: Algorithm
        self._key: ec.EllipticCurvePublicKey | rsa.RSAPublicKey
        if "d" in jwk:
            raise ValueError("a private key was sent")
        members: tuple[str, ...]
        if jwk.get("kty") == "EC" and jwk.get("crv") == "P-256":
            x, y = (_octets(jwk, name) for name in ("x", "y"))
            if not len(x) == len(y) == _COORDINATE:
                raise ValueError("a coordinate of P-256 has 32 bytes")
            numbers = ec.EllipticCurvePublicNumbers(_whole(x), _whole(y), ec.SECP256R1())
            self.algorithm, self._key, members = "ES256", numbers.public_key(), ("crv", "kty", "x", "y")
        elif jwk.get("kty") == "RSA":
            modulus, exponent = (_octets(jwk, name) for name in ("n", "e"))
            if modulus[:1] == b"\x00" or exponent[:1] == b"\x00":
                raise ValueError("a number begins with zero")
            if _whole(modulus).bit_length() not in _RSA_BITS or _whole(exponent) not in _RSA_EXPONENTS:
                raise ValueError("the RSA key is weak or too large")
            self._key = rsa.RSAPublicNumbers(_whole(exponent), _whole(modulus)).public_key()
            self.algorithm, members = "RS256", ("e", "kty", "n")
        else:
            raise ValueError("the key is neither P-256 nor RSA")
        #: The key as text, to be kept: JSON with the members and the order of RFC 7638, so always the same bytes.
        self.stored = json.dumps({name: jwk[name] for name in members}, separators=(",", ":"))

    @classmethod
    def from_stored(cls, stored: str) -> DeviceKey:
        """Return the key that was kept as ``stored``. Raises ValueError if it is not one."""
        jwk = json.loads(stored)
        if not isinstance(jwk, dict):
            raise ValueError("it is not a key")
        return cls(jwk)

    @property
    def thumbprint(self) -> str:
        """What names the key: SHA-256 of ``stored``, base64url (RFC 7638)."""
        return base64url.encode(hashlib.sha256(self.stored.encode("ascii")).digest()).decode("ascii")

    def verify(self, message: bytes, signature: bytes) -> bool:
        """Return True if ``signature`` was made for ``message`` with this key (RFC 7518, sections 3.3 and 3.4)."""
        try:
            if isinstance(self._key, rsa.RSAPublicKey):
                self._key.verify(signature, message, PKCS1v15(), SHA256())
            elif len(signature) == 2 * _COORDINATE:
                r, s = _whole(signature[:_COORDINATE]), _whole(signature[_COORDINATE:])
                self._key.verify(encode_dss_signature(r, s), message, ec.ECDSA(SHA256()))
            else:
                return False
        except InvalidSignature:
            return False
        return True


def _octets(jwk: Mapping[str, object], name: str) -> bytes:
    text = jwk.get(name)
    if not isinstance(text, str):
        raise ValueError(f"the key has no {name}")
    return base64url.decode(text.encode())


def _whole(octets: bytes) -> int:
    return int.from_bytes(octets, "big")
