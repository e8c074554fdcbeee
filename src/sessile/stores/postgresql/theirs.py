# A pool of psycopg_pool does not survive a fork: its threads are gone, and its connections are the parent's as well. Of
# a connection that two processes read from, each gets what the other has asked for. So none is used that is older than
# the process; it is not closed either, for the server would end what the parent uses.
"""A pool of psycopg_pool that the program has brought."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

from sessile.dual import Steps
from sessile.errors import InvalidOption
from sessile.stores.postgresql.driver import code_of, is_idle
from sessile.stores.postgresql.table import CODES

__all__ = ["Theirs"]

#: How often, in seconds, the pool may be told to open new connections because the server takes no writes.
DRAIN_EVERY = 0.25

_inherited: list[Any] = []


class Theirs:
    """The user's own pool. Its connections may have settings of their own; the pool is never closed here."""

    closed = False

    def __init__(self, option: str, pool: Any, timeout: float) -> None:
        self._option = option
        self._pool = pool
        self._timeout = timeout
        self._drained_at = -DRAIN_EVERY

    def use(self, work: Callable[[Any], Steps[Any]]) -> Steps[Any]:
        """Run ``work`` with a connection that nobody else uses meanwhile."""
        try:
            return (yield from self._use(work))
        except Exception as error:
            now = time.monotonic()
            if not CODES.say(code_of(error), CODES.demoted) or now - self._drained_at < DRAIN_EVERY:
                raise
            # The server's name may lead to another one by now. The statement has not been carried out.
            self._drained_at = now
        if hasattr(self._pool, "drain"):  # From psycopg_pool 3.3 on.
            yield self._pool.drain()
        return (yield from self._use(work))

    def _use(self, work: Callable[[Any], Steps[Any]]) -> Steps[Any]:
        connection = yield self._pool.getconn(timeout=self._timeout)
        if getattr(connection, "_created_at", _began(os.getpid())) < _began(os.getpid()):
            _inherited.append(connection)
            problem = "it was opened before this process was forked"
            raise InvalidOption(self._option, problem, "Open it in each worker process, after the fork.")
        try:
            try:
                answer = yield from work(connection)
                if not connection.autocommit:
                    yield connection.commit()
            except Exception as error:
                if CODES.say(code_of(error), CODES.demoted):
                    connection.pgconn.finish()
                elif not connection.closed and not is_idle(connection):
                    yield connection.rollback()
                raise
            return answer
        except BaseException:
            if not is_idle(connection):
                connection.pgconn.finish()  # A reply may be pending, for the next one to read.
            raise
        finally:
            yield self._pool.putconn(connection)

    def close(self) -> Steps[None]:
        """Leave the pool open."""
        return
        yield


@lru_cache(maxsize=1)
def _began(process: int) -> float:
    """Return when this process began, by time.monotonic(), as far as the system tells."""
    try:
        ticks = int(Path("/proc/self/stat").read_text("ascii", "replace").rpartition(")")[2].split()[19])
        since_boot = ticks / os.sysconf("SC_CLK_TCK")
        return since_boot - time.clock_gettime(time.CLOCK_BOOTTIME) + time.monotonic()
    except (OSError, ValueError, IndexError, AttributeError):
        return float("-inf")
