"""A source distribution is the one that the table names, and comes to lie where it belongs."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from tests.neighbours import fetch as fetching
from tests.neighbours import table
from tests.neighbours.fetch import digest, fetch, is_there, unpack
from tests.neighbours.run import run
from tests.neighbours.table import Neighbour, Source

BENEATH = Path(__file__).parent / "beneath"


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of the test's own in the place of `.neighbours/`."""
    monkeypatch.setattr(table, "HOME", tmp_path)
    return tmp_path


def archive(home: Path, *names: str) -> Source:
    """Make an archive with files of these names."""
    path = home / "thing-1.0.tar.gz"
    with tarfile.open(path, "w:gz") as tar:
        for name in names:
            tar.addfile(tarfile.TarInfo(name), io.BytesIO())
    return Source("thing", "1.0", digest(path))


def test_it_is_unpacked_as_a_whole(home: Path) -> None:
    """Without the folder that it is in; what was there before of another hash is gone."""
    source = archive(home, "thing-1.0/tests/test_a.py")
    (home / "thing-1.0").mkdir()
    (home / "thing-1.0" / "old.py").touch()
    assert not is_there(source)
    unpack(home / "thing-1.0.tar.gz", source)
    assert is_there(source)
    assert sorted(path.name for path in source.folder.iterdir()) == [".sha256", "tests"]


def test_another_hash_is_refused(home: Path) -> None:
    """Nothing of it is unpacked."""
    archive(home, "thing-1.0/a.py")
    source = Source("thing", "1.0", "0" * 64)
    with pytest.raises(ValueError, match="not the archive"):
        unpack(home / "thing-1.0.tar.gz", source)
    assert not source.folder.exists()


def test_a_file_that_would_lie_elsewhere_is_refused(home: Path) -> None:
    """No path leads out of the folder."""
    source = archive(home, "thing-1.0/a.py", "../elsewhere.py")
    with pytest.raises(tarfile.OutsideDestinationError):
        unpack(home / "thing-1.0.tar.gz", source)
    assert not source.folder.exists()
    assert not (home / "elsewhere.py").exists()


def test_only_what_is_missing_is_fetched(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A second set-up needs no network."""
    source = archive(home, "thing-1.0/a.py")
    asked: list[list[Source]] = []

    def download(sources: list[Source], folder: Path) -> None:
        asked.append(sources)
        (home / "thing-1.0.tar.gz").rename(folder / "thing-1.0.tar.gz")

    monkeypatch.setattr(fetching, "download", download)
    fetch([source, source])
    fetch([source])
    assert asked == [[source]]


def test_a_missing_source_is_a_failure(home: Path) -> None:
    """Its tests are not skipped; it is said how to get it."""
    with pytest.raises(FileNotFoundError, match="make test"):
        run(Neighbour("thing", Source("thing", "1.0", "0" * 64), "under_flask"))


def test_outcomes_are_what_they_are(tmp_path: Path) -> None:
    """A test fails by what ends it, too; a file that cannot be read is one failure."""
    (tmp_path / "test_a.py").write_text(
        "import pytest\n"
        "@pytest.fixture\ndef bad():\n    yield\n    assert 0\n"
        "def test_good(): pass\n"
        "def test_wrong(): assert 0\n"
        "def test_ends_badly(bad): pass\n"
        "def test_left_out(): pytest.skip('why')\n"
        "@pytest.mark.xfail\ndef test_hoped_for(): assert 0\n"
    )
    (tmp_path / "test_b.py").write_text("import not_there\n")
    written = tmp_path / "outcomes.json"
    options = ["-c", BENEATH / "pytest.ini", "--rootdir", tmp_path, "-p", "outcomes", "-p", "no:asyncio"]
    options += ["-p", "no:cacheprovider", "--continue-on-collection-errors", "--outcomes", written]
    subprocess.run(
        [sys.executable, "-m", "pytest", *map(str, options), str(tmp_path)],
        env={"PYTHONPATH": str(BENEATH)},
        capture_output=True,
        timeout=120,
        check=False,
    )
    assert json.loads(written.read_text("utf-8")) == {
        "test_a.py::test_good": "passed",
        "test_a.py::test_wrong": "failed",
        "test_a.py::test_ends_badly": "failed",
        "test_a.py::test_left_out": "skipped",
        "test_a.py::test_hoped_for": "skipped",
        "test_b.py": "failed",
    }
