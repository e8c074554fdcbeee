"""The reference shows what the source says, and the pages lead where they say."""

from __future__ import annotations

import dataclasses
import importlib.util
import re
from pathlib import Path
from types import ModuleType

import griffe
import pytest

from holdfast import CookieOptions
from holdfast.options import Options

ROOT = Path(__file__).parents[2]


def hook(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, ROOT / f"docs/hooks/{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def package() -> griffe.Module:
    extension = hook("docstrings").SourceDocstrings()
    loaded = griffe.load("holdfast", search_paths=[ROOT / "src"], extensions=griffe.Extensions(extension))
    assert isinstance(loaded, griffe.Module)
    return loaded


@pytest.mark.parametrize("kind", [Options, CookieOptions])
def test_every_option_is_described(package: griffe.Module, kind: type) -> None:
    """The lines above an option in the source are its text in the reference."""
    assert dataclasses.is_dataclass(kind)
    for field in dataclasses.fields(kind):
        docstring = package[f"options.{kind.__name__}.{field.name}"].docstring
        assert docstring is not None, field.name
        assert docstring.value.endswith((".", ")")), field.name


def test_examples_are_code(package: griffe.Module) -> None:
    """An example in a docstring is fenced, for bare it would be a quotation."""
    docstring = package["signing.sign"].docstring
    assert docstring is not None
    assert '```pycon\n>>> sign("hello", "tobiiscool")\n' in docstring.value


def test_the_picture_of_the_rooms_names_every_module() -> None:
    """No module of the package is missing from the import rules, or from the picture drawn from them."""
    picture = hook("rooms").picture()
    source = ROOT / "src/holdfast"
    modules = [path.stem for path in source.iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()]
    for module in modules:
        assert module == "__init__" or f">holdfast.{module}<" in picture


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md"])
def test_links_of_the_pages_beside_the_docs_lead_somewhere(page: str) -> None:
    """MkDocs checks the links in docs/, and nobody those outside."""
    for target in re.findall(r"\]\((?!https?:)([^)#]+)", (ROOT / page).read_text("utf-8")):
        assert (ROOT / target).exists(), target
