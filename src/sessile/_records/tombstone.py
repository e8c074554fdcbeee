# A session that gets a new id leaves a tombstone under the old one, so that in one atomic step the old id dies and what
# others wrote before is taken along. Requests in flight that still go by the old id find it there: who ends the session
# ends it under its new id, and during a time of grace who reads or writes is sent on.
#
# Whoever reads the store must learn no id from it (hash_ids), so the new id is masked with the old one, which nobody
# there knows: a one-time pad made by SHAKE-256 (FIPS 202), for each id has one successor. Where the store holds hashed
# ids, the tombstone also names the successor as it stands there: so a revocation, which knows no ids, can follow it.
"""What stands in the place of a record whose id is dead."""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Mapping
from hashlib import shake_256
from typing import NamedTuple

from sessile._records.attributes import moment_in
from sessile._records.record import JSON, Contents, decode, encode

__all__ = ["TOMBSTONE", "Tombstone", "bury", "found_in", "tombstone_of"]

#: The system fields. Text in the first one is the masked successor.
ROTATED, UNTIL, TELLS, NEXT = "rotated", "until", "tells", "next"


class Tombstone(NamedTuple):
    """What a tombstone says."""

    #: The id under which the session goes on, or "" if it does not.
    successor: str = ""
    #: Until when those who come by the old id are sent on, in epoch seconds; None if they never were.
    until: float | None = None
    #: Whether they are given the new id as well.
    tells: bool = False
    #: The successor as it stands in the store, where that is another text.
    stored: str = ""

    def __repr__(self) -> str:
        return f"<Tombstone until {self.until}>"

    def sends_on(self, now: float) -> bool:
        """Tell whether a request that comes by the old id is sent on to the new one."""
        return self.until is not None and now < self.until


def bury(
    sid: str,
    successor: str,
    until: float | None = None,
    tells: bool = False,
    stored: str = "",
    seal: Callable[[dict[str, JSON]], dict[str, JSON]] = dict,
) -> bytes:
    """Return the payload of a tombstone for ``sid``, whose session goes on as ``successor``. See ``Tombstone``.

    ``seal`` proves the fields to be ours (``fields.py``).
    """
    system: dict[str, JSON] = {ROTATED: urlsafe_b64encode(_mask(successor.encode("utf-8"), sid)).decode("ascii")}
    if until is not None:
        system[UNTIL] = until
    if tells:
        system[TELLS] = True
    if stored:
        system[NEXT] = stored
    return _payload(seal(system))


def tombstone_of(sid: str, system: Mapping[str, JSON]) -> Tombstone | None:
    """Return the tombstone of ``sid`` if that is what a record with these system fields is. No input raises."""
    if ROTATED not in system:
        return None
    masked, until, stored = system[ROTATED], system.get(UNTIL), system.get(NEXT)
    try:
        successor = _mask(urlsafe_b64decode(masked), sid).decode("utf-8") if isinstance(masked, str) else ""
    except ValueError:
        successor = ""
    sends_on = moment_in(until) if successor else None
    return Tombstone(successor, sends_on, system.get(TELLS) is True, stored if isinstance(stored, str) else "")


def found_in(sid: str, payload: bytes, check: Callable[[Contents], None] | None = None) -> Tombstone | None:
    """Return the tombstone of ``sid`` if that is what ``payload`` is. No input raises.

    ``check`` removes fields that are not ours (``SystemFields.check``).
    """
    contents = decode(payload)
    if contents is None or not contents.system:
        return None
    if check is not None:
        check(contents)
    return tombstone_of(sid, contents.system)


def _mask(text: bytes, sid: str) -> bytes:
    pad = shake_256(b"sessile successor of " + sid.encode("utf-8", "surrogatepass")).digest(len(text))
    return bytes(one ^ other for one, other in zip(text, pad, strict=True))


def _payload(system: dict[str, JSON]) -> bytes:
    # With a cookie, because Node's express-session would stumble over a record without one.
    return encode(Contents({}, {"originalMaxAge": None, "expires": None}, system))


#: A tombstone of a session that does not go on.
TOMBSTONE = _payload({ROTATED: True})
