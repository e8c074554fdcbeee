"""Run workers against a store, with or without faults, and say what came of it."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from tests.stress.checker import Fault, Operation, check, read_histories
from tests.stress.stores import Site
from tests.stress.worker import LIMIT, Task

ROOT = Path(__file__).parents[2]


@dataclass
class Report:
    """What came of a run."""

    operations: list[Operation]
    faults: list[Fault]
    seconds: float
    #: How often another request had been first ("conflicts"), and how often two changes were joined ("merged").
    counts: Counter[str]
    outcomes: Counter[str] = field(default_factory=Counter)
    errors: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self.outcomes = Counter(operation.outcome for operation in self.operations)
        self.errors = Counter(operation.error for operation in self.operations if operation.error)


class Workers:
    """The processes of a run."""

    def __init__(self, task: Task, processes: int) -> None:
        self._task = task
        self._number = 0
        self.counts: Counter[str] = Counter()
        self.running = [self.begin() for _ in range(processes)]

    def begin(self) -> subprocess.Popen[str]:
        """Start one more."""
        self._number += 1
        task = replace(self._task, name=f"w{self._number}")
        command = [sys.executable, "-W", "error", "-m", "tests.stress.worker", json.dumps(asdict(task))]
        return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT)

    def go(self) -> None:
        for worker in self.running:
            assert worker.stdout is not None
            assert worker.stdout.readline() == "ready\n"
        for worker in self.running:
            self.send(worker)

    def send(self, worker: subprocess.Popen[str]) -> None:
        assert worker.stdin is not None
        worker.stdin.write("go\n")
        worker.stdin.flush()

    def kill_one(self, chance: random.Random) -> None:
        """End one with SIGKILL, wherever it is, and start another in its place."""
        position = chance.randrange(len(self.running))
        self.running[position].kill()
        self.running[position].communicate()
        self.running[position] = self.begin()
        self.send(self.running[position])

    def finish(self) -> None:
        for worker in self.running:
            answer, _ = worker.communicate(timeout=3600)
            assert worker.returncode == 0
            self.counts.update(json.loads(answer.splitlines()[-1]))

    def close(self) -> None:
        for worker in self.running:
            worker.kill()
            worker.communicate()


def run(
    site: Site,
    *,
    operations: int,
    processes: int = 3,
    visitors: int = 4,
    slots: int = 8,
    timeout: float = 20.0,
    renew_every: float = 0.0,
    faults: Callable[[Workers, Path], None] | None = None,
    url: str | None = None,
    forgets: bool = False,
) -> Report:
    """Let ``operations`` requests happen, then present all cookies once more, and check the history.

    ``faults`` is called while the workers run; what it does is done when it returns, and so are they.
    ``url`` is where the workers find the store, if not at the site itself.
    """
    in_memory = site.store == "memory"
    each = operations // processes
    with tempfile.TemporaryDirectory(prefix="sessile-") as name, ExitStack() as ending:
        folder = Path(name)
        task = Task(site.store, url or site.url, name, "", each, 1, visitors, slots, timeout, renew_every)
        if in_memory:
            # Its sessions are those of one process, which has to look at them at the end itself.
            task, processes = replace(task, threads=processes, final=True), 1
        workers = Workers(task, processes)
        ending.callback(workers.close)
        workers.go()
        began = time.monotonic()
        if faults is not None:
            faults(workers, folder)
            (folder / "stop").touch()
        workers.finish()
        seconds = time.monotonic() - began
        if not in_memory:
            last = Workers(replace(task, operations=0, url=site.url, timeout=20.0, final=True), 1)
            ending.callback(last.close)
            last.go()
            last.finish()
        done = read_histories(folder)
        return Report(done, check(done, forgets=forgets, limit=LIMIT), seconds, workers.counts)
