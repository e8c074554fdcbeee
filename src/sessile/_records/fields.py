# A handler of the Node side writes the whole record, and one that assigns a request's body to its session would let the
# visitor write our own fields too: a log-in out of nothing. So they carry a MAC, under a key that only we derive from
# the secrets. Fields without a valid one are ignored.
#
#   1. It is computed over values, not over text, in a form that survives JSON.parse and JSON.stringify: there 1.0
#      becomes 1, -0 becomes 0, and keys that look like integers come first.
#   2. It does not bind the id. Node may move the fields to a new id (passport's keepSessionInfo). But they say under
#      which id the session was entered in the index, so that one that has got another is entered when it comes.
#   3. The first secret makes it, all are accepted: it rotates with them.
#   4. The last few thousand MACs are remembered by the JSON of the fields, and digests by their ids: the requests of a
#      visitor come in rows.
"""Prove that the system fields of a record are ours."""

from __future__ import annotations

import hmac
import json
from base64 import urlsafe_b64encode
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Final

import msgspec

from sessile._records.record import INDEXES, JSON, USER, Contents, javascript_number
from sessile._records.tombstone import ROTATED

__all__ = ["ENTERED", "MAC", "UNTRUSTED", "VERSION", "SystemFields"]

#: The fields that are added here: the proof, the version of the format, and the id under which the session was entered.
MAC, VERSION, ENTERED = "mac", "v", "entered"

#: What stands in the place of fields that are not ours.
UNTRUSTED: Final[dict[str, JSON]] = {}

_FORMAT = 1

#: How many MACs are remembered, and of how many bytes of JSON at most: five megabytes with all of them.
RECENT, LONGEST_REMEMBERED = 4096, 1024

_encoder = msgspec.json.Encoder(order="deterministic")
_as_it_is = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder()


class SystemFields:
    """Seals the system fields of records, and checks the seal.

    ``digest`` makes of an id what can stand in a record for it.
    """

    def __init__(self, secrets: Sequence[bytes], digest: Callable[[str], str]) -> None:
        self._keys = [hmac.digest(secret, b"sessile system fields", "sha256") for secret in secrets]
        self._digest = lru_cache(RECENT)(digest)
        self._mac_of = lru_cache(RECENT)(_mac_of)
        #: Whether sessions are entered in the index of their user.
        self.enters = False
        #: Whether fields are believed without a seal: for a tool that knows no secret, and only shows them.
        self.believes_all = False

    def sealed(self, system: dict[str, JSON], sid: str) -> dict[str, JSON]:
        """Return ``system`` as it is to be stored under ``sid``."""
        if not system:
            return system
        fields = {VERSION: _FORMAT, **system}
        if self.enters and (USER in fields or INDEXES in fields):
            fields[ENTERED] = self._digest(sid)[:16]
        else:
            fields.pop(ENTERED, None)
        return self.sealed_again(fields)

    def sealed_again(self, system: dict[str, JSON]) -> dict[str, JSON]:
        """Return ``system``, of a record that keeps its id, as it is to be stored after a change."""
        if not system:
            return system
        fields = {name: value for name, value in system.items() if name != MAC}
        fields[MAC] = self._mac(self._keys[0], fields)
        return fields

    def check(self, contents: Contents) -> None:
        """Put UNTRUSTED in the place of the system fields if nobody can have written them but a stranger."""
        system = contents.system
        if not system or self.believes_all or system.get(ROTATED) is True:
            return
        mac = system.get(MAC)
        if isinstance(mac, str):
            rest = {name: value for name, value in system.items() if name != MAC}
            given = mac.encode("utf-8", "replace")
            if any(hmac.compare_digest(self._mac(key, rest).encode("ascii"), given) for key in self._keys):
                return
        contents.system = UNTRUSTED

    def _mac(self, key: bytes, fields: dict[str, JSON]) -> str:
        try:
            text = _as_it_is.encode(fields)
            if len(text) <= LONGEST_REMEMBERED:
                return self._mac_of(key, text)
        except (msgspec.MsgspecError, UnicodeError, OverflowError, RecursionError):
            pass
        return _mac(key, fields)

    def is_entered(self, system: Mapping[str, JSON], sid: str) -> bool:
        """Return True if a session with these fields needs no entry under ``sid``: it has one, or belongs nowhere."""
        if USER not in system and INDEXES not in system:
            return True
        return system.get(ENTERED) == self._digest(sid)[:16]


def _mac_of(key: bytes, text: bytes) -> str:
    return _mac(key, _decoder.decode(text))


def _mac(key: bytes, fields: Mapping[str, JSON]) -> str:
    return urlsafe_b64encode(hmac.digest(key, _canonical(fields), "sha256")[:18]).decode("ascii")


def _canonical(fields: Mapping[str, JSON]) -> bytes:
    value = _plain(fields)
    try:
        return _encoder.encode(value)
    except (msgspec.MsgspecError, UnicodeEncodeError, OverflowError, RecursionError):
        return json.dumps(value, sort_keys=True, separators=(",", ":")).encode("ascii")


def _plain(value: JSON) -> JSON:
    """Return ``value`` as JavaScript gives it back."""
    kind = value.__class__
    if kind is str or kind is int or kind is bool or value is None:
        return value
    if kind is float:
        if value != value or value in (float("inf"), float("-inf")):
            return None
        # From 1e21 on JavaScript writes an exponent, and a float comes back.
        return int(javascript_number(value)) if value.is_integer() and abs(value) < 1e21 else value
    if isinstance(value, Mapping):
        return {key: _plain(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(each) for each in value]
    return value
