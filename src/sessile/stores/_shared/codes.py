# A server that says no is not silent: it is full, it takes no writes, or it forbids what was asked. What it says is
# handed on, for only the operator can mend it; but some of its texts quote what was sent, ids and sessions, and of
# those only the code is.
"""What the codes of a database's errors mean to a store."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeAlias

__all__ = ["Code", "Codes"]

#: A SQLSTATE, a number of MySQL's, or the beginning of a text of SQLite's. None: an error without one.
Code: TypeAlias = "str | int | None"


@dataclass(frozen=True)
class Codes:
    """The codes of one database, by their meaning. Two letters stand for all SQLSTATEs of that class."""

    #: There is no such table.
    no_table: frozenset[Code]
    #: What should be made is there already.
    exists: frozenset[Code]
    #: Another statement was in the way, and nothing was done.
    again: frozenset[Code]
    #: There is such a row, and then it is ``renew`` that replaces an expired one.
    taken: frozenset[Code]
    #: The table cannot hold what was written.
    unfit: frozenset[Code]
    #: The server takes no writes: it may have been the writer a moment ago.
    demoted: frozenset[Code]
    #: The table is somebody else's: it has other columns, or constraints of its own.
    foreign: frozenset[Code]
    #: The server forbids it, or is full.
    refused: frozenset[Code]
    #: Texts with these codes may quote what was sent.
    quoting: frozenset[Code] = field(default=frozenset())

    @staticmethod
    def say(code: Code, meaning: frozenset[Code]) -> bool:
        """Tell whether ``code`` has this meaning."""
        return code is not None and (code in meaning or (isinstance(code, str) and code[:2] in meaning))

    def refuse(self, code: Code) -> bool:
        """Tell whether ``code`` says no, in whatever way."""
        return any(self.say(code, meaning) for meaning in (self.demoted, self.foreign, self.refused))
