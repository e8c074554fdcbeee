"""The ``sessile`` command"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

import sessile

SESSILE = Path(sys.executable).with_name("sessile")


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the command, as installed."""
    return subprocess.run(
        [SESSILE, *arguments], capture_output=True, text=True, timeout=60, env={**os.environ, **environment}
    )


def run_without(package: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command as if ``package`` were not installed."""
    program = f"import sys; sys.modules[{package!r}] = None; from sessile.cli import main; main()"
    return subprocess.run([sys.executable, "-c", program, *arguments], capture_output=True, text=True, timeout=60)


def test_version() -> None:
    """--version says which sessile this is."""
    done = run("--version")
    assert (done.returncode, done.stdout) == (0, f"sessile {sessile.__version__}\n")


def test_help_names_the_commands() -> None:
    """--help lists the commands."""
    done = run("--help")
    assert done.returncode == 0
    for command in ("check", "decode", "demo", "ls", "prune", "revoke", "secret", "show", "stats", "watch"):
        assert f" {command} " in done.stdout


def test_secret_is_fresh_and_good_enough() -> None:
    """Each call prints another secret, long enough to give no warning."""
    one, other = run("secret").stdout.strip(), run("secret").stdout.strip()
    assert one != other
    sessile.Sessions(secret=one)


@pytest.mark.parametrize("package", ["typer", "rich"])
def test_without_the_cli_extra_it_says_what_to_install(package: str) -> None:
    """Without its packages the command names the extra in one line, and fails."""
    done = run_without(package, "secret")
    assert done.returncode == 1
    assert "pip install 'sessile[cli]'" in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("package", ["fastapi", "uvicorn", "jinja2", "argon2", "python_multipart"])
def test_without_the_demo_extra_it_says_what_to_install(package: str) -> None:
    """Without one of its packages the demonstration names the extra in one line, and fails."""
    done = run_without(package, "demo")
    assert done.returncode == 1
    assert "pip install 'sessile[demo]'" in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_port_in_use_is_told_in_a_line(tmp_path: Path) -> None:
    """If the port is taken, the demonstration says which to take instead, and fails."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = run("demo", "--folder", str(tmp_path / "shop"), PORT=str(port))
    assert done.returncode == 1
    assert f"PORT={port + 1} make demo" in done.stderr
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / "shop").exists()


def test_a_host_that_is_not_ours_is_told_in_a_line(tmp_path: Path) -> None:
    """An address of another machine is no place to listen at."""
    done = run("demo", "--folder", str(tmp_path), "--host", "192.0.2.1", "--port", "0")
    assert done.returncode == 1
    assert done.stderr.startswith("sessile: Cannot listen at 192.0.2.1")
    assert done.stderr.count("\n") == 1


def test_a_folder_that_cannot_be_used_is_told_in_a_line(tmp_path: Path) -> None:
    """A file where the folder should be is told in a line, not in a traceback."""
    (tmp_path / "shop").write_text("")
    done = run("demo", "--folder", str(tmp_path / "shop" / "inner"), "--port", "0")
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert str(tmp_path / "shop" / "inner") in done.stderr


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
def test_the_demonstration_is_announced_when_it_can_be_opened(tmp_path: Path, stop: signal.Signals) -> None:
    """When the line with the URL is there, the shop answers; it stops quietly when it is told to."""
    with subprocess.Popen(
        [SESSILE, "demo"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PORT": "0", "SESSILE_DEMO_FOLDER": str(tmp_path / "shop")},
    ) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        try:
            assert line.startswith("The shop is open: http://localhost:")
            assert line.endswith("  (stop with Ctrl-C)\n")
            assert httpx.get(line.split()[4]).status_code == 200
        finally:
            process.send_signal(stop)
        out, err = process.communicate(timeout=20)
    assert (out, err) == ("", "")
    assert process.returncode in (0, -stop)
    assert (tmp_path / "shop" / "sessions.db").exists()


def test_the_help_shows_flags_without_a_type() -> None:
    """A flag takes no value, so none is asked for."""
    for command in ([], ["ls"], ["revoke"], ["check"]):
        done = run(*command, "--help")
        assert done.returncode == 0
        assert "--help" in done.stdout
        assert "bool" not in done.stdout.lower()


def test_wrong_arguments_are_exit_code_2() -> None:
    """Whether the command line or what it names is wrong."""
    for arguments in (["ls"], ["ls", "--nope"], ["ls", "--store", "oracle://x"], ["revoke", "--store", "memory://"]):
        assert run(*arguments).returncode == 2


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_shells_complete_commands(shell: str) -> None:
    """`sessile --install-completion` sets it up."""
    typed = {"COMP_WORDS": "sessile wa", "COMP_CWORD": "1", "_TYPER_COMPLETE_ARGS": "sessile wa"}
    done = run(_SESSILE_COMPLETE=f"complete_{shell}", _TYPER_COMPLETE_FISH_ACTION="get-args", **typed)
    assert "watch" in done.stdout
    assert "revoke" not in done.stdout
    assert "--install-completion" in run("--help").stdout
