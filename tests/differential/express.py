"""The real express-session, in a process of Node that lives as long as the tests."""

from __future__ import annotations

import json
import marshal
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path
from threading import Timer
from typing import Any

import pytest

from tests.differential.outcome import Step, cookie_of
from tests.differential.scenarios import Scenario, Visitor

HERE = Path(__file__).parent
MODULES = HERE.parent / "node" / "node_modules"

#: No answer for this long, in seconds, means that Node is not coming back.
PATIENCE = 60.0


class Node:
    """A script that reads lines of JSON and answers each with one."""

    def __init__(self, script: str) -> None:
        node = shutil.which("node")
        if node is None or not MODULES.is_dir():
            pytest.fail("these tests run express-session: `make test` installs it, or run `sh tests/install.sh`")
        self._process = subprocess.Popen(
            [node, HERE / script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def ask(self, question: Any) -> Any:
        """Return the answer to ``question``."""
        process = self._process
        assert process.stdin is not None
        assert process.stdout is not None
        timer = Timer(PATIENCE, process.kill)
        timer.start()
        try:
            process.stdin.write(json.dumps(question) + "\n")
            process.stdin.flush()
            line = process.stdout.readline()
        finally:
            timer.cancel()
        assert line, "Node has ended, or did not answer in time"
        return json.loads(line)

    def close(self) -> None:
        """End the process."""
        self._process.communicate(timeout=PATIENCE)


class Story:
    """What came of a scenario with express-session."""

    #: Which cookies the browser had, where a prediction starts from another scenario.
    cookies: Visitor
    #: All stories, for a prediction that needs another one.
    express: Express

    def __init__(self, record: str | None, steps: list[Step]) -> None:
        #: The record that was there before, as express-session wrote it; None if there was none.
        self.record = record
        self.steps = steps

    def copy(self) -> Story:
        """Return a story that can be changed."""
        return Story(self.record, marshal.loads(marshal.dumps(self.steps, 2)))


def _story(answer: dict[str, Any]) -> Story:
    for step in answer["steps"]:
        if "cookies" in step:
            step["cookies"] = [cookie_of(line) for line in step["cookies"]]
    return Story(**answer)


class Express:
    """Runs scenarios with express-session, each once."""

    def __init__(self) -> None:
        self._node = Node("express.js")
        self._stories: dict[str, Story] = {}

    def run(self, scenarios: Iterable[Scenario]) -> None:
        """Run those of ``scenarios`` that were not run yet."""
        new = {each.key: each for each in scenarios if each.key not in self._stories}
        if new:
            answers = self._node.ask([each.for_node() for each in new.values()])
            self._stories.update(zip(new, map(_story, answers), strict=True))

    def __getitem__(self, scenario: Scenario) -> Story:
        if scenario.key not in self._stories:
            self.run([scenario])
        return self._stories[scenario.key]

    def end_of(self, scenario: Scenario, verb: str) -> str | None:
        """Return how a request ends in which the handler does ``verb``: "hang", "crash", or None if it is answered."""
        question = scenario.for_node(patience=300) | {"steps": [[verb]]}
        (answer,) = self._node.ask([question])
        end: str | None = answer["steps"][0].get("end")
        return end

    def close(self) -> None:
        """End the process."""
        self._node.close()
