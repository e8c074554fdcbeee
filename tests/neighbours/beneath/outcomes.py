"""A plugin of pytest's that writes what came of each test to a file: {id: "passed" | "failed" | "skipped"}."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

_WORST_FIRST = ("failed", "skipped", "passed")


class Outcomes:
    """Collects them. A test fails if its set-up, it, or what ends it fails; a file that cannot be read fails too."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._found: dict[str, str] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self._note(report)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.outcome != "passed":
            self._note(report)

    def _note(self, report: pytest.TestReport | pytest.CollectReport) -> None:
        both = {report.outcome, self._found.get(report.nodeid, "passed")}
        self._found[report.nodeid] = next(outcome for outcome in _WORST_FIRST if outcome in both)

    def pytest_sessionfinish(self) -> None:
        self._path.write_text(json.dumps(self._found), "utf-8")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--outcomes", type=Path, help="The file to write to.")


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(Outcomes(config.getoption("--outcomes")))
