"""Run statements of SQL by a driver, and make the table when it turns out that there is none."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import nullcontext
from typing import Any, TypeAlias

from sessile.dual import Steps
from sessile.errors import StoreRefused, UnserialisableValue
from sessile.stores._shared.codes import Code, Codes
from sessile.stores._shared.pool import limited
from sessile.stores._shared.server import ServerStore

__all__ = ["Rows", "StatementStore"]

#: What a statement answers: its rows, and how many rows it changed.
Rows: TypeAlias = tuple[list[Any], int]

#: How often a statement is tried again that the server has undone, because another one was in its way.
TRIES = 10

#: The verbs of a store whose statements have names of their own.
_OPERATIONS = {"renew": "create", "page": "all", "begin sweep": "prune", "end sweep": "prune", "sweep": "prune"}


class StatementStore(ServerStore):
    """What a store inherits whose verbs are statements.

    A subclass gives ``self._statements``, with named parameters; ``_connect``, whose client has ``use``, ``close`` and
    ``closed`` as a Pool has them; ``_execute``, which runs one statement on a connection; ``_define``, which makes the
    table; and what its driver's errors say: ``codes``, ``_code`` and ``_words``.
    """

    codes: Codes

    _statements: Mapping[str, str]
    #: What the table is called, for error texts.
    _table: str

    # For a subclass to give.

    def _execute(self, connection: Any, statement: str, values: Mapping[str, Any]) -> Steps[Rows]:
        raise NotImplementedError

    def _define(self, connection: Any) -> Steps[None]:
        raise NotImplementedError

    def _code(self, error: BaseException) -> Code:
        """Return the code that the server gave an error."""
        raise NotImplementedError

    def _words(self, error: BaseException) -> str:
        """Return what an error says, without its code: only asked where that quotes nothing that was sent."""
        raise NotImplementedError

    def _look(self, connection: Any) -> Steps[None]:
        """Look at the table before the first statement, if its statements depend on what it is like."""
        return
        yield

    # How they are run.

    def _try(self, *arguments: Any) -> Steps[Any]:
        with nullcontext() if self._asyncio else limited(self._timeout):
            return (yield from super()._try(*arguments))

    def _run(self, client: Any, verb: str, **values: Any) -> Steps[Rows]:
        """Run a statement. The table is made when it turns out that there is none."""

        def work(connection: Any) -> Steps[Rows]:
            yield from self._look(connection)
            return (yield from self._execute(connection, self._statements[verb], values))

        for tries_left in reversed(range(TRIES)):
            try:
                rows: Rows = yield from client.use(work)
                return rows
            except Exception as error:
                code = self._code(error)
                if self.codes.say(code, self.codes.unfit):
                    # Not with its cause: drivers quote what was refused.
                    raise UnserialisableValue("session", self._unfit(error)) from None
                no_table = self.codes.say(code, self.codes.no_table)
                if not tries_left or not (no_table or self.codes.say(code, self.codes.again)):
                    self._refuse(verb, error)
                    raise
            if no_table:
                yield from self._make_table(client, verb)
        raise AssertionError

    def _make_table(self, client: Any, verb: str) -> Steps[None]:
        try:
            yield from client.use(self._define)
        except Exception as error:
            if not self.codes.say(self._code(error), self.codes.exists):
                self._refuse(verb, error, f"there is no table {self._table}, and it cannot be made: ")
                raise

    def _refuse(self, verb: str, error: Exception, before: str = "") -> None:
        """Raise StoreRefused if ``error`` says no."""
        reason = self._refusal(error)
        if reason is not None:
            # Not with its cause if that quotes what was sent.
            cause = None if self.codes.say(self._code(error), self.codes.quoting) else error
            raise StoreRefused(type(self).__name__, _OPERATIONS.get(verb, verb), before + reason) from cause

    def _refusal(self, error: Exception) -> str | None:
        """Return what the server said, if it has answered and said no."""
        code = self._code(error)
        if self.codes.say(code, self.codes.foreign):
            return f"{self._table} is not a table of sessions ({self._reason(error)}). Name another one by table="
        return self._reason(error) if self.codes.refuse(code) else None

    def _reason(self, error: Exception) -> str:
        """Return the server's code and the first line of its text, without what was sent."""
        code = self._code(error)
        if self.codes.say(code, self.codes.quoting):
            return str(code)
        words = (self._words(error).strip() or type(error).__name__).splitlines()[0]
        return words if code is None else f"{code}: {words}"

    def _unfit(self, error: Exception) -> str:
        """Return why the table cannot hold what was written, for the programmer."""
        return f"is not what the database can hold ({type(error).__name__})"
