"""Make what binds sessions to devices, or say why it cannot work."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from sessile._engine.device.cookie import BoundCookie
from sessile._wire.proxy import Trust
from sessile.device import DeviceBinding
from sessile.errors import InvalidOption, MissingExtra
from sessile.events import Events
from sessile.options import CookieOptions, Options

if TYPE_CHECKING:
    from sessile._engine.device.guard import Guard

__all__ = ["make_guard"]

_PREFIX = re.compile(r"__(host-http|host|secure|http)-", re.IGNORECASE)


def make_guard(options: Options, binding: DeviceBinding, events: Events, trust: Trust, *, carried: bool) -> Guard:
    """Return the guard for ``binding``. ``carried``: sessions travel in their cookie.

    Raises InvalidOption for what a browser cannot bind, and MissingExtra without the package ``cryptography``.
    """
    if carried:
        problem = "a session that travels in its cookie has no record that a binding could stand in"
        raise InvalidOption("device", problem, "Give a store that keeps sessions on the server.")
    if options.transport != "cookie":
        raise InvalidOption("device", f"browsers bind cookies, and transport={options.transport!r}", "Leave one out.")
    cookie = options.cookie
    if not isinstance(cookie, CookieOptions):
        raise InvalidOption("device", "the attributes of the cookie follow from the request", "Give CookieOptions.")
    if not cookie.secure:
        raise InvalidOption("device", "browsers bind sessions over https only", 'Set secure=True, or "auto".')
    if cookie.partitioned:
        raise InvalidOption("device", "browsers do not bind partitioned cookies", "Leave out partitioned.")
    if not f"{binding.path}/".startswith(cookie.path.rstrip("/") + "/"):
        problem = f"{binding.path!r} is outside of the cookie's path {cookie.path!r}"
        raise InvalidOption("device path", problem, "Begin it with the path of the cookie.")
    same_site = {True: "strict", False: None, "auto": "none"}.get(cookie.same_site, cookie.same_site)
    prefix = "__Host-" if cookie.path == "/" and cookie.domain is None else "__Secure-"
    name = binding.cookie_name or prefix + _PREFIX.sub("", options.name) + "-device"
    bound = BoundCookie(name, path=cookie.path, domain=cookie.domain, same_site=same_site)  # type: ignore[arg-type]
    try:
        from sessile._engine.device.guard import Guard
    except ImportError as error:
        raise MissingExtra("device=DeviceBinding(...)", "device") from error
    return Guard(binding, bound, options.secrets(), events, trust, options.clock)
