"""A moto of the tests' own: DynamoDB as its authors understand it, in a process of its own.

moto checks no condition and writes in one step, as DynamoDB does; so its calls are made one after the other here.
"""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

SERVE = """
import sys, threading
from moto.server import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import WSGIRequestHandler, make_server

class Quiet(WSGIRequestHandler):
    protocol_version = "HTTP/1.1"
    def log(self, *arguments): pass

moto, alone = DomainDispatcherApplication(create_backend_app), threading.Lock()
def serve(environ, start_response):
    environ["wsgi.input"] = __import__("io").BytesIO(environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0)))
    with alone:
        return [b"".join(moto(environ, start_response))]
make_server("127.0.0.1", int(sys.argv[1]), serve, threaded=True, request_handler=Quiet).serve_forever()
"""


class Moto:
    """A server that can be killed and started again."""

    def __init__(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as probe:
            self.port = probe.getsockname()[1]
        self.start()

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        self._process = subprocess.Popen([sys.executable, "-c", SERVE, str(self.port)])
        deadline = time.monotonic() + 60
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=30).close()
                return
            except OSError:
                assert time.monotonic() < deadline
                assert self._process.poll() is None, "moto has ended"
                time.sleep(0.02)

    def kill(self) -> None:
        """End it as a power cut would. What it kept is gone, unlike AWS's."""
        self._process.kill()
        self._process.wait()


@contextmanager
def moto() -> Iterator[Moto]:
    """Run a server as long as the block does."""
    server = Moto()
    try:
        yield server
    finally:
        server.kill()
