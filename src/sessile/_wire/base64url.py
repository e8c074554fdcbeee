# The decoder of the standard library drops what is not base64, and so would let many texts stand for one.
"""base64url without padding (RFC 4648 section 5), of which each text stands for something of its own."""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode

__all__ = ["decode", "encode"]


def encode(raw: bytes) -> bytes:
    """Return ``raw`` as base64url without padding."""
    return urlsafe_b64encode(raw).rstrip(b"=")


def decode(text: bytes) -> bytes:
    """Return what ``text`` stands for. Raises ValueError for what ``encode`` does not make."""
    raw = urlsafe_b64decode(text + b"=" * (-len(text) % 4))
    if encode(raw) != text:
        raise ValueError("it is not base64url")
    return raw
