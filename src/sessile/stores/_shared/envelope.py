# A Node store deletes what it cannot parse, or ends in an error. So what is no JSON, or has an id that is no key, is
# kept in JSON all the same, under a digest of the id, where nobody else's record can be:
#
#     %<SHA-256 of the sid>   {"__sid":"<base64>","__payload":"<base64>"}
#
# And so is what looks like an envelope, that nobody takes it for one.
"""Envelopes for ids and payloads that a place which takes only text and JSON does not take as they are."""

from __future__ import annotations

import json
from hashlib import sha256

import msgspec

__all__ = ["digest", "is_wrapped", "parse_leniently", "unwrap", "wrap"]

_HEAD = b'{"__sid":'


class _Envelope(msgspec.Struct):
    sid: bytes = msgspec.field(name="__sid")
    payload: bytes = msgspec.field(name="__payload")


_decoder = msgspec.json.Decoder(_Envelope)


def digest(sid: str) -> str:
    """Return the SHA-256 of any text, as 64 hexadecimal digits."""
    return sha256(sid.encode("utf-8", "surrogatepass")).hexdigest()


def is_wrapped(payload: bytes) -> bool:
    """Tell whether ``payload`` looks like an envelope."""
    return payload.startswith(_HEAD)


def wrap(sid: str, payload: bytes) -> bytes:
    """Return the envelope for any ``sid`` and ``payload``: a JSON object."""
    return msgspec.json.encode(_Envelope(sid.encode("utf-8", "surrogatepass"), payload))


def unwrap(content: bytes) -> tuple[str, bytes] | None:
    """Return the sid and the payload in an envelope. None if ``content`` is none, but somebody's with such a key."""
    if not content.startswith(_HEAD):
        return None
    try:
        envelope = _decoder.decode(content)
        return envelope.sid.decode("utf-8", "surrogatepass"), envelope.payload
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None


def parse_leniently(text: str) -> object:
    """Return what ``text`` is as JSON, for what msgspec has refused. Raises ValueError if it is not JSON.

    Node escapes lone surrogates, which are legal JSON and which msgspec refuses.
    """
    try:
        return json.loads(text, parse_constant=_refuse)
    except RecursionError:
        raise ValueError("it is nested too deep") from None


def _refuse(name: str) -> object:
    raise ValueError(f"{name} is not JSON")
