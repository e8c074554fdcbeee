"""Draws the messages between a browser, a site and a thief, where sessions are bound to a device."""

from __future__ import annotations

from html import escape
from typing import Any

from sessile import DeviceBinding

MARK = "<!-- device -->"

BROWSER, SITE, THIEF = 70, 400, 730
WIDTH, STEP, TOP = 800, 44, 62

_BINDING = DeviceBinding()
_PROOF = f"proof cookie, good for {_BINDING.proof_ttl:g} seconds; a new challenge"

#: A heading, or who sends what to whom.
STEPS: tuple[str | tuple[int, int, str], ...] = (
    "The log-in",
    (BROWSER, SITE, "POST /login, name and password"),
    (SITE, BROWSER, "session cookie; an offer with a challenge"),
    (BROWSER, SITE, f"POST {_BINDING.path}/register: key, signed challenge"),
    (SITE, BROWSER, _PROOF),
    "Every page",
    (BROWSER, SITE, "GET /, with both cookies"),
    (SITE, BROWSER, "the page"),
    "The proof is about to end, and a page is wanted",
    (BROWSER, SITE, f"POST {_BINDING.path}/refresh: signed challenge"),
    (SITE, BROWSER, _PROOF),
    "A thief has copied both cookies",
    (THIEF, SITE, "GET /, after the copied proof has ended"),
    (SITE, THIEF, "no session; the event device_unproved"),
    (THIEF, SITE, f"POST {_BINDING.path}/refresh, with another key"),
    (SITE, THIEF, "403, no cookie; the event device_refused"),
    "The log-out",
    (BROWSER, SITE, "POST /logout"),
    (SITE, BROWSER, "both cookies are taken away; the record is gone"),
)


def picture() -> str:
    """Return the messages as SVG: a line for each who takes part, time goes down."""
    parts = []
    bottom = TOP + STEP * len(STEPS)
    for at, name in ((BROWSER, "browser"), (SITE, "your site"), (THIEF, "thief")):
        parts.append(
            f'<path d="M{at} 38 V{bottom}" stroke="currentColor" opacity=".3"/>'
            f'<rect x="{at - 60}" y="4" width="120" height="34" rx="6" fill="currentColor" fill-opacity=".08"/>'
            f'<text x="{at}" y="26" text-anchor="middle" font-weight="600">{name}</text>'
        )
    for number, step in enumerate(STEPS):
        base = TOP + STEP * number + 28
        if isinstance(step, str):
            parts.append(
                f'<rect x="4" y="{base - 19}" width="{WIDTH - 8}" height="26" rx="4" '
                'fill="#0d9488" fill-opacity=".16"/>'
                f'<text x="14" y="{base - 1}" font-weight="600">{escape(step)}</text>'
            )
            continue
        source, target, what = step
        back = 6 if target < source else -6
        parts.append(
            f'<path d="M{source} {base} H{target + back}" stroke="currentColor" marker-end="url(#sent)"/>'
            f'<text x="{(source + target) // 2}" y="{base - 8}" text-anchor="middle" font-size="12">'
            f"{escape(what)}</text>"
        )
    return (
        '<div style="overflow-x:auto">'
        f'<svg viewBox="0 0 {WIDTH} {bottom + 4}" role="img" aria-label="What a browser, a site and a thief send" '
        'style="width:100%;min-width:680px;font:13px system-ui,sans-serif;fill:currentColor">'
        '<defs><marker id="sent" viewBox="0 0 8 8" refX="6" refY="4" markerWidth="8" markerHeight="8" '
        'orient="auto-start-reverse"><path d="M0 0 8 4 0 8" fill="currentColor"/></marker></defs>'
        + "".join(parts)
        + "</svg></div>"
    )


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Put the picture where a page has the mark (a hook of MkDocs)."""
    return markdown.replace(MARK, picture()) if MARK in markdown else markdown
