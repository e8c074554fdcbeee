"""What came of a migration."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

__all__ = ["Progress", "Report", "Teller"]


class Report(msgspec.Struct):
    """How many sessions were found, and what became of them. All are numbers of sessions."""

    #: What the source listed.
    found: int = 0
    #: Put into the target, where they were not.
    copied: int = 0
    #: Put in the place of an older copy, for they had changed in the source.
    updated: int = 0
    #: Given another end, for they had been used in the source.
    renewed: int = 0
    #: In the target already, as they are in the source.
    present: int = 0
    #: Left alone, for somebody has changed them in the target.
    kept: int = 0
    #: Left alone, for they were ended in the target.
    ended: int = 0
    #: Taken out of the target, for they were ended in the source, and were there as they had been copied.
    removed: int = 0
    #: Not moved: what they hold cannot be kept in the target, or cannot be read.
    refused: int = 0
    #: Moved as they are, and not entered in the index of users, for what they hold is no JSON.
    opaque: int = 0
    #: Why the first of those that were refused was.
    reason: str = ""

    #: Compared, and equal byte for byte, with the same end.
    matching: int = 0
    #: Compared, and equal in content: the target writes it in its own way.
    rewritten: int = 0
    #: Compared, and used in the target since an earlier pass: changed, renewed or ended there.
    used: int = 0
    #: Changed in the source since they were copied: for the next pass.
    behind: int = 0
    #: Compared, and not as they were written.
    differing: int = 0
    #: Not in the target, where they were written.
    missing: int = 0

    verified: bool = False
    #: How long it took.
    seconds: float = 0.0

    @property
    def good(self) -> bool:
        """Whether nothing was refused, and nothing that was compared was found wrong."""
        return not (self.refused or self.differing or self.missing)


class Progress(msgspec.Struct, frozen=True):
    """How far it has come."""

    #: "copy", "remove" or "verify".
    stage: str
    done: int
    #: How many there are, as far as the source can tell.
    total: int | None
    #: What it waits for, "source" or "target", while that does not answer.
    waiting: str = ""


class Teller:
    """Tells ``watch`` how far a migration has come."""

    def __init__(self, watch: Callable[[Progress], None]) -> None:
        self._watch = watch
        self._stage, self._done, self._waiting = "copy", 0, ""
        self.total: int | None = None

    def tell(self, stage: str, done: int) -> None:
        """Tell that ``done`` sessions have been through ``stage``."""
        self._stage, self._done = stage, done
        self._watch(Progress(stage, done, self.total, self._waiting))

    def wait(self, side: str) -> None:
        """Tell that ``side`` does not answer, or, with "", that all do again."""
        self._waiting = side
        self.tell(self._stage, self._done)
