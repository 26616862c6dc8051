"""UIDs that follow from what an object was made from: the same image and model give the same objects."""

from __future__ import annotations

import hashlib

_ROOT = "2.25"
"""Root of UIDs made from a UUID (PS3.5 section B.2)."""
_VERSION, _VARIANT = 8 << 76, 2 << 62
"""A UUID of version 8, whose bits its maker chooses (RFC 9562 section 5.8)."""


def derive_uid(*parts: str) -> str:
    """A UID for whatever the parts name: at most 44 characters, equal for equal parts.

    Args:
        parts: what the object is, then what it was made from, such as a SOP Instance UID and a model's SHA-256.
    """
    number = int(derive_key(*parts), 16)
    number = number & ~(15 << 76) & ~(3 << 62) | _VERSION | _VARIANT
    return f"{_ROOT}.{number}"


def derive_key(*parts: str) -> str:
    """The same as 32 hex digits, for names of files; it shows nothing of the parts."""
    return hashlib.sha256("\0".join(("hilum dicom", *parts)).encode("utf-8", "surrogatepass")).hexdigest()[:32]
