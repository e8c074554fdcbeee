# Nothing here imports a package that may be missing: `main` looks first, and says what to install.
"""The ``sessile`` command."""

from __future__ import annotations

import sys
from io import TextIOWrapper

from sessile.cli.extras import require
from sessile.cli.wrong import WrongArguments
from sessile.errors import InvalidOption, SessionError

__all__ = ["main"]


def main() -> None:
    """Run the command. What the user can put right is told in a line, not in a traceback.

    The exit code is 2 for wrong arguments, and 1 for whatever else failed.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # A user's name is no reason to stop.
    try:
        require("The command", "cli", "typer", "rich")
        from sessile.cli.application import application

        application()
    except SessionError as error:
        # What is wrong may quote what somebody else has written: nothing of it reaches the terminal as a command.
        said = "".join(each if each.isprintable() else repr(each)[1:-1] for each in str(error))
        print(f"sessile: {said}", file=sys.stderr)
        sys.exit(2 if isinstance(error, (WrongArguments, InvalidOption)) else 1)
