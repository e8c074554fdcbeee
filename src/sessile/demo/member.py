# A server ends with the process that started it, however that ends: it holds the other end of a pipe, which the system
# closes. Nothing is ever sent through it.
"""One of several servers of the shop: ``python -m sessile.demo.member NUMBER COUNT FOLDER``."""

from __future__ import annotations

import os
import sys
import threading
from pathlib import Path

from sessile.demo.app import create_app
from sessile.demo.server import Server, listen

__all__ = ["STORE", "main"]

#: The variable of the environment with the store's URL. It may hold a password, and anybody can read arguments.
STORE = "SESSILE_DEMO_STORE"

HOST = "127.0.0.1"


def main(number: str, count: str, folder: str) -> None:
    """Serve at a free port until standard input ends. Print the port when it is ready."""
    name = f"server {number} of {count}, process {os.getpid()}"
    with listen(HOST, 0) as listener:
        app = create_app(Path(folder), store=os.environ.get(STORE) or None, server=name)
        server = Server(app, lambda: print(listener.getsockname()[1], flush=True))
        threading.Thread(target=_end_with_parent, args=[server], daemon=True).start()
        server.run(sockets=[listener])


def _end_with_parent(server: Server) -> None:
    os.read(sys.stdin.fileno(), 1)
    server.should_exit = True


if __name__ == "__main__":
    main(*sys.argv[1:])
