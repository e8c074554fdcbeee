"""What `make test-fast` leaves out is there to be left out."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests import fast

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize("pattern", fast.TESTS)
def test_each_pattern_names_something(pattern: str) -> None:
    """A file, a folder, or a test in a file."""
    path, _, test = pattern.partition("::")
    files = list(ROOT.glob(path.removesuffix("/*")))
    assert files
    word = re.match(r"\w*", test).group() or "def test_"  # type: ignore[union-attr]
    if path.endswith(".py"):
        assert any(word in text for text in (file.read_text("utf-8") for file in files))


@pytest.mark.parametrize("name", sorted(fast.FIXTURES))
def test_each_fixture_is_there(name: str) -> None:
    """Somewhere among the tests."""
    assert any(re.search(rf"def {name}\(", path.read_text("utf-8")) for path in (ROOT / "tests").glob("**/*.py"))


def run(folder: Path, *options: str) -> str:
    command = [sys.executable, "-m", "pytest", "-p", "tests.fast", "-p", "no:cacheprovider", *options, str(folder)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False).stdout


def test_a_test_that_starts_a_server_is_told(tmp_path: Path) -> None:
    """It fails, with or without the option, and is told to be named. One that uses a fixture of the list is left out."""
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    (tmp_path / "test_it.py").write_text(
        "import subprocess, sys, pytest\n"
        "@pytest.fixture\ndef postgres(): pass\n"
        "def test_named(postgres): subprocess.run(['sleep', '0'])\n"
        "def test_python(): subprocess.run([sys.executable, '-c', '0'], check=True)\n"
        "def test_other(): subprocess.run(['sleep', '0'])\n"
    )
    assert "1 failed, 2 passed" in run(tmp_path)
    said = run(tmp_path, "--fast")
    assert "1 failed, 1 passed, 1 deselected" in said
    assert "test_it.py::test_other starts sleep: name it, or its fixture, in tests/fast.py" in said
