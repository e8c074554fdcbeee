# Structured fields (RFC 9651), as far as they are needed: strings, and one inner list of tokens. What comes in is a
# string by the specification, and bare in Chromium 156. Both are read.
"""The headers of device binding: what the server writes, and what the browser sends back."""

from __future__ import annotations

import re
from collections.abc import Sequence

from sessile._wire.device.key import Algorithm
from sessile._wire.device.proof import MAX_PROOF

__all__ = ["offer", "read_value", "sf_string", "told"]

_PRINTABLE = re.compile(r"[ -~]*")
_BARE = re.compile(r"[A-Za-z0-9._~-]+")
_QUOTED = re.compile(r'"((?:[ !#-\[\]-~]|\\["\\])*)" *(?:;.*)?')


def offer(path: str, challenge: str, algorithms: Sequence[Algorithm] = ("ES256", "RS256")) -> str:
    """Return the value of Secure-Session-Registration: the browser may register a key at ``path``.

    ``algorithms`` are in order of preference.
    """
    return f"({' '.join(algorithms)});path={sf_string(path)};challenge={sf_string(challenge)}"


def told(challenge: str, identifier: str) -> str:
    """Return the value of Secure-Session-Challenge: what to sign next. Without ``identifier`` a browser refuses it."""
    return f"{sf_string(challenge)};id={sf_string(identifier)}"


def sf_string(text: str) -> str:
    """Return ``text`` as a String of structured fields. Raises ValueError for what one cannot hold."""
    if not _PRINTABLE.fullmatch(text):
        raise ValueError("a String of structured fields has printable ASCII only")
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def read_value(raw: bytes) -> str | None:
    """Return what Secure-Session-Response or Sec-Secure-Session-Id says, or None. No input raises.

    It may be bare, or quoted with parameters, which are dropped.
    """
    if len(raw) > MAX_PROOF:
        return None
    text = raw.decode("latin-1").strip(" \t")
    if _BARE.fullmatch(text):
        return text
    match = _QUOTED.fullmatch(text)
    return None if match is None else re.sub(r'\\(["\\])', r"\1", match[1])
