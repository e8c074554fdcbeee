# An event is a fact about a session that somebody may want to count, log or act on. It carries no id, no token and
# no data: `session` is a keyed hash, good for telling that two lines speak of one session and for nothing else.
"""What happened to a session: log lines, and a hook for everything else."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable
from enum import Enum

import msgspec

__all__ = ["Event", "Events", "Happening"]

logger = logging.getLogger("holdfast")


class Happening(Enum):
    """Everything that can happen, with the level at which it is logged."""

    CREATED = "created", logging.DEBUG
    SAVED = "saved", logging.DEBUG
    MERGED = "merged", logging.DEBUG
    COLLIDED = "collided", logging.DEBUG
    ROTATED = "rotated", logging.DEBUG
    DESTROYED = "destroyed", logging.DEBUG
    EXPIRED = "expired", logging.DEBUG
    REVOKED = "revoked", logging.INFO
    UNKNOWN_ID = "unknown_id", logging.DEBUG
    BAD_SIGNATURE = "bad_signature", logging.DEBUG
    AMBIGUOUS = "ambiguous_cookies", logging.WARNING
    CORRUPT = "corrupt_record", logging.WARNING
    DROPPED = "changes_dropped", logging.INFO
    COOKIE_TOO_LATE = "cookie_too_late", logging.WARNING
    INSECURE = "insecure_transport", logging.WARNING
    STORE_UNAVAILABLE = "store_unavailable", logging.ERROR

    def __init__(self, label: str, level: int) -> None:
        self.label = label
        self.level = level


class Event(msgspec.Struct, frozen=True):
    """One thing that happened. ``Sessions(on_event=...)`` is called with it."""

    #: What happened: one of the labels of ``Happening``, such as ``"merged"``.
    name: str
    #: A keyed hash of the session's id, or "" where no session is concerned. Worthless to a thief.
    session: str
    #: What it means, in a sentence for a log.
    detail: str


class Events:
    """Tells the log and the user's hook."""

    __slots__ = ("_hook", "_key")

    def __init__(self, key: bytes, hook: Callable[[Event], None] | None) -> None:
        self._key = hashlib.sha256(b"holdfast events" + key).digest()
        self._hook = hook

    def tell(self, happening: Happening, sid: str | None = None, detail: str = "") -> None:
        """Report that ``happening`` befell the session ``sid``. A hook that raises is logged, and changes nothing."""
        heard = logger.isEnabledFor(happening.level)
        if not heard and self._hook is None:
            return
        event = Event(happening.label, self._alias(sid), detail)
        if heard:
            logger.log(happening.level, "%s session=%s %s", event.name, event.session or "-", event.detail)
        if self._hook is not None:
            try:
                self._hook(event)
            except Exception:
                logger.exception("the on_event hook failed")

    def _alias(self, sid: str | None) -> str:
        if sid is None:
            return ""
        return hashlib.blake2b(sid.encode("utf-8", "replace"), key=self._key, digest_size=6).hexdigest()
