"""Check what a handler gives to the verbs of its session."""

from __future__ import annotations

__all__ = ["check_number", "check_seconds", "check_user"]


def check_number(by: float) -> float:
    """Return ``by``. Raises TypeError if it is no number."""
    if isinstance(by, bool) or not isinstance(by, (int, float)):
        raise TypeError(f"incr() adds a number, not a {type(by).__name__}")
    return by


def check_user(user_id: object) -> None:
    """Raise TypeError if ``user_id`` names nobody."""
    if isinstance(user_id, bool) or not isinstance(user_id, (str, int)) or user_id == "":
        kind = "an empty str" if user_id == "" else type(user_id).__name__
        raise TypeError(f"login() takes the user's id as text or an int, not {kind}")


def check_seconds(name: str, value: float, least: float) -> None:
    """Raise ValueError unless ``value``, the argument ``name``, is a number of seconds from ``least`` to a day."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not least <= value <= 86_400:
        raise ValueError(f"{name}={value!r}: give seconds, from {least} to 86400")
