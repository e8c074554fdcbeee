"""The package as a whole: its face, its layers, its first import."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import sessile

ROOT = Path(__file__).parent.parent


def test_the_face_is_small_and_true() -> None:
    """Every exception that users catch, fifteen other names at most, and each of them is there."""
    from sessile import errors

    assert set(errors.__all__) <= set(sessile.__all__)
    assert len(set(sessile.__all__) - set(errors.__all__)) <= 15
    assert all(getattr(sessile, name) is not None for name in sessile.__all__)


def test_editors_know_every_option() -> None:
    """The keyword arguments of Sessions are the fields of Options, but for the two that it names itself."""
    from dataclasses import fields

    from sessile.options import OptionArguments, Options

    assert set(OptionArguments.__annotations__) == {field.name for field in fields(Options)} - {"secret"}


def test_arrows_point_down_only() -> None:
    """The contracts of import-linter in pyproject.toml hold."""
    command = [Path(sys.executable).parent / "lint-imports", "--no-cache"]
    outcome = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert outcome.returncode == 0, outcome.stdout


def test_importing_sessile_imports_no_framework_no_driver_and_no_store() -> None:
    """What is not used is not loaded."""
    code = (
        "import sys, sessile; "
        "print(sorted(name for name in sys.modules if name.split('.')[0] in ('starlette','fastapi','sqlite3','pytest',"
        "'typer','asyncpg') or name.startswith('sessile.stores.m') or name.startswith('sessile.stores.s')))"
    )
    output = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert output == "[]\n"


def test_integrations_are_found_by_their_name() -> None:
    """``import sessile`` is enough for ``sessile.asgi``; a typo is an AttributeError as ever."""
    assert sessile.asgi.SessionMiddleware is not None
    with pytest.raises(AttributeError, match="has no attribute 'djnago'"):
        sessile.djnago  # noqa: B018


def test_the_old_name_stands_nowhere_but_above_the_shop() -> None:
    """The library had another name once, which is another project's on PyPI; nothing may point there."""
    old = "hold" + "fast"
    shop = {f"src/sessile/demo/{file}" for file in ("templates/base.html", "static/shop.css")}
    files = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    assert [file for file in files if old in file.lower()] == []
    found = {
        file
        for file in files
        if (ROOT / file).is_file() and old.encode() in (ROOT / file).read_bytes().lower() and file not in shop
    }
    assert found == set()
