# A test is in `make test-fast` unless it is named here, so a new one is. If it starts a server all the same, it fails, in
# `make test` too, and is told to be named; test_fast.py finds names that nothing has any more.
"""``--fast`` leaves out what needs a server, Node or a browser. Whatever else starts one fails."""

from __future__ import annotations

import os
import sys
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

#: Fixtures that start one.
FIXTURES = frozenset({"express", "mariadb", "node", "postgres", "redis_server"})

#: Ids of tests that start one in another way. An asterisk stands for anything, a question mark for a bracket.
TESTS = (
    "tests/_engine/device/test_chromium.py::*",
    "tests/_engine/device/test_site_in_chromium.py::*",
    "tests/_engine/test_cookie_session.py::*",
    "tests/_engine/test_forms.py::*",
    "tests/_records/test_fields.py::test_it_survives_node",
    "tests/_records/test_record.py::test_writes_what_json_stringify_writes",
    "tests/cli/test_migrate.py::test_a_server_that_is_killed_half_way_is_waited_for",
    "tests/cli/test_migrate.py::test_killed_half_way_and_started_again_it_completes",
    "tests/codecs/test_webcrypto.py::test_node_and_we_hand_a_session_to_and_fro*",
    "tests/console/test_browser.py::*",
    "tests/console/test_sites.py::*",
    "tests/demo/test_browser.py::*",
    "tests/demo/test_servers.py::*",
    "tests/integrations/test_sites.py::*",
    "tests/interleavings/test_options.py::*",  # No server, but minutes.
    "tests/interleavings/test_pairs.py::*",
    "tests/interleavings/test_triples.py::*",
    "tests/cli/test_redis.py::*",
    "tests/differential/test_cookie_parser.py::*",
    "tests/docs/test_search.py::*",
    "tests/django/test_node.py::*",
    "tests/migration/test_old_loki.py::*",
    "tests/migration/test_stores.py::*",
    "tests/neighbours/test_neighbours.py::*",  # Whole suites of other packages: a minute by themselves.
    "tests/servers/*",
    "tests/test_on_top_django.py::*",
    "tests/stores/test_dynamodb.py::*",
    "tests/stores/test_file.py::*[Nn]ode*",
    "tests/stores/test_file_encrypted.py::*",
    "tests/stores/test_forbidden_index.py::*",
    "tests/stores/test_knex.py::*",
    "tests/stores/test_long_ids.py::test_what_node_began*",
    "tests/stores/test_memcached.py::*",
    "tests/stores/test_mongodb*.py::*",
    "tests/stores/test_mysql.py::*",
    "tests/stores/test_orms.py::*",
    "tests/stores/test_redis*.py::*",
    "tests/stores/test_sqlalchemy.py::*",
    "tests/stores/test_sqlite_layouts.py::TestBesideNode::*",
    "tests/stores/test_sqlite_layouts.py::test_both_sides_reckon_the_same_life*",
    "tests/stress/*",
    "tests/test_telemetry.py::*redis?",
    "tests/typing/*",
    "tests/stores/test_frozen.py::*",
    "tests/stores/test_file.py::*full_disk*",
    "tests/stores/test_sqlite_file.py::*full_disk*",
    # Of the rest, what takes more than two seconds of a processor: other processes, most of it.
    "docs/tutorial*",
    "tests/_engine/test_processes.py::*",
    "tests/_engine/test_races.py::*",
    "tests/cli/test_canary.py::*",
    "tests/cli/test_cli.py::*",
    "tests/cli/test_migrate.py::*",
    "tests/demo/test_password.py::*",
    "tests/migration/test_old.py::test_django*",
    "tests/neighbours/test_fetch.py::test_outcomes_are_what_they_are",
    "tests/stores/test_file.py::test_no_increment_of_several_processes_is_lost",
    "tests/stores/test_sqlite.py::test_processes_may_start_together",
    "tests/test_fast.py::test_a_test_that_starts_a_server_is_told",
)

#: What a test may start: Python, our own command, checkers, git, and what Python asks the machine.
_HARMLESS = ("python", "sessile", "lint-imports", "git", "uname", "ldconfig")

_NOW_RUNNING = ""


def needs_server(item: pytest.Item) -> bool:
    """Return whether a test is named above."""
    named = FIXTURES.intersection(getattr(item, "fixturenames", ()))
    return bool(named) or any(fnmatchcase(item.nodeid, pattern) for pattern in TESTS)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--fast", action="store_true", help="Leave out what needs a server, Node or a browser.")


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("--fast"):
        settings.register_profile("fast", settings.default, max_examples=25)
        settings.load_profile("fast")
    sys.addaudithook(_watch)


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Do not even import the files of which no test is left."""
    if not config.getoption("--fast") or not collection_path.is_relative_to(config.rootpath):
        return None
    path = collection_path.relative_to(config.rootpath).as_posix()
    return any(fnmatchcase(f"{path}{end}", pattern) for end in ("::*", "/*") for pattern in TESTS) or None


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--fast"):
        left_out = [item for item in items if needs_server(item)]
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if not needs_server(item)]


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> None:
    global _NOW_RUNNING  # A hook of the interpreter's has nothing else to ask.
    _NOW_RUNNING = "" if needs_server(item) else item.nodeid


def _watch(event: str, arguments: tuple[Any, ...]) -> None:
    if event == "subprocess.Popen" and _NOW_RUNNING:
        name = Path(os.fsdecode(arguments[0])).name
        if not name.startswith(_HARMLESS):
            raise RuntimeError(f"{_NOW_RUNNING} starts {name}: name it, or its fixture, in tests/fast.py")
