"""The picture of the life of a session is drawn from the table that the code runs on."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

from sessile._session.lifecycle import OPTIONS
from sessile._session.plan import Outcome

ROOT = Path(__file__).parent.parent.parent


def hook() -> ModuleType:
    spec = importlib.util.spec_from_file_location("life_cycle", ROOT / "docs/hooks/life_cycle.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_picture_names_every_state() -> None:
    """Nothing of the table is left out."""
    picture = hook().picture()
    assert all(f">{state.name}<" in picture for state in Outcome)


def test_the_table_of_options_names_every_option() -> None:
    """And what each of them changes."""
    table = hook().options()
    assert all(f"`{name}={value!r}` | {state.name}" in table for name, value, state, *_ in OPTIONS)


def test_the_page_shows_them() -> None:
    """The mark stands where the picture goes."""
    page = (ROOT / "docs/explanation/life-cycle.md").read_text()
    assert hook().MARK in page
    assert "<svg" in hook().on_page_markdown(page)
