"""The error of who has given the wrong arguments."""

from __future__ import annotations

from sessile.errors import SessionError

__all__ = ["WrongArguments"]


class WrongArguments(SessionError):
    """Says that the command cannot begin with these arguments: exit code 2."""
