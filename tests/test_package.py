"""The package as a whole: its face, its layers, its first import."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import holdfast

ROOT = Path(__file__).parent.parent


def test_the_face_is_small_and_true() -> None:
    """Twenty names at most, and each of them is there."""
    assert len(holdfast.__all__) <= 20
    assert all(getattr(holdfast, name) is not None for name in holdfast.__all__)


def test_editors_know_every_option() -> None:
    """The keyword arguments of Sessions are the fields of Options, but for the two that it names itself."""
    from dataclasses import fields

    from holdfast.options import OptionArguments, Options

    assert set(OptionArguments.__annotations__) == {field.name for field in fields(Options)} - {"secret"}


def test_arrows_point_down_only() -> None:
    """The contracts of import-linter in pyproject.toml hold."""
    command = [Path(sys.executable).parent / "lint-imports", "--no-cache"]
    outcome = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert outcome.returncode == 0, outcome.stdout


def test_importing_holdfast_imports_no_framework_no_driver_and_no_store() -> None:
    """What is not used is not loaded."""
    code = (
        "import sys, holdfast; "
        "print(sorted(name for name in sys.modules if name.split('.')[0] in ('starlette','fastapi','sqlite3','pytest',"
        "'typer','asyncpg') or name.startswith('holdfast.stores.m') or name.startswith('holdfast.stores.s')))"
    )
    output = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert output == "[]\n"


def test_integrations_are_found_by_their_name() -> None:
    """``import holdfast`` is enough for ``holdfast.asgi``; a typo is an AttributeError as ever."""
    assert holdfast.asgi.SessionMiddleware is not None
    with pytest.raises(AttributeError, match="has no attribute 'djnago'"):
        holdfast.djnago  # noqa: B018
