# A file is replaced as a whole: what is new is written beside it, and takes its name in one step. So a reader finds
# the old content or the new, never a part, and needs no lock; and a process may be killed at any moment.
#
# To compare and write in one step, writers take the lock of the folder. It is a lock of the system's (flock), which
# ends with its process, however that ends. Who holds it is alone, so one name for the file beside is enough, and what
# a killed process has left there goes with the next write. Alone among us: Node's store takes no lock.
#
# A lock that is not free is asked for again after a pause. Under asyncio the pause is one of asyncio's, so the event
# loop never waits for a lock, and it takes no thread.
"""A folder of files, each replaced as a whole, for any number of processes, threads and event loops."""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from sessile.dual import Steps
from sessile.errors import InvalidOption, StoreRefused, StoreUnavailable

try:
    import fcntl
except ImportError:  # Not POSIX.
    fcntl = None  # type: ignore[assignment]

__all__ = ["Folder", "outages"]

#: A system that says this has answered: there is no room, or no right.
_REFUSALS = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EPERM}

#: How long, in seconds, until a lock that is not free is asked for again. It is held for a fraction of that.
PAUSE = 0.001

_LOCK, _BESIDE = ".sessile.lock", ".sessile.tmp"


class Folder:
    """Reads and writes the files of the folder ``path`` that end in ``ending``. It is made if there is none.

    ``timeout`` is how long to wait for the lock, in seconds. The methods raise OSError, unless they say otherwise.
    """

    def __init__(self, path: str, ending: str, timeout: float) -> None:
        if fcntl is None:
            raise InvalidOption("store", "this system has no flock", 'Use store="sqlite:///sessions.db".')
        if not path or "\0" in path:
            raise InvalidOption("path", f"{path!r} is no folder", 'Give one, such as "sessions".')
        self.path = os.path.abspath(path)  # A program may change its folder later on.
        self._ending = ending
        self._timeout = timeout
        try:
            os.mkdir(self.path, 0o700)
        except OSError as error:
            if not os.path.isdir(self.path):
                remedy = (
                    "Name a folder that can be made in an existing one. An absolute path in a URL has four slashes."
                )
                raise InvalidOption("path", f"{path!r} cannot be made ({type(error).__name__})", remedy) from error

    def within(self, name: str) -> Folder:
        """Return a folder within this one. Raises InvalidOption if it cannot be made."""
        return Folder(f"{self.path}/{name}", self._ending, self._timeout)

    def alone(
        self, pause: Callable[[float], Any], operation: str, work: Callable[..., Any], *arguments: Any
    ) -> Steps[Any]:
        """Run ``work`` while nobody else does. ``pause`` is called to wait. Raises StoreUnavailable, never OSError.

        ``operation`` is what an error calls it.
        """
        deadline = time.monotonic() + self._timeout
        with outages(operation):
            while (lock := self._lock()) is None:
                if time.monotonic() >= deadline:
                    raise TimeoutError(errno.ETIMEDOUT, "another process keeps the lock")
                yield pause(PAUSE)
            try:
                return work(*arguments)
            finally:
                # Closing is not enough: a child that was forked meanwhile holds the lock as we do.
                fcntl.flock(lock, fcntl.LOCK_UN)
                os.close(lock)

    def _lock(self) -> int | None:
        # Opened each time, it is a lock between threads too.
        path, flags = f"{self.path}/{_LOCK}", os.O_RDWR | os.O_CREAT
        try:
            lock = os.open(path, flags, 0o600)
        except FileNotFoundError:
            # Somebody has removed the sessions, and the folder with them.
            with suppress(FileExistsError):
                os.mkdir(self.path, 0o700)
            lock = os.open(path, flags, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.fstat(lock).st_nlink:  # Nor is it the lock any more if somebody has removed it.
                return lock
        except BlockingIOError:
            pass
        except BaseException:
            os.close(lock)
            raise
        os.close(lock)
        return None

    def names(self) -> list[str]:
        """Return the names of the files, without their ending."""
        with suppress(FileNotFoundError):
            return [name.removesuffix(self._ending) for name in os.listdir(self.path) if name.endswith(self._ending)]
        return []

    def read(self, name: str) -> bytes | None:
        """Return the content of a file, or None if there is none."""
        try:
            with open(self._file(name), "rb", opener=_open_at_once) as file:
                return file.read()
        except (FileNotFoundError, IsADirectoryError):
            return None

    def written_at(self, name: str) -> float:
        """Return when a file was last written, in epoch seconds; 0 if there is none any more."""
        try:
            return os.stat(self._file(name)).st_mtime
        except FileNotFoundError:
            return 0.0

    def write(self, name: str, content: bytes) -> None:
        """Put a file with this content in the place of what is there. For who is alone."""
        self.tidy()
        beside = f"{self.path}/{_BESIDE}"
        with open(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(content)
        os.replace(beside, self._file(name))

    def remove(self, name: str) -> None:
        """Remove a file, if there is one. For who is alone."""
        with suppress(FileNotFoundError, IsADirectoryError):
            os.unlink(self._file(name))

    def tidy(self) -> None:
        """Remove what a killed process has left. For who is alone."""
        with suppress(FileNotFoundError):
            os.unlink(f"{self.path}/{_BESIDE}")

    def _file(self, name: str) -> str:
        return f"{self.path}/{name}{self._ending}"


@contextmanager
def outages(operation: str) -> Iterator[None]:
    """Let what raises OSError raise StoreUnavailable, or StoreRefused. ``operation`` is what an error calls it."""
    try:
        yield
    except OSError as error:
        # The system's error names the file, and so the session.
        said = error.strerror or type(error).__name__
        cause = OSError(error.errno, said)
        if error.errno in _REFUSALS:
            raise StoreRefused("FileStore", operation, said) from cause
        raise StoreUnavailable(f"FileStore got no answer to {operation}: {said}") from cause


def _open_at_once(path: str, flags: int) -> int:
    # Opening a pipe would wait for its other end.
    return os.open(path, flags | os.O_NONBLOCK)
