# What is counted is what a reader of the source meets, so the source is read, not the program that runs.
"""Count what shows whether the house is in order: python -m tests.docs.counts

Uses of another class's private attributes, public functions that return Any, the longest module, what stands at the top
of the package, and circles of imports. For each that is over its bound, it says where.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

__all__ = ["Count", "Package", "counts"]

SOURCE = Path(__file__).parents[2] / "src" / "sessile"

#: What users import, and the folders that they do not.
TOP = frozenset(
    [
        "asgi",
        "wsgi",
        "starlette",
        "fastapi",
        "flask",
        "django",
        "litestar",
        "quart",
        "aiohttp",
        "sanic",
        "falcon",
        "pyramid",
        "bottle",
        "tornado",
        "options",
        "lifetime",
        "device",
        "cookies",
        "merge",
        "schema",
        "events",
        "errors",
        "facts",
        "telemetry",
        "adoption",
        "http",
        "dual",
        "codecs",
        "stores",
        "testing",
        "cli",
        "console",
        "demo",
        "migration",
        "_wire",
        "_records",
        "_session",
        "_engine",
    ]
)

#: Verbs of a session whose values are what a program has put there.
DATA = {"__getitem__", "get", "pop", "pop_once", "setdefault", "aget", "apop", "apop_once", "asetdefault"}

#: Of named tuples, and no more private than their fields.
_NAMED_TUPLE = {"_asdict", "_fields", "_make", "_replace"}

_Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True, slots=True)
class Count:
    """A number that has a bound, and where it comes from."""

    what: str
    number: int
    at_most: int
    where: list[str]

    @property
    def holds(self) -> bool:
        return self.number <= self.at_most


class Module:
    """A file of the source."""

    def __init__(self, name: str, text: str, is_package: bool) -> None:
        self.name = name
        self.lines = len(text.splitlines())
        self.tree = ast.parse(text)
        self.is_package = is_package

    @cached_property
    def imported(self) -> dict[str, str]:
        """What each name that is imported anywhere in it stands for, as a dotted path."""
        names: dict[str, str] = {}
        for node in ast.walk(self.tree):
            names |= dict(_bound(node, self.package))
        return names

    @property
    def package(self) -> str:
        return self.name if self.is_package else self.name.rpartition(".")[0]

    def at(self, node: ast.expr | _Function) -> str:
        return f"{self.name}:{node.lineno}"


class Package:
    """All modules of a package."""

    def __init__(self, source: Path) -> None:
        self.modules: dict[str, Module] = {}
        for path in sorted(source.rglob("*.py")):
            parts = [source.name, *path.relative_to(source).with_suffix("").parts]
            is_package = parts[-1] == "__init__"
            name = ".".join(parts[:-1] if is_package else parts)
            self.modules[name] = Module(name, path.read_text("utf-8"), is_package)
        self.name = source.name

    # Private attributes -----------------------------------------------------------------------------------------------

    def intrusions(self) -> list[str]:
        """Return where an attribute that begins with an underscore is used of something else than oneself."""
        return [
            f"{module.at(node)} {ast.unparse(node)}"
            for module in self.modules.values()
            for node in self._foreign(module, module.tree, frozenset())
        ]

    def _foreign(self, module: Module, node: ast.AST, own: frozenset[str]) -> Iterator[ast.Attribute]:
        if isinstance(node, ast.ClassDef):
            own |= {node.name}
        if isinstance(node, ast.Attribute) and _is_private(node.attr) and not self._is_own(module, node.value, own):
            yield node
        for child in ast.iter_child_nodes(node):
            yield from self._foreign(module, child, own)

    def _is_own(self, module: Module, value: ast.expr, own: frozenset[str]) -> bool:
        """Return whether ``value`` is the object itself, its class, what it inherits, or a module."""
        if isinstance(value, ast.Call) and isinstance(value.func, ast.Name) and value.func.id in ("super", "type"):
            return value.func.id == "super" or [ast.unparse(each) for each in value.args] == ["self"]
        path = ast.unparse(value)
        if path in ("self", "cls") or path in own:
            return True
        first, _, rest = path.partition(".")
        dotted = ".".join(filter(None, (module.imported.get(first, ""), rest)))
        return dotted in self.modules or dotted in sys.modules or dotted in sys.stdlib_module_names

    # Functions that return Any ----------------------------------------------------------------------------------------

    def vague(self) -> list[str]:
        """Return the public functions that return Any, whatever it is called, but for the session's own data."""
        return [
            f"{module.at(function)} {where}{function.name} -> {ast.unparse(function.returns)}"
            for module in self.modules.values()
            for where, function in _public(module.tree)
            if function.returns is not None and self._is_any(module, function.returns)
            if not (function.name in DATA and module.name.startswith((f"{self.name}._session", f"{self.name}.flask")))
        ]

    def _is_any(self, module: Module, annotation: ast.expr) -> bool:
        """Return whether ``annotation`` comes to Any: by an alias, as a part of a union, or as what is awaited."""
        match annotation:
            case ast.Constant(value=str(text)):
                return self._is_any(module, ast.parse(text, mode="eval").body)
            case ast.BinOp(op=ast.BitOr(), left=left, right=right):
                return self._is_any(module, left) or self._is_any(module, right)
            case ast.Subscript(value=container, slice=inside):
                name = ast.unparse(container).rpartition(".")[2]
                parts = inside.elts if isinstance(inside, ast.Tuple) else [inside]
                if name in ("Union", "Optional"):
                    return any(self._is_any(module, part) for part in parts)
                return name in ("Awaitable", "Coroutine", "Annotated") and self._is_any(
                    module, parts[0 if name == "Annotated" else -1]
                )
            case ast.Name() | ast.Attribute():
                return self._names_any(module, ast.unparse(annotation), set())
        return False

    def _names_any(self, module: Module, path: str, seen: set[tuple[str, str]]) -> bool:
        if (module.name, path) in seen:
            return False
        seen.add((module.name, path))
        first, _, rest = path.partition(".")
        dotted = ".".join(filter(None, (module.imported.get(first, ""), rest)))
        if dotted in ("typing.Any", "typing_extensions.Any"):
            return True
        if not dotted:
            alias = _alias(module.tree, path)
            if isinstance(alias, ast.Name | ast.Attribute):
                return self._names_any(module, ast.unparse(alias), seen)
            return alias is not None and self._is_any(module, alias)
        home, _, name = dotted.rpartition(".")
        return home in self.modules and self._names_any(self.modules[home], name, seen)

    # Modules ----------------------------------------------------------------------------------------------------------

    def longest(self) -> Module:
        """Return the module with the most lines."""
        return max(self.modules.values(), key=lambda module: module.lines)

    def strangers(self) -> list[str]:
        """Return what stands at the top of the package and is not meant to."""
        top = {name.split(".")[1] for name in self.modules if "." in name}
        return sorted(top - TOP)

    def circles(self) -> list[str]:
        """Return the modules that import themselves by way of others. One import inside a function is enough."""
        needs = {name: self._needs(module) for name, module in self.modules.items()}
        return [f"{name}, by {way}" for name in needs if (way := _way_back(name, needs))]

    def _needs(self, module: Module) -> set[str]:
        """Return what ``module`` imports, at once or later."""
        needed = set()
        for node in _run(module.tree):
            if isinstance(node, ast.Import):
                needed |= {alias.name for alias in node.names}
                continue
            for _, dotted in _bound(node, module.package):
                # `from package import name`: a module of that name, or else what the package has.
                needed.add(dotted if dotted in self.modules else dotted.rpartition(".")[0])
        return {name for name in needed if name in self.modules and name != module.name}


def _way_back(start: str, needs: dict[str, set[str]]) -> str:
    """Return the shortest way from ``start`` by what it needs back to it; nothing if there is none."""
    came_from: dict[str, str] = {}
    ahead = [start]
    for name in ahead:
        for next_one in sorted(needs[name]):
            if next_one == start:
                way = [name]
                while way[-1] != start:
                    way.append(came_from[way[-1]])
                return " -> ".join([*reversed(way), start])
            if next_one not in came_from:
                came_from[next_one] = name
                ahead.append(next_one)
    return ""


def _is_private(name: str) -> bool:
    return name.startswith("_") and not name.endswith("__") and name not in _NAMED_TUPLE


def _bound(node: ast.AST, package: str) -> Iterator[tuple[str, str]]:
    """Yield each name that an import binds, and what it stands for."""
    if isinstance(node, ast.Import):
        for alias in node.names:
            yield (alias.asname, alias.name) if alias.asname else (alias.name.partition(".")[0],) * 2
    elif isinstance(node, ast.ImportFrom):
        parents = package.split(".")[: len(package.split(".")) + 1 - node.level] if node.level else []
        home = ".".join([*parents, *([node.module] if node.module else [])])
        for alias in node.names:
            yield alias.asname or alias.name, f"{home}.{alias.name}"


def _run(tree: ast.AST) -> Iterator[ast.AST]:
    """Yield what a program runs, not what is for type checkers alone."""
    for node in ast.iter_child_nodes(tree):
        if not (isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)):
            yield node
            yield from _run(node)


def _public(tree: ast.AST, where: str = "") -> Iterator[tuple[str, _Function]]:
    """Yield the functions of a module and the methods of its classes whose names are public, with their class."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, _Function) and not _is_private(node.name):
            yield where, node
        elif isinstance(node, ast.ClassDef) and not _is_private(node.name):
            yield from _public(node, f"{where}{node.name}.")
        elif isinstance(node, ast.If | ast.Try | ast.With):
            yield from _public(node, where)


def _alias(tree: ast.Module, name: str) -> ast.expr | None:
    """Return what the module assigns to ``name``."""
    for node in ast.walk(tree):
        match node:
            case ast.Assign(targets=[ast.Name(id=found)], value=value) if found == name:
                return value
            case ast.AnnAssign(target=ast.Name(id=found), value=value) if found == name:
                return value
    return None


def counts(package: Package) -> list[Count]:
    """Return all counts, with the bounds that sessile keeps to."""
    intrusions, vague = package.intrusions(), package.vague()
    strangers, circles = package.strangers(), package.circles()
    longest = package.longest()
    return [
        Count("uses of another class's private attributes", len(intrusions), 19, intrusions),
        Count("public functions that return Any", len(vague), 0, vague),
        Count("lines of the longest module", longest.lines, 450, [longest.name]),
        Count("modules at the top that users do not import", len(strangers), 0, strangers),
        Count("modules in a circle of imports", len(circles), 0, circles),
    ]


def main() -> int:
    """Print each count, and where it is over its bound. Return 1 if one is."""
    found = counts(Package(SOURCE))
    for count in found:
        print(f"{count.number:5} (at most {count.at_most}) {count.what}")
        if not count.holds:
            print(*(f"        {where}" for where in count.where), sep="\n")
    return 0 if all(count.holds for count in found) else 1


if __name__ == "__main__":
    sys.exit(main())
