# A browser looks for a cookie that agrees in name, domain, path, Secure, HttpOnly and SameSite with what it was told at
# registration. One difference, and it refreshes before every request until its quota is used up. So the attributes that
# it is told and those of the Set-Cookie are one text.
"""The bound cookie: as the browser is told of it, and as it is set."""

from __future__ import annotations

from sessile import cookies
from sessile.errors import InvalidOption

__all__ = ["BoundCookie"]


class BoundCookie:
    """The cookie that shows that the device has proved itself. It is always Secure and HttpOnly.

    Raises InvalidOption for what Chromium refuses to bind, and for what no browser would store.
    """

    __slots__ = ("attributes", "name")

    def __init__(self, name: str, *, path: str = "/", domain: str | None = None, same_site: str | None = "lax") -> None:
        """Take the cookie's name and attributes. ``same_site``: "strict", "lax", "none", or None for the browser's."""
        if name.lower().startswith("__host-http-"):
            raise InvalidOption("device cookie name", f"{name!r}: Chromium does not bind it", "Begin it with __Host-.")
        if name.lower().startswith("__host-") and (path != "/" or domain is not None):
            raise InvalidOption(
                "device cookie name", f"{name!r} with a domain, or a path that is not /", "Begin it with __Secure-."
            )
        if not path.startswith("/"):
            # Without a path the cookie would be that of the endpoints' folder, and protect nothing else.
            raise InvalidOption("device cookie path", f"{path!r} does not begin with '/'", 'The whole site is "/".')
        try:
            whole = cookies.serialize(
                name, "", domain=domain, path=path, http_only=True, secure=True, same_site=same_site
            )
        except ValueError as error:
            raise InvalidOption("device cookie", str(error), "Give what a cookie can have.") from None
        self.name = name
        #: What the browser is told: all but the life, which it must not be told here.
        self.attributes = whole.partition("; ")[2]

    def set(self, token: str, seconds: int) -> str:
        """Return the Set-Cookie that gives the browser ``token`` for so many seconds."""
        return f"{cookies.serialize(self.name, token, max_age=seconds)}; {self.attributes}"

    def clear(self) -> str:
        """Return the Set-Cookie that takes it away."""
        return self.set("", 0)

    def credential(self) -> dict[str, str]:
        """Return the entry for ``credentials`` of the instructions."""
        return {"type": "cookie", "name": self.name, "attributes": self.attributes}
