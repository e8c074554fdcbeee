# The secret is kept beside what it protects, so that a restart keeps everybody logged in. A real site would take it
# from its environment: whoever reads this folder can sign in as anybody.
"""The folder in which the shop keeps its sessions, its users and its secret."""

from __future__ import annotations

import os
import secrets
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from sessile.errors import SessionError

__all__ = ["Folder", "UnusableFolder"]


class UnusableFolder(SessionError):
    """Tells the user why the shop cannot keep anything in the folder asked for."""


@dataclass(frozen=True, slots=True)
class Folder:
    """The files of one shop, side by side in ``path``."""

    path: Path

    @classmethod
    def at(cls, path: Path) -> Folder:
        """Return the folder at ``path``, made, for its owner only, if there is none. Raises UnusableFolder."""
        try:
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise UnusableFolder(f"The folder {path} cannot be made: {error.strerror}") from error
        if not os.access(path, os.W_OK | os.X_OK):
            raise UnusableFolder(f"The folder {path} cannot be written to. Take another, with --folder")
        return cls(path)

    @property
    def store(self) -> str:
        """The URL of the store with the sessions."""
        return "sqlite:///" + quote(str(self.path / "sessions.db"))

    @property
    def users(self) -> Path:
        """The file with the users."""
        return self.path / "users.db"

    def secret(self) -> str:
        """Return the secret of this shop. The first call makes it, in a file that only its owner can read."""
        file = self.path / "secret"
        try:
            descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            return file.read_text(encoding="ascii").strip()
        secret = secrets.token_urlsafe(32)
        with os.fdopen(descriptor, "w", encoding="ascii") as new:
            new.write(secret + "\n")
        return secret
