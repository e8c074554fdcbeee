"""The table in the documentation is that of the suite."""

from __future__ import annotations

from pathlib import Path

from tests.integrations.behaviours import ALL
from tests.integrations.page import page
from tests.integrations.table import SITES

PAGE = Path(__file__).parents[2] / "docs/reference/frameworks.md"


def test_the_page_is_what_the_suite_says() -> None:
    """If this fails: python -m tests.integrations.page > docs/reference/frameworks.md."""
    assert PAGE.read_text("utf-8") == page()


def test_every_behaviour_says_its_rule() -> None:
    """And what a site lacks is one of them."""
    assert all(behaviour.__doc__ for behaviour in ALL.values())
    assert all(site.lacks.keys() <= ALL.keys() for site in SITES)
