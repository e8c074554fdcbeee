"""The form of iron-session 8 and 9: the JSON of the data in a seal of iron, with its end."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import unquote_to_bytes

from sessile._engine.forms.foreign import ForeignCookie, Opened, data_of
from sessile._records.record import JSON, Contents, encode
from sessile._wire.iron import IronSeals
from sessile.errors import InvalidOption
from sessile.stores.base import Record

__all__ = ["IronSession", "check_passwords"]

#: iron refuses shorter ones.
_SHORTEST = 32

#: What iron-session puts behind a seal: the version of what is in it.
_VERSION = "~2"


class IronSession(ForeignCookie):
    """Carries a session as iron-session of Node does. There is no id in it.

    ``passwords`` have the numbers ``ids``; None: they are counted down to 1, as in ``{2: new, 1: old}``.
    """

    def __init__(self, name: str, passwords: list[bytes], ids: Sequence[int] | None = None) -> None:
        super().__init__(name)
        numbers = list(range(len(passwords), 0, -1)) if ids is None else list(ids)
        if len(numbers) != len(passwords):
            problem = f"{len(numbers)} for {len(passwords)} passwords"
            raise InvalidOption("password_ids", problem, "Give the number that each has in Node, in the same order.")
        check_passwords(passwords)
        self._seals = IronSeals([(str(number), password) for number, password in zip(numbers, passwords, strict=True)])

    def _open(self, value: bytes, header: bytes) -> Opened | None:
        unsealed = self._seals.unseal(unquote_to_bytes(value).partition(b"~")[0])
        if unsealed is None:
            return None
        return Opened(data_of(unsealed.plaintext), unsealed.expires_at, unsealed.current)

    def _make(self, sid: str, contents: Contents, record: Record, stored: dict[str, JSON], now: float) -> str:
        return self._seals.seal(encode(contents), record.expires_at) + _VERSION


def check_passwords(passwords: Sequence[bytes]) -> None:
    """Raise InvalidOption for a password that iron refuses."""
    if min(len(password.decode("utf-8", "replace")) for password in passwords) < _SHORTEST:
        raise InvalidOption(
            "secret",
            f"iron takes no password of fewer than {_SHORTEST} characters",
            "Give the one of the Node application, which is longer.",
        )
