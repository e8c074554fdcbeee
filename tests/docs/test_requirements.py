"""The page of requirements is the one that its table writes, and the tests that it names are there."""

from __future__ import annotations

from tests import requirements


def test_the_page_is_current() -> None:
    """If not: ``python -m tests.requirements > docs/reference/requirements.md``."""
    assert requirements.PAGE.read_text("utf-8") == requirements.page()


def test_each_requirement_is_proved_by_tests_that_exist() -> None:
    assert requirements.missing() == []
    assert all(any(each.tests.values()) for rows in requirements.TABLES.values() for each in rows)
