# Two ways to name sessions. `--app` names the Sessions of a program, which know their codecs, their names and their
# limits. `--store` names a store alone, for a look at it: then the options are the defaults.
#
# Secrets come from the environment: an argument stands in the list of processes and in the shell's history.
"""Which sessions a command works on: ``--app`` and ``--store``."""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
import sys
import warnings
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from itertools import chain
from operator import attrgetter
from pathlib import Path
from types import MethodType, ModuleType
from typing import Annotated, Any, ParamSpec, TypeVar, cast
from urllib.parse import unquote, urlsplit

import typer

from sessile import Session, SessionError, Sessions, StoreRefused, StoreUnavailable
from sessile.cli.program import is_factory, sessions_of
from sessile.cli.wrong import WrongArguments
from sessile.options import WeakSecretWarning
from sessile.stores import place_of

P = ParamSpec("P")
T = TypeVar("T")

__all__ = ["App", "Site", "Store", "imported", "opened", "secrets_of_environment", "without_password"]

SECRET = "SESSION_SECRET"  # noqa: S105

#: How many sessions of an asynchronous store are listed in one trip to its event loop.
PAGE_SIZE = 500

_WHICH = "Which sessions"

#: The command says what happens to a session. Without a handler, logging would say it too.
_SILENCE = logging.NullHandler()


def without_password(context: typer.Context, parameter: typer.CallbackParam, url: str | None) -> str | None:
    """Return ``url``, an option. Raises SessionError if it was given as an argument and has a password in it."""
    source = context.get_parameter_source(parameter.name or "")
    if url and source is not None and source.name == "COMMANDLINE" and _has_password(url):
        raise WrongArguments(
            f"{parameter.opts[0]} has a password in it, which everybody on this machine can see there. "
            f"Give the URL in the environment: {parameter.envvar}"
        )
    return url


def _has_password(url: str) -> bool:
    rest = url.partition("://")[2]
    return "password=" in url or (not rest.startswith("/") and ":" in rest.rpartition("@")[0])


App = Annotated[
    str | None,
    typer.Option(
        envvar="SESSILE_APP",
        metavar="MODULE:NAME",
        help="The `Sessions` of your program, such as shop.main:sessions; or your application; or a function that "
        "returns either.",
        rich_help_panel=_WHICH,
    ),
]
Store = Annotated[
    str | None,
    typer.Option(
        envvar="SESSILE_STORE",
        metavar="URL",
        help="Or the URL of their store, such as redis://localhost. Options are the defaults then, and the secret, "
        "if one is needed, is read from SESSION_SECRET.",
        rich_help_panel=_WHICH,
        callback=without_password,
    ),
]


class Site:
    """The sessions that a command works on, to be asked from synchronous code, whether or not their store is async."""

    def __init__(self, sessions: Sessions, place: str, *, app: bool, keys: int) -> None:
        self.sessions = sessions
        #: What to call the store in a sentence.
        self.place = place
        #: Whether the options are those of the program.
        self.app = app
        #: How many secrets there are: 0 if none was given, and what stands in the options was made up.
        self.keys = keys
        self._runner: asyncio.Runner | None = None
        self._probed = not app  # The stores that have a URL are at home in both.

    def ask(self, call: Callable[P, T], *arguments: P.args, **named: P.kwargs) -> T:
        """Return what ``call`` returns, a synchronous method; or its twin with an ``a``, if the store is async."""
        if self._runner_needed() is None:
            return call(*arguments, **named)
        method = cast("MethodType", call)
        answer: T = self._run(getattr(method.__self__, f"a{method.__name__}"), *arguments)
        return answer

    def all(self) -> Iterator[Session]:
        """Yield all live sessions. The store is read while you go."""
        if self._runner_needed() is None:
            yield from self.sessions.all()
            return
        listing = aiter(self.sessions.all())
        while page := self._run(_page, listing):
            yield from page

    def unreadable(self) -> int:
        """Return how many records could not be read so far: they are damaged, or in the form of a codec."""
        return self.sessions.counts().get("corrupt_record", 0)

    def close(self) -> None:
        """Let go of the store's connections."""
        try:
            if self._probed:
                self.ask(self.sessions.close)
        finally:
            if self._runner is not None:
                self._runner.close()

    def _runner_needed(self) -> asyncio.Runner | None:
        """Return what runs asynchronous code, if the store answers to nothing else."""
        if not self._probed:
            self._probed = True
            try:
                self.sessions.open("sessile")
            except StoreUnavailable:
                pass  # The next call says so.
            except SessionError:
                self._runner = asyncio.Runner()
        return self._runner

    def _run(self, body: Callable[..., Any], *arguments: Any) -> Any:
        assert self._runner is not None
        return self._runner.run(body(*arguments))


async def _page(listing: AsyncIterator[Session]) -> list[Session]:
    found: list[Session] = []
    async for session in listing:
        found.append(session)
        if len(found) == PAGE_SIZE:
            break
    return found


@contextmanager
def opened(app: str | None, store: str | None) -> Iterator[Site]:
    """Open the sessions that ``app`` or ``store`` names, and close them. An outage in between is told with the place.

    Raises SessionError, in a line, for whatever is wrong with either.
    """
    logging.getLogger("sessile").addHandler(_SILENCE)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", WeakSecretWarning)  # That is for `sessile check` to say.
        site = _site(app, store)
    try:
        yield site
    except StoreRefused as error:
        raise SessionError(f"{site.place} answers, and refused: {error.reason}") from error
    except StoreUnavailable as error:
        raise SessionError(f"{site.place} does not answer: {error}") from error
    finally:
        site.close()


def secrets_of_environment() -> list[str]:
    """Return the secrets in SESSION_SECRET, one a line, the one that signs first."""
    return [line for line in os.environ.get(SECRET, "").splitlines() if line.strip()]


def _site(app: str | None, store: str | None) -> Site:
    if app and store:
        raise WrongArguments(
            "both --app and --store are given (or SESSILE_APP and SESSILE_STORE). Leave one of them out"
        )
    if app:
        sessions = _of_program(app)
        place = getattr(sessions.store, "place", None)
        return Site(sessions, place or f"the store of {app}", app=True, keys=len(sessions.options.secrets()))
    if store:
        _check_that_it_is_there(store)
        keys = secrets_of_environment()
        sessions = Sessions(secret=keys or secrets.token_urlsafe(32), store=store)
        sessions.engine.setup.fields.believes_all = not keys  # What is only shown needs no proof.
        return Site(sessions, place_of(store), app=False, keys=len(keys))
    raise WrongArguments(
        "which sessions? Give --app MODULE:NAME, the Sessions of your program, or --store URL "
        "(or set SESSILE_APP or SESSILE_STORE)"
    )


def _check_that_it_is_there(url: str) -> None:
    """Raise SessionError if ``url`` names memory, or a file that is not there: to look at it would make it."""
    try:
        scheme, _, path, *_ = urlsplit(url)
    except ValueError:
        return  # Whoever opens it says what is wrong with it.
    if scheme == "memory":
        raise WrongArguments("memory:// is the memory of one process, and no other can look into it. Use another store")
    if scheme in ("sqlite", "file") and path.strip("/") and not Path(unquote(path[1:])).exists():
        raise WrongArguments(f"{place_of(url)}: there is nothing of this name. An absolute path has four slashes")


def imported(module: str) -> ModuleType:
    """Return the module of this name, which may be in the current folder."""
    if os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())
    return import_module(module)


def _of_program(app: str) -> Sessions:
    """Return the Sessions that ``app``, ``MODULE:NAME``, names."""
    module, _, name = app.partition(":")
    if not module or not name:
        raise WrongArguments(f"--app {app!r} is not MODULE:NAME, such as shop.main:sessions")
    try:
        found = imported(module)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{module}.".startswith(f"{error.name}."):
            raise _failed(f"{module} cannot be imported", error) from error
        problem = f"there is no module {error.name} in {os.getcwd()} or on the path"
        raise WrongArguments(f"--app {app!r}: {problem}") from error
    except Exception as error:
        raise _failed(f"{module} cannot be imported", error) from error
    try:
        found = attrgetter(name)(found)
    except AttributeError as error:
        raise WrongArguments(f"--app {app!r}: the module {module} has no {name}") from error
    if not isinstance(found, Sessions) and is_factory(found):
        try:
            found = found()
        except Exception as error:
            raise _failed(f"{app}() failed", error) from error
    sessions = found if isinstance(found, Sessions) else sessions_of(found)
    if sessions is None:
        raise WrongArguments(
            f"--app {app!r} is not a Sessions, but {type(found).__name__}. Name your Sessions, a function that returns "
            "it, or an application that was given sessions=..."
        )
    return sessions


def _failed(what: str, error: Exception) -> SessionError:
    said = " ".join(chain((f"{what}: {type(error).__name__}:",), str(error).split()))
    return SessionError(said)
