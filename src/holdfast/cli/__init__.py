# Nothing here imports a package that may be missing: `main` looks first, and says what to install.
"""The ``holdfast`` command."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from io import TextIOWrapper

from holdfast.errors import MissingExtra, SessionError

__all__ = ["main", "require"]


def require(purpose: str, extra: str, *packages: str) -> None:
    """Raise MissingExtra, which names what to install, unless all ``packages`` are there."""
    if any(find_spec(package) is None for package in packages):
        raise MissingExtra(purpose, extra)


def main() -> None:
    """Run the command. What the user can put right is told in a line, with exit code 1, not in a traceback."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # A user's name is no reason to stop.
    try:
        require("The command", "cli", "typer", "rich")
        from holdfast.cli.application import application

        application()
    except SessionError as error:
        print(f"holdfast: {error}", file=sys.stderr)
        sys.exit(1)
