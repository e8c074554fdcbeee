"""Keep sessions in files, one each: the layout of Node's session-file-store."""

from __future__ import annotations

from sessile.stores.file.store import FileStore, from_url

__all__ = ["FileStore", "from_url"]
