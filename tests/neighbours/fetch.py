"""Bring the source distributions of the neighbours: python -m tests.neighbours.fetch

pip downloads them, pinned by version and hash. What is there already is left alone, and needs no network.
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterable
from pathlib import Path

from tests.neighbours.table import NEIGHBOURS, Source

__all__ = ["fetch", "is_there", "unpack"]

#: Beside the unpacked files: the hash of the archive that they are of.
_MARK = ".sha256"


def is_there(source: Source) -> bool:
    """Return whether ``source`` is unpacked, whole, in this version."""
    mark = source.folder / _MARK
    return mark.is_file() and mark.read_text("ascii") == source.sha256


def fetch(sources: Iterable[Source]) -> None:
    """Download and unpack those of ``sources`` that are not there."""
    missing = [source for source in dict.fromkeys(sources) if not is_there(source)]
    if not missing:
        return
    print("fetching the sources of", ", ".join(f"{source.name} {source.version}" for source in missing), flush=True)
    missing[0].folder.parent.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=missing[0].folder.parent) as folder:
        download(missing, Path(folder))
        archives = {digest(path): path for path in Path(folder).glob("*.tar.gz")}
        for source in missing:
            unpack(archives[source.sha256], source)


def download(sources: list[Source], folder: Path) -> None:
    """Let pip fetch ``sources`` into ``folder``. It refuses what has another hash."""
    wanted = folder / "requirements.txt"
    lines = [f"{source.name}=={source.version} --hash=sha256:{source.sha256}\n" for source in sources]
    wanted.write_text("".join(lines), "utf-8")
    # Only they have to be source distributions, not what pip needs in order to look at them.
    names = ",".join(source.name for source in sources)
    options = ["-qq", "--no-deps", "--no-binary", names, "--require-hashes", "--dest", str(folder)]
    pip = [sys.executable, "-m", "pip", "download", *options, "--requirement", str(wanted)]
    subprocess.run(pip, check=True, timeout=900)


def digest(path: Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def unpack(archive: Path, source: Source) -> None:
    """Unpack ``archive`` so that it is in ``source.folder`` as a whole or not at all.

    Python's filter for data refuses members that would come to lie elsewhere, and links and devices that lead there.
    """
    if digest(archive) != source.sha256:
        raise ValueError(f"{archive.name} is not the archive that tests/neighbours/table.py names")
    with tempfile.TemporaryDirectory(dir=archive.parent) as folder:
        with tarfile.open(archive) as tar:
            tar.extractall(folder, filter="data")
        (root,) = Path(folder).iterdir()
        (root / _MARK).write_text(source.sha256, "ascii")
        if source.folder.exists():
            source.folder.rename(Path(folder) / "old")
        root.rename(source.folder)


if __name__ == "__main__":
    fetch(neighbour.source for neighbour in NEIGHBOURS)
