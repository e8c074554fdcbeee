# A client of MongoDB's driver has its colour, and that for asyncio its event loop. The store asks here for a collection
# of the colour that it needs: of a client made for it, or of one that the program has brought and will close itself.
"""Where the collection of the MongoDB store comes from: a URL, or the program."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable
from typing import Any, TypeAlias

from pymongo import AsyncMongoClient, MongoClient, ReadPreference
from pymongo.asynchronous.collection import AsyncCollection
from pymongo.collection import Collection
from pymongo.errors import PyMongoError

from sessile.errors import InvalidOption
from sessile.stores._shared import url as urls
from sessile.stores._shared.pool import MOST_IDLE_SECONDS
from sessile.stores.mongodb.document import OPTIONS

__all__ = ["LONGER", "AnyCollection", "Source", "beside", "brought", "of_url"]

#: A collection in either colour: one body of code uses both.
AnyCollection: TypeAlias = Any

#: After how many deadlines the driver gives up a reply, under asyncio.
LONGER = 4

#: What the driver says of an option that nobody knows.
_UNKNOWN = re.compile(r"Unknown option: (\w*)")

#: Returns a collection; True: for asyncio. Connects to nothing yet.
Source: TypeAlias = Callable[[bool], AnyCollection]


def of_url(url: str, name: str, timeout: float) -> Source:
    """Return a source that makes a client of its own for each collection. ``timeout`` is in seconds."""
    if not name or "$" in name or "\0" in name or name.startswith(("system.", ".")):
        raise InvalidOption("collection", f"{name!r} is no name for one", 'The default is "sessions".')
    patience = max(1, int(timeout * 1000))
    times = {
        False: dict.fromkeys(("timeoutMS", "connectTimeoutMS", "serverSelectionTimeoutMS"), patience),
        # Our own deadline is kept outside of the driver, which cannot tell a server that is silent from an event loop
        # that stood still. So it only looks for a server in less time than that, and gives up a reply much later.
        True: {
            "connectTimeoutMS": LONGER * patience,
            "socketTimeoutMS": LONGER * patience,
            "serverSelectionTimeoutMS": max(1, patience // 3),
        },
    }
    idle = {} if "maxidletimems=" in url.lower() else {"maxIdleTimeMS": int(MOST_IDLE_SECONDS * 1000)}

    def source(asyncio: bool) -> AnyCollection:
        make: Any = AsyncMongoClient if asyncio else MongoClient
        # With connect=False no name is looked up either.
        return _ready(make(url, connect=False, **times[asyncio], **idle).get_default_database("test")[name])

    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("error", _UNKNOWN.pattern, UserWarning)
            source(False)
    except InvalidOption:
        raise
    except UserWarning as warning:
        unknown = _UNKNOWN.match(str(warning))
        if unknown is None:
            raise
        remedy = "It has collection and stringify and timeout, and those of the driver."
        raise urls.no_option(url, unknown[1], remedy) from None
    except (PyMongoError, ValueError, TypeError) as error:
        # The driver's message may show a part of the password.
        problem = f"the driver does not take this URL ({type(error).__name__})"
    else:
        return source
    raise InvalidOption("store", problem, 'Use "mongodb://host/database", user and password percent-encoded.')


def brought(collection: Collection[Any] | None, async_collection: AsyncCollection[Any] | None) -> Source:
    """Return a source of the collections that the program has brought."""
    if collection is not None and not isinstance(collection, Collection):
        raise InvalidOption("collection", "it is none of a MongoClient", "Give one for asyncio as async_collection.")
    if async_collection is not None and not isinstance(async_collection, AsyncCollection):
        raise InvalidOption("async_collection", "it is none of an AsyncMongoClient", "Give another as collection.")
    plain = None if collection is None else _ready(collection)
    other = None if async_collection is None else _ready(async_collection)

    def source(asyncio: bool) -> AnyCollection:
        if asyncio and other is None:
            remedy = "Give one of an AsyncMongoClient."
            raise InvalidOption("async_collection", "there is none, and this is asyncio", remedy)
        if not asyncio and plain is None:
            raise InvalidOption("collection", "there is none for synchronous code", "Give one of a MongoClient.")
        return other if asyncio else plain

    return source


def beside(collection: AnyCollection, suffix: str) -> object:
    """Return the collection of the same database whose name has ``suffix`` behind it, used in the same way."""
    other = collection.database[collection.name + suffix]
    return other.with_options(
        codec_options=collection.codec_options,
        read_preference=collection.read_preference,
        write_concern=collection.write_concern,
        read_concern=collection.read_concern,
    )


def _ready(collection: AnyCollection) -> AnyCollection:
    if not collection.write_concern.acknowledged:
        raise InvalidOption("w", "0 tells nothing of what became of a write", "Leave it out, or use w=majority.")
    # What another member of a replica set has may be older: a session that was ended would be found there.
    return collection.with_options(codec_options=OPTIONS, read_preference=ReadPreference.PRIMARY)
