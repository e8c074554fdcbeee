# Device Bound Session Credentials (W3C). The browser makes a key that does not leave the device, and proves every few
# minutes that it still has it. What it gets for the proof is a second cookie with a short life. Whoever copies the
# cookies has them for that long, and no longer.
"""Sessions that are bound to the device they began on: the options, and what a handler sees of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal, NamedTuple

from sessile.errors import DeviceRequired, InvalidOption
from sessile.lifetime import seconds

__all__ = ["Device", "DeviceBinding"]


@dataclass(frozen=True, kw_only=True, slots=True)
class DeviceBinding:
    """How sessions are bound to a device: ``Sessions(device=DeviceBinding(...))``. Needs the extra ``device``.

    Browsers without it (all but Chromium today) go on as before, with sessions that are not bound. Raises InvalidOption
    for values that cannot work.
    """

    #: What becomes of a request that brings a bound session without the proof: "strict" gives it no session, "report"
    #: gives it the session with ``session.device.bound`` False. Both are an event. "strict": else a stolen cookie
    #: works.
    enforce: Literal["strict", "report"] = "strict"
    #: Which sessions are offered a binding: those in which somebody logs in ("login"), or "all" that are stored.
    #: "login": a stranger's session is worth little.
    offer: Literal["login", "all"] = "login"
    #: For how many seconds (or a timedelta) one proof is good: what a thief can use a copy for. 600: a browser signs at
    #: most six times in nine minutes for a site, and renews two minutes early, so less than 300 may lock visitors out.
    proof_ttl: float | timedelta = 600.0
    #: For how many seconds (or a timedelta) after a registration requests pass without the proof: those that were on
    #: their way. 10: longer than a page takes.
    grace: float | timedelta = 10.0
    #: Where the browser registers and renews: below this path, as the browser knows it. No handler of yours is asked.
    path: str = "/device-binding"
    #: The name of the second cookie. None: that of the session's cookie with ``-device`` behind it.
    cookie_name: str | None = None
    #: Path prefixes whose requests do not wait for a proof, such as those of static files. No session belongs there.
    exclude: Sequence[str] = ()

    def __post_init__(self) -> None:
        if self.enforce not in ("strict", "report"):
            raise InvalidOption("device enforce", f"{self.enforce!r} is unknown", "Use 'strict' or 'report'.")
        if self.offer not in ("login", "all"):
            raise InvalidOption("device offer", f"{self.offer!r} is unknown", "Use 'login' or 'all'.")
        for name, least in (("proof_ttl", 1), ("grace", 0)):
            length = seconds(getattr(self, name))
            if length is None or length < least:
                problem = f"{getattr(self, name)!r} is no length of time"
                raise InvalidOption(f"device {name}", problem, f"Give seconds, {least} or more.")
            object.__setattr__(self, name, length)
        if isinstance(self.exclude, str):
            raise InvalidOption("device exclude", f"{self.exclude!r} is no list", "Put it into one.")
        for path in (self.path, *self.exclude):
            if not isinstance(path, str) or not path.startswith("/") or not path.isascii() or not path.isprintable():
                raise InvalidOption("device path", f"{path!r} is no path", "Begin it with '/', in printable ASCII.")


class Device(NamedTuple):
    """What is known of the device of a session: ``session.device``."""

    #: Whether the session is bound to a device.
    registered: bool
    #: Whether this request has brought the proof that it comes from that device.
    bound: bool

    def require(self) -> None:
        """Raise DeviceRequired unless this request comes from the device that its session is bound to.

        Call it before something delicate. Only browsers that bind sessions get past it.
        """
        if not self.bound:
            raise DeviceRequired
