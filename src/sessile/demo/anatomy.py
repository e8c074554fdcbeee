# What this module shows is the visitor's own: the record is looked up under the id of the session of this very
# request, which the middleware has verified. Nothing in the URL or the form chooses what is shown.
#
# A real site never does this: a page with the id in it puts the id into caches, screenshots and browser extensions.
"""A session taken apart for its owner: the cookie, what was verified, and the stored record."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from enum import Enum
from inspect import isawaitable
from urllib.parse import unquote

from fastapi import Request
from markupsafe import Markup, escape

from sessile import Record, Session, Sessions, cookies
from sessile._wire.signing import Signer

__all__ = ["Anatomist", "Anatomy", "Cookie", "State", "Stored"]

#: As much of a strange cookie as is shown.
LONGEST_SHOWN = 160


class State(Enum):
    """How far a visitor's session has come."""

    #: The browser sent no cookie, and nothing is stored.
    NONE = "none"
    #: The browser sent a cookie that is not believed, and nothing is stored.
    REFUSED = "refused"
    #: The session began with this page: the cookie is on its way to the browser.
    ARRIVING = "arriving"
    #: The browser sent the cookie, and it is good.
    SENT = "sent"


@dataclass(frozen=True, slots=True)
class Cookie:
    """A cookie that was verified, in its parts as they travel."""

    sid: str
    #: The signature as it travels, percent-encoded.
    signature: str

    @property
    def decoded_signature(self) -> str:
        """The signature as it was computed: base64."""
        return unquote(self.signature)


@dataclass(frozen=True, slots=True)
class Stored:
    """What the store keeps."""

    json: Markup
    size: int
    #: In epoch seconds.
    expires_at: float
    store: str


@dataclass(frozen=True, slots=True)
class Anatomy:
    """All that the panel shows."""

    state: State
    #: The name of the session cookie.
    name: str
    cookie: Cookie | None = None
    stored: Stored | None = None
    #: A cookie that was not believed, and why not.
    refused: str = ""
    reason: str = ""


class Anatomist:
    """Takes sessions apart. Knows the secret, as the middleware does. ``store`` is how the panel calls the store."""

    def __init__(self, sessions: Sessions, secret: str, store: str) -> None:
        self._signer = Signer([secret.encode()])
        self._records = sessions.engine.setup.async_store
        self._name = sessions.options.name
        self._store = store

    async def examine(self, request: Request, session: Session) -> Anatomy:
        """Return what there is to see of the session of this request, as it is stored now."""
        sent = cookies.candidates(cookies.header_of(request.scope, b"cookie"), self._name.encode())
        record = None if session.is_new else await self._load(session.id)
        if record is None:
            return self._refused(sent) if sent else Anatomy(State.NONE, self._name)
        arrived = any(self._signer.read_token(value) == session.id for value in sent)
        state = State.SENT if arrived else State.ARRIVING
        return Anatomy(state, self._name, self._cookie(session.id), self._stored(record))

    async def _load(self, sid: str) -> Record | None:
        # A store answers at once where it can, and with something to await where it would have to wait.
        answer = self._records.load(sid)
        record: Record | None = await answer if isawaitable(answer) else answer
        return record

    def _cookie(self, sid: str) -> Cookie:
        _, _, signature = self._signer.token(sid).rpartition(".")
        return Cookie(sid, signature)

    def _stored(self, record: Record) -> Stored:
        return Stored(highlight(record.payload), len(record.payload), record.expires_at, self._store)

    def _refused(self, sent: list[bytes]) -> Anatomy:
        signed = {self._signer.read_token(value) for value in sent} - {None}
        if not signed:
            reason = "The signature does not fit, so this is not a cookie that we made. The store was not even asked."
        elif len(signed) == 1:
            reason = "We signed it once, but the store has no such record any more: it was ended, or has expired."
        else:
            reason = (
                "It came several times, with different ids. Which of them is yours nobody can tell; none is believed."
            )
        shown = sent[0].decode("utf-8", "replace")
        if len(shown) > LONGEST_SHOWN:
            shown = shown[:LONGEST_SHOWN] + "…"
        return Anatomy(State.REFUSED, self._name, refused=shown, reason=reason)


_TOKENS = re.compile(r'("(?:[^"\\]|\\.)*")(\s*:)?|(-?\d[\d.eE+-]*|true|false|null)')


def highlight(payload: bytes) -> Markup:
    """Return JSON as readable HTML: indented, keys and values marked."""
    pretty = json.dumps(json.loads(payload), indent=2, ensure_ascii=False)
    parts: list[Markup] = []
    end = 0
    for found in _TOKENS.finditer(pretty):
        parts.append(escape(pretty[end : found.start()]))
        text, colon, word = found.groups()
        kind = "key" if colon else "text" if text else "word"
        parts.append(Markup('<span class="json-{}">{}</span>{}').format(kind, text or word, colon or ""))
        end = found.end()
    return Markup("").join([*parts, escape(pretty[end:])])
