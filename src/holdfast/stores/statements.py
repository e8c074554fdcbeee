"""Run statements of SQL by a driver, and make the table when it turns out that there is none."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import nullcontext
from typing import Any, TypeAlias

from holdfast.dual import Steps
from holdfast.errors import UnserialisableValue
from holdfast.stores.pool import limited
from holdfast.stores.server import ServerStore

__all__ = ["Rows", "StatementStore"]

#: What a statement answers: its rows, and how many rows it changed.
Rows: TypeAlias = tuple[list[Any], int]

#: How often a statement is tried again that the server has undone, because another one was in its way.
TRIES = 10


class StatementStore(ServerStore):
    """What a store inherits whose verbs are statements.

    A subclass gives ``self._statements``, with named parameters; ``_connect``, whose client has ``use``, ``close`` and
    ``closed`` as a Pool has them; ``_execute``, which runs one statement on a connection; ``_define``, which makes the
    table; and what its driver's errors say.
    """

    _statements: Mapping[str, str]

    # For a subclass to give.

    def _execute(self, connection: Any, statement: str, values: Mapping[str, Any]) -> Steps[Rows]:
        raise NotImplementedError

    def _define(self, connection: Any) -> Steps[None]:
        raise NotImplementedError

    def _says_no_table(self, error: Exception) -> bool:
        raise NotImplementedError

    def _says_exists(self, error: Exception) -> bool:
        """Tell whether ``error`` says that what should be made is there already."""
        raise NotImplementedError

    def _says_again(self, error: Exception) -> bool:
        """Tell whether ``error`` says that another statement was in the way, and that nothing was done."""
        raise NotImplementedError

    def _says_taken(self, error: Exception) -> bool:
        """Tell whether ``error`` says that there is such a row. Then it is ``renew`` that replaces an expired one."""
        return False

    def _says_refused(self, error: Exception) -> bool:
        """Tell whether ``error`` says that the table cannot hold what was written."""
        raise NotImplementedError

    # How they are run.

    def _try(self, *arguments: Any) -> Steps[Any]:
        with nullcontext() if self._asyncio else limited(self._timeout):
            return (yield from super()._try(*arguments))

    def _run(self, client: Any, verb: str, **values: Any) -> Steps[Rows]:
        """Run a statement. The table is made when it turns out that there is none."""

        def work(connection: Any) -> Steps[Rows]:
            return (yield from self._execute(connection, self._statements[verb], values))

        for tries_left in reversed(range(TRIES)):
            try:
                rows: Rows = yield from client.use(work)
                return rows
            except Exception as error:
                if self._says_refused(error):
                    # Not with its cause: drivers quote what was refused.
                    raise UnserialisableValue("session", self._refusal(error)) from None
                no_table = self._says_no_table(error)
                if not tries_left or not (no_table or self._says_again(error)):
                    raise
            if no_table:
                yield from self._make_table(client)
        raise AssertionError

    def _make_table(self, client: Any) -> Steps[None]:
        try:
            yield from client.use(self._define)
        except Exception as error:
            if not self._says_exists(error):
                raise

    def _refusal(self, error: Exception) -> str:
        return f"is not what the database can hold ({type(error).__name__})"
