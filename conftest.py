"""Every example in the README, the documentation and the docstrings is a test."""

from __future__ import annotations

import gc
import os
import tempfile
import warnings
from pathlib import Path
from typing import Any

from sybil import Sybil
from sybil.document import PythonDocStringDocument
from sybil.parsers.markdown import PythonCodeBlockParser
from sybil.parsers.rest import DocTestParser


def _in_a_folder_of_its_own(namespace: dict[str, Any]) -> None:
    with warnings.catch_warnings():
        # What another test has left behind is no matter of an example.
        warnings.simplefilter("ignore")
        gc.collect()
    namespace["__name__"] = "__main__"  # Litestar asks for the module of a handler.
    namespace["_home"] = os.getcwd()
    namespace["_folder"] = tempfile.TemporaryDirectory()
    os.chdir(namespace["_folder"].name)
    os.environ["SESSION_SECRET"] = "a secret that is long enough for tests!"
    warnings.simplefilter("error")
    warnings.filterwarnings("ignore", "a session secret is well known")  # It is published with the examples.
    for imported_by_pyramid in ("'cgi' is deprecated", "pkg_resources is deprecated", "Deprecated call to `pkg_res"):
        warnings.filterwarnings("ignore", imported_by_pyramid)


def _back(namespace: dict[str, Any]) -> None:
    folder, home = namespace["_folder"], namespace["_home"]
    namespace.clear()
    gc.collect()
    os.chdir(home)
    folder.cleanup()


def _with_a_session(namespace: dict[str, Any]) -> None:
    from sessile import RequestFacts, Sessions

    namespace["session"] = Sessions(secret="a secret that is long enough for tests!").engine.begin_sync(
        b"", RequestFacts
    )


_pages = Sybil(
    parsers=[PythonCodeBlockParser()],
    patterns=[
        "README.md",
        "docs/*.md",
        "docs/**/*.md",
        "docs/how-to/stores/*.md",
        "docs/how-to/frameworks/*.md",
        "docs/how-to/node/*.md",
    ],
    setup=_in_a_folder_of_its_own,
    teardown=_back,
)
_docstrings = Sybil(
    parsers=[DocTestParser()],
    patterns=["src/sessile/*.py", "src/sessile/*/*.py", "src/sessile/*/*/*.py"],
    document_types={".py": PythonDocStringDocument},
    setup=_with_a_session,
)

pytest_collect_file = (_pages + _docstrings).pytest()

pytest_plugins = ["tests.fast"]


def pytest_collection_finish() -> None:
    """Take what was collected, a million objects, out of the sight of the garbage collector: it stays until the end."""
    gc.collect()
    gc.freeze()


collect_ignore = [str(path) for path in Path(__file__).parent.glob("docs/hooks/*.py")]
