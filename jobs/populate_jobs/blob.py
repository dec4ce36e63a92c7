"""Text as DataJoint's `<blob>` codec packs it, so that `Table.jobs.errors` shows our tracebacks."""

from __future__ import annotations

import struct
import zlib

_COMPRESS_BEYOND = 1000


def pack_text(text: str) -> bytes:
    data = text.encode("utf-8", "backslashreplace")
    blob = b"dj0\0\5" + struct.pack("<Q", len(data)) + data
    if len(blob) <= _COMPRESS_BEYOND:
        return blob
    compressed = b"ZL123\0" + struct.pack("<Q", len(blob)) + zlib.compress(blob)
    return min(compressed, blob, key=len)
