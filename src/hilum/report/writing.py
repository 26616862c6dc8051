"""How a page, a card or a drawing comes into its place."""

from __future__ import annotations

from pathlib import Path


def write_text(path: Path, text: str) -> Path:
    """Writes UTF-8 beside the place and renames it into it, so that nobody reads half a page.

    Args:
        text: a half of a character that names of files may hold is written as its escape.

    Returns:
        `path`.
    """
    partial = path.with_name(f"{path.name}.partial")
    partial.write_bytes(text.encode("utf-8", errors="backslashreplace"))
    partial.replace(path)
    return path
