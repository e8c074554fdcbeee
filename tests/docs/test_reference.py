"""The reference shows what the source says, and the pages lead where they say."""

from __future__ import annotations

import dataclasses
import gc
import importlib.util
import re
from pathlib import Path
from types import ModuleType

import griffe
import pytest

from sessile import CookieOptions
from sessile.options import Options

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
    # CPython 3.11's parser loses count if the garbage collector comes to compile something half-way (gh-106905).
    gc.disable()
    try:
        loaded = griffe.load("sessile", search_paths=[ROOT / "src"], extensions=griffe.Extensions(extension))
    finally:
        gc.enable()
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
    docstring = package["_wire.signing.sign"].docstring
    assert docstring is not None
    assert '```pycon\n>>> sign("hello", "tobiiscool")\n' in docstring.value


def test_the_picture_of_the_layers_names_every_module() -> None:
    """No module of the package is missing from the import rules, or from the picture drawn from them."""
    picture = hook("layers").picture()
    source = ROOT / "src/sessile"
    modules = [path.stem for path in source.iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()]
    for module in modules:
        assert module == "__init__" or f">sessile.{module}<" in picture


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md"])
def test_links_of_the_pages_beside_the_docs_lead_somewhere(page: str) -> None:
    """MkDocs checks the links in docs/, and nobody those outside."""
    for target in re.findall(r"\]\((?!https?:)([^)#]+)", (ROOT / page).read_text("utf-8")):
        assert (ROOT / target).exists(), target


def test_links_of_the_readme_work_on_pypi() -> None:
    """The README is shown on PyPI, so its links are absolute, and those to the documentation have a page."""
    targets = re.findall(r"\]\(([^)]+)\)", (ROOT / "README.md").read_text("utf-8"))
    assert targets
    for target in targets:
        assert target.startswith("https://"), target
        page = target.removeprefix("https://sessile.readthedocs.io/en/latest/").partition("#")[0].rstrip("/")
        if page != target:
            assert (ROOT / f"docs/{page}.md").exists() or (ROOT / f"docs/{page}/index.md").exists(), target


#: What users construct or are given, with its arguments in the reference.
USED = (
    *("Sessions", "SessionHandle", "CookieOptions", "Lifetime"),
    *("asgi.SessionMiddleware", "wsgi.SessionMiddleware", "falcon.SessionMiddleware"),
    *("bottle.SessionPlugin", "litestar.SessionPlugin", "adoption.AsgiAdoption"),
    *("stores.memory.MemoryStore", "stores.sqlite.SqliteStore", "stores.file.FileStore", "stores.cookie.CookieStore"),
    *("stores.redis.RedisStore", "stores.memcached.MemcachedStore", "stores.dynamodb.DynamoDBStore"),
    *("stores.mongodb.MongoStore", "stores.postgresql.PostgresqlStore", "stores.mysql.MysqlStore"),
    *("stores.sqlalchemy.SqlalchemyStore", "errors.SessionError"),
)


@pytest.mark.parametrize("name", USED)
def test_what_users_construct_has_types_and_an_example(package: griffe.Module, name: str) -> None:
    """Each argument has a type, and a class that users make, or are given, an example that is run."""
    found = package[name]
    found = found.final_target if isinstance(found, griffe.Alias) else found
    assert isinstance(found, griffe.Class)
    assert found.docstring is not None
    assert ">>>" in found.docstring.value
    begin = found.members.get("__init__")
    if isinstance(begin, griffe.Function):
        assert [each.name for each in begin.parameters if each.name != "self" and each.annotation is None] == []
