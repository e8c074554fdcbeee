# One value, a list: two requests that change it are never joined into a third. Only the log-in or the new id of a
# session begins one, and only a registration fills it (``_engine/device``).
"""The binding of a session to a device, as it stands in the system fields."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import NamedTuple

from sessile._records.record import JSON

__all__ = ["DEVICE", "Binding", "binding_in", "offered"]

#: The system field.
DEVICE = "device"

_IDENTIFIER_BYTES = 16


class Binding(NamedTuple):
    """A device that was registered, or may be."""

    #: What the browser knows the binding by. Never the session's id, for it stands in logs.
    identifier: str
    #: The public key, as text; "" until there is one. Then its thumbprint, when that was (epoch seconds), and the
    #: moment of the last challenge that was answered (microseconds).
    key: str = ""
    thumbprint: str = ""
    since: float = 0.0
    last: int = 0

    def __repr__(self) -> str:
        return f"<Binding {'registered' if self.key else 'offered'}>"


def offered() -> list[JSON]:
    """Return the field of a session that may be bound, under a new identifier."""
    return list(Binding(secrets.token_urlsafe(_IDENTIFIER_BYTES)))


def binding_in(system: Mapping[str, JSON]) -> Binding | None:
    """Return the binding in system fields, or None."""
    value = system.get(DEVICE)
    return Binding(*value) if isinstance(value, list) and len(value) == len(Binding._fields) else None
