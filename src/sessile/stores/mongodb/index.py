"""The index by which MongoDB removes what has expired."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable

import pymongo
from pymongo.errors import AutoReconnect, PyMongoError

from sessile.dual import Steps
from sessile.stores.mongodb.collection import AnyCollection

__all__ = ["Index"]

logger = logging.getLogger("sessile")

#: After how many seconds the index is asked for again, if the server refused to make it.
INDEX_AGAIN = 3600.0


class Index:
    """Makes the index when it is first due, within half of ``timeout`` seconds."""

    def __init__(self, timeout: float, clock: Callable[[], float]) -> None:
        self._timeout = timeout
        self._clock = clock
        self._due = -math.inf

    def make(self, collection: AnyCollection) -> Steps[None]:
        """Have the server remove what has expired. A session is created even if it refuses."""
        now = self._clock()
        if now < self._due:
            return
        self._due = now + INDEX_AGAIN
        try:
            with pymongo.timeout(self._timeout / 2):
                yield collection.create_index("expires", background=True, expireAfterSeconds=0)
            self._due = math.inf
        except AutoReconnect:
            self._due = now
        except PyMongoError as error:
            logger.warning(
                "no index removes expired sessions from MongoDB (%s %s). Make it: db.%s.createIndex({expires: 1}, "
                "{expireAfterSeconds: 0})",
                type(error).__name__,
                getattr(error, "code", ""),
                collection.name,
            )
