# A page elsewhere can make a visitor's browser send a form to us, and the browser adds our cookie (cross-site request
# forgery). SameSite=Lax on the session cookie stops most of it; not from a neighbour on another port or subdomain,
# and not the login form, which needs no cookie to do harm. Browsers also say where a request comes from, in headers
# that no page can forge. That is enough, needs no token in each form, and so no session for somebody who only looks.
# The same rule as net/http's CrossOriginProtection of Go 1.25.
"""Refuse forms that another site sent in a visitor's name."""

from __future__ import annotations

from urllib.parse import urlsplit

from fastapi import HTTPException, Request

__all__ = ["refuse_other_sites"]


def refuse_other_sites(request: Request) -> None:
    """Let a request pass if it changes nothing, or comes from our own pages; answer 403 otherwise."""
    if request.method in ("GET", "HEAD", "OPTIONS"):
        return
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        ours = site in ("same-origin", "none")
    else:
        # An older browser, or plain http to another machine. With no Origin it is no browser, and no cookie is abused.
        origin = request.headers.get("origin")
        ours = origin is None or urlsplit(origin).netloc == request.headers.get("host")
    if not ours:
        raise HTTPException(403, "This form was sent from another site, so it was not carried out.")
