# A role that may use Node's table only, or an ACL that allows Node's keys only, forbids the index and nothing else.
# Then log-ins go on as with index_users=False. The index is tried again once in a while: who grants the right needs no
# restart, and the sessions that were not entered are entered when they come next.
#
# With a limit of sessions the index is needed, so there it stays an outage.
"""What becomes of log-ins where the server forbids the index."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable

from sessile._records.fields import SystemFields
from sessile.errors import StoreRefused
from sessile.options import Options

__all__ = ["UNWRITABLE", "Permission"]

UNWRITABLE = (
    "the index of a user's sessions cannot be written. If the store may keep nothing beside the sessions, because it "
    "may make no table or use no other keys, set index_users=False"
)

#: For how many seconds the index is not tried again.
TRIED_AGAIN = 60.0

#: How servers say that a right is missing: Redis, PostgreSQL, and MySQL for a database, a table, and a column.
_FORBIDDEN = re.compile(r"(?:^|: )\s*(?:NOPERM|42501|1044|1142|1143)\b")

_log = logging.getLogger("sessile")


class Permission:
    """Knows whether the server lets this process use the index."""

    def __init__(self, options: Options, fields: SystemFields, clock: Callable[[], float]) -> None:
        self._needs = options.max_sessions_per_user is not None
        self._fields = fields
        self._clock = clock
        self._warned = False
        self._again = 0.0

    def is_missing(self) -> bool:
        """Return True if it was refused a short while ago."""
        return 0 < self._again - self._clock() <= TRIED_AGAIN

    def given(self) -> None:
        """Note that the index was written."""
        self._fields.enters = True

    def refused(self, error: BaseException) -> bool:
        """Return True if ``error`` says that a right is missing, and the sessions do without the index. Warn once."""
        if self._needs or not isinstance(error, StoreRefused) or not _FORBIDDEN.search(error.reason):
            return False
        self._fields.enters = False
        self._again = self._clock() + TRIED_AGAIN
        if not self._warned:
            self._warned = True
            _log.warning(
                "sessions work, but the index of users may not be used: %s. So revoke_user and of_user cannot work. "
                "Grant what was refused, or set index_users=False",
                error,
            )
        return True
