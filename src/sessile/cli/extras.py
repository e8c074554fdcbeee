"""What is said where a package is missing that a command needs."""

from __future__ import annotations

from importlib.util import find_spec

from sessile.errors import MissingExtra

__all__ = ["require"]


def require(purpose: str, extra: str, *packages: str) -> None:
    """Raise MissingExtra, which names what to install, unless all ``packages`` are there."""
    if any(find_spec(package) is None for package in packages):
        raise MissingExtra(purpose, extra)
