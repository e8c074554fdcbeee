"""Close an open WebSocket when its session ends."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from math import inf
from typing import Any, Final

from sessile._engine.manager import Sessions
from sessile._session.session import Session
from sessile.errors import InvalidOption, StoreUnavailable

__all__ = ["ENDED", "Watch", "given_patience"]

#: With what a WebSocket is closed whose session was ended: "policy violation" (RFC 6455 7.4.1), and the reason.
ENDED: Final = (1008, "the session was ended")


def given_patience(revocation_check: float | None) -> float:
    """Return the seconds between two looks of a ``Watch``, as a middleware was given them. None: never."""
    if revocation_check is None:
        return inf
    if not revocation_check >= 0:
        remedy = "Give seconds from 0, or None for never."
        raise InvalidOption("revocation_check", f"{revocation_check!r} is no time", remedy)
    return revocation_check


class Watch:
    """Looks now and then whether the session of an open WebSocket is still there, and closes the WebSocket if not.

    An integration calls ``is_over`` when a message comes or goes. It asks the store ``patience`` seconds after the
    last time at the earliest. ``close`` is called once, and closes the WebSocket with ``ENDED``.
    """

    __slots__ = ("_check_at", "_close", "_engine", "_patience", "_session", "over")

    def __init__(
        self, sessions: Sessions, session: Session, patience: float, close: Callable[[], Awaitable[object]]
    ) -> None:
        self._engine = sessions.engine
        self._session = session
        self._patience = patience
        self._close = close
        self._check_at = self._engine.now() + patience
        #: Whether the session was ended.
        self.over = False

    def is_due(self) -> bool:
        """Tell whether ``is_over`` will ask the store."""
        return self._engine.now() >= self._check_at

    async def is_over(self) -> bool:
        """Tell whether the session was ended, as far as it is time to ask. Then the WebSocket is closed."""
        if self.is_due():
            self._check_at = self._engine.now() + self._patience
            try:
                live = await self._engine.is_live_async(self._session)
            except StoreUnavailable:
                live = True  # An outage ends no session. It is asked again.
            if not live and not self.over:
                self.over, self._check_at = True, inf
                await self._close()
        return self.over

    def sending(self, send: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        """Return ``send``, with a look before it. It is called on a closed WebSocket too, and raises what it raises."""

        async def send_on(*args: Any, **kwargs: Any) -> Any:
            await self.is_over()
            return await send(*args, **kwargs)

        return send_on

    def receiving(
        self, receive: Callable[..., Awaitable[Any]], gone: Callable[..., Awaitable[Any]]
    ) -> Callable[..., Awaitable[Any]]:
        """Return ``receive``, with a look after it. ``gone`` gives what a handler gets when the visitor has gone."""

        async def receive_on(*args: Any, **kwargs: Any) -> Any:
            message = await receive(*args, **kwargs)
            return await gone() if await self.is_over() else message

        return receive_on
