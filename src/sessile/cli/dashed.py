# One id in 64 begins with a dash, and what reads command lines takes it for options: `-yX...` even for a `--yes`. An id
# is told from an option by its length: no option of ours is as long as the shortest id that is safe.
"""Commands whose argument may be an id, and an id may begin with a dash."""

from __future__ import annotations

import re
from typing import Any

from sessile.cli.flags import Command

__all__ = ["NamesSession"]

#: 16 random bytes, the least that is safe, are 22 characters of base64url. Ours are 32.
_ID = re.compile(r"-[A-Za-z0-9_-]{21,}")


class NamesSession(Command):
    """A command that takes a handle or an id, anywhere among its options."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Read the command line, with ids that begin with a dash at its end, behind ``--``."""
        end = args.index("--") if "--" in args else len(args)
        takes_value = {
            name for param in self.params if not getattr(param, "is_flag", True) for name in getattr(param, "opts", ())
        }
        ids: list[str] = []
        rest: list[str] = []
        for before, argument in zip(["", *args], args[:end], strict=False):
            (ids if _ID.fullmatch(argument) and before not in takes_value else rest).append(argument)
        return super().parse_args(ctx, [*rest, "--", *ids, *args[end + 1 :]] if ids else args)
