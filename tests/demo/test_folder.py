"""The folder with sessions, users and the secret"""

from __future__ import annotations

from pathlib import Path

from starlette.testclient import TestClient

from sessile.demo.app import create_app
from sessile.demo.folder import Folder


def test_the_secret_is_made_once(folder: Path) -> None:
    """The secret is made at the first start and read at all others; it is long, and its owner's only."""
    secret = Folder.at(folder).secret()
    assert len(secret) >= 43
    assert Folder.at(folder).secret() == secret
    assert (folder / "secret").stat().st_mode & 0o777 == 0o600
    assert folder.stat().st_mode & 0o777 == 0o700


def test_users_and_sessions_are_their_owners_only(guest: TestClient, folder: Path) -> None:
    """The files with the users and the sessions are readable for nobody else."""
    guest.get("/")
    for name in ("users.db", "sessions.db"):
        assert (folder / name).stat().st_mode & 0o777 == 0o600


def test_a_folder_may_have_any_name(tmp_path: Path) -> None:
    """Characters that mean something in URLs do not change which file the store uses."""
    folder = tmp_path / "a?b#c %41"
    TestClient(create_app(folder)).get("/")
    assert {path.name for path in folder.iterdir()} >= {"secret", "sessions.db", "users.db"}
