"""Run the tests of a neighbour, in a process of their own: its settings and its `tests` package are not ours."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.neighbours.fetch import is_there
from tests.neighbours.table import Neighbour

__all__ = ["run"]

_HERE = Path(__file__).parent
#: No neighbour's tests take this long, in seconds, on a machine that does a lot beside.
_AT_MOST = 1800


def run(neighbour: Neighbour) -> tuple[dict[str, str], str]:
    """Return what came of each test, by its id: "passed", "failed" or "skipped"; and what pytest printed."""
    source = neighbour.source
    if not is_there(source):
        raise FileNotFoundError(
            f"{source.name} {source.version} is not in {source.folder}: run `make test` to fetch it"
        )
    folders = [_HERE / "beneath", source.folder / source.package, *(source.folder / each for each in neighbour.path)]
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("PYTEST_", "FLASK_"))}
    environment |= {"PYTHONPATH": os.pathsep.join(map(str, folders)), "PYTHONDONTWRITEBYTECODE": "1"}
    tests = [str(_HERE / each) if each.startswith("beneath/") else each for each in neighbour.tests]
    settings = _HERE / "beneath" / "pytest.ini" if neighbour.settings is None else source.folder / neighbour.settings
    root = settings.parent if neighbour.project is None else source.folder
    options = ["-c", str(settings), "--rootdir", str(root), "-o", "addopts=", "-q", "--tb=short"]
    # Some take each warning for an error. Of ours, these two are what they set out to do.
    for ours in ("cookie max_age", "the response has been sent"):
        options += ["-W", f"ignore:{ours}"]
    plugins = ["outcomes", neighbour.beneath, "no:cacheprovider", "no:asyncio"]
    if neighbour.project is None:
        plugins.append("no:django")
    else:
        options += ["--ds", neighbour.project, "-o", "python_files=tests.py test_*.py *_tests.py"]
        options += ["-o", "filterwarnings=default"]  # Warnings of theirs, of which none is about sessions.
        environment |= {"DJANGO_SETTINGS_MODULE": neighbour.project, "BENEATH_MIDDLEWARE": neighbour.middleware}
    for plugin in plugins:
        options += ["-p", plugin]
    with tempfile.TemporaryDirectory() as folder:
        outcomes = Path(folder) / "outcomes.json"
        options += ["--outcomes", str(outcomes), "--basetemp", f"{folder}/temp"]
        done = subprocess.run(
            [sys.executable, "-m", "pytest", *options, *tests],
            cwd=source.folder,
            env=environment,
            capture_output=True,
            text=True,
            timeout=_AT_MOST,
            check=False,
        )
        printed = done.stdout + done.stderr
        if done.returncode not in (0, 1):
            raise RuntimeError(f"the tests of {neighbour.name} did not run:\n{printed[-10_000:]}")
        if not outcomes.exists():
            raise RuntimeError(f"the tests of {neighbour.name} wrote no outcomes:\n{printed[-10_000:]}")
        return json.loads(outcomes.read_text("utf-8")), printed
