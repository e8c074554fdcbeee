# What a browser says of itself is long, and most of it is history: nearly each claims to be Mozilla, Safari and several
# others. The first of these words that occurs is the true one, because those that imitate stand before those imitated.
# Only our own words are kept: what a visitor sends is never stored, and can be of any length.
"""Say in a few plain words which device a visitor has."""

from __future__ import annotations

__all__ = ["describe"]

_BROWSERS = {
    "Edg": "Edge",
    "OPR/": "Opera",
    "SamsungBrowser/": "Samsung Internet",
    "Firefox/": "Firefox",
    "FxiOS/": "Firefox",
    "Chrome/": "Chrome",
    "CriOS/": "Chrome",
    "Safari/": "Safari",
    "curl/": "curl",
}
_SYSTEMS = {
    "iPhone": "iPhone",
    "iPad": "iPad",
    "Android": "Android",
    "Windows": "Windows",
    "CrOS": "ChromeOS",
    "Macintosh": "macOS",
    "Linux": "Linux",
}


def describe(user_agent: str) -> str:
    """Return the name of a device, from its header User-Agent: "Firefox on Linux". For people, not to decide by."""
    browser = next((name for word, name in _BROWSERS.items() if word in user_agent), "An unknown browser")
    system = next((name for word, name in _SYSTEMS.items() if word in user_agent), None)
    return f"{browser} on {system}" if system else browser
