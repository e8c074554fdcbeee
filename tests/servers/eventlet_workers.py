"""``python -m tests.servers.eventlet_workers WORKERS HOST:PORT``: gunicorn has given up its workers of eventlet, so these are ours.

As with gunicorn's ``--preload``: the site is imported, and so has asked its store, before the workers are forked; each
lets eventlet patch what it has imported by then.
"""

from __future__ import annotations

import os
import signal
import socket
import sys


def main() -> None:
    """Import the site, fork the workers, and end them at SIGTERM."""
    from tests.servers.forked_site import application

    number, address = sys.argv[1:]
    host, _, port = address.rpartition(":")
    workers = []
    for _ in range(int(number)):
        worker = os.fork()
        if worker == 0:
            import eventlet
            import eventlet.greenio
            import eventlet.wsgi

            if "SITE_PATCHES" not in os.environ:
                eventlet.monkey_patch()
            # One for each, or the first worker would accept everybody.
            listener = socket.create_server((host, int(port)), reuse_port=True)
            eventlet.wsgi.server(eventlet.greenio.GreenSocket(listener), application, log_output=False)
            os._exit(0)
        workers.append(worker)
    signal.signal(signal.SIGTERM, lambda *_: [os.kill(worker, signal.SIGKILL) for worker in workers])
    for worker in workers:
        os.waitpid(worker, 0)


if __name__ == "__main__":
    main()
