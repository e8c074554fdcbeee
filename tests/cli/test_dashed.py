"""Ids that begin with a dash, as one in 64 does, are ids and no options."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import typer

from sessile.cli.application import application
from sessile.cli.dashed import NamesSession
from tests.cli.conftest import APP, Run, Shop

#: Ids of our own form. Taken for options, the second says yes, the third asks for help and the fourth is a long one.
IDS = ["-" + "x" * 31, "-y" + "Y_" * 15, "-h" + "A-" * 15, "--" + "z" * 30, "-" * 32, "--yes" + "3" * 27]


@pytest.fixture(params=IDS)
def dashed(request: pytest.FixtureRequest, new_shop: Callable[..., Shop]) -> tuple[Shop, str]:
    """A shop, and the cookie of a session in it whose id begins with a dash."""
    shop = new_shop(genid=lambda facts: request.param)
    cookie = shop.visit("zoe")
    assert shop.session(cookie).id == request.param
    return shop, cookie


@pytest.mark.parametrize("order", ["first", "between", "last", "after --"])
def test_it_is_shown_by_its_id(run: Run, dashed: tuple[Shop, str], order: str) -> None:
    """Wherever it stands on the line."""
    sid = dashed[0].session(dashed[1]).id
    lines = {
        "first": ["show", sid, "--json", *APP],
        "between": ["show", "--json", sid, *APP],
        "last": ["show", "--json", *APP, sid],
        "after --": ["show", "--json", *APP, "--", sid],
    }
    done = run(*lines[order])
    assert (done.code, done.err) == (0, "")
    assert done.objects[0]["user"] == "zoe"


def test_it_is_ended_by_its_id(run: Run, dashed: tuple[Shop, str]) -> None:
    """With --yes it ends; without a --yes it is asked for, whatever letters the id begins with."""
    shop, cookie = dashed
    sid = shop.session(cookie).id
    assert run("revoke", sid, *APP, typed="n\n").code == 1
    assert shop.lives(cookie)
    assert run("revoke", sid, "--yes", *APP).out == "Ended 1 session.\n"
    assert not shop.lives(cookie)


def test_the_value_of_an_option_stays_with_it(run: Run, shop: Shop) -> None:
    """A user may be called so."""
    theirs, other = shop.visit(IDS[0]), shop.visit("zoe")
    assert run("revoke", "--user", IDS[0], "--yes", *APP).out == "Ended 1 session.\n"
    assert (shop.lives(theirs), shop.lives(other)) == (False, True)


def test_a_misspelt_option_is_still_told(run: Run, shop: Shop) -> None:
    """It is too short for an id."""
    done = run("revoke", "--everything", "--yes", *APP)
    assert done.code == 2
    assert "--everything" in done.err


def test_every_command_that_takes_an_id_is_one() -> None:
    """And no option of theirs is long enough to be taken for an id."""
    commands = typer.main.get_command(application).commands  # type: ignore[attr-defined]
    for name, command in commands.items():
        takes_id = any("ID" in str(param.metavar) for param in command.params if param.param_type_name == "argument")
        assert isinstance(command, NamesSession) is takes_id, name
        if takes_id:
            assert all(len(option) < 22 for param in command.params for option in param.opts)
    assert sum(isinstance(command, NamesSession) for command in commands.values()) == 2
