"""What nobody asked for is not shown"""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import APP, Run, Shop

SECRET = "canary-secret-that-is-long-enough-to-be-one"
VALUE = "canary-value"


@pytest.mark.parametrize("hash_ids", [False, True])
def test_no_command_shows_a_secret_an_id_or_a_value(
    run: Run, new_shop: Callable[..., Shop], tmp_path: Path, hash_ids: bool
) -> None:
    """Without --data and --id neither the output nor an error has one, nor what stands in the store for an id."""
    url = f"sqlite:///{tmp_path}/sessions.db"
    shop = new_shop(secret=["canary-old-secret-that-is-long-enough", SECRET], store=url, hash_ids=hash_ids)
    logging.getLogger("sessile").setLevel(logging.DEBUG)
    cookie = shop.visit("zoe", cart={"bread": VALUE})
    sid = shop.session(cookie).id
    stored = next(iter(shop.sessions.store.all()))[0]
    handle = run("ls", "--json", *APP).objects[0]["handle"]
    commands = [
        ("ls",),
        ("ls", "--user", "zoe"),
        ("show", handle),
        ("show", sid),
        ("show", "x" + sid),
        ("stats",),
        ("watch", "--once"),
        ("decode", cookie),
        ("decode", cookie[:-1]),
        ("decode", sid),
        ("check",),
        ("prune",),
        ("revoke", sid),
        ("revoke", "x" + sid, "--yes"),
        ("revoke", handle, "--yes"),
        ("revoke", "--user", "zoe", "--yes"),
        ("revoke", "--all", "--yes"),
    ]
    said = ""
    for command in commands:
        for form in (APP, (*APP, "--json"), ("--store", url)):
            done = run(*command, *form, SESSION_SECRET=SECRET)
            said += done.out + done.err
    logging.getLogger("sessile").setLevel(logging.NOTSET)
    assert handle in said
    for planted in ("canary", sid, stored, cookie.partition("=")[2]):
        assert planted not in said


def test_an_outage_shows_no_password(run: Run) -> None:
    """Of a URL the place is told, and nothing else."""
    for command in ("ls", "stats", "check", "prune", "show abcdef", "revoke --all --yes"):
        done = run(*command.split(), SESSILE_STORE="redis://canary:canary@127.0.0.1:1?timeout=0.5")
        assert "canary" not in done.out + done.err
