"""What a decoder is asked for, beside the bytes."""

from __future__ import annotations

from typing import NamedTuple

from hilum.images.limits import Limits


class Request(NamedTuple):
    """The arguments of `read_image` as every decoder receives them.

    Args:
        name: the file, for messages.
        shorter_side: the picture may be reduced while its shorter side stays at least this, pixels.
        frame: the frame or page that is wanted, counted from 0.
        limits: bounds to check against the header.
        expendable: whether this process may be lost, so that codecs may be used that abort on damaged streams.
    """

    name: str
    shorter_side: int | None = None
    frame: int | None = None
    limits: Limits = Limits()
    expendable: bool = False

    def check_size(self, height: int, width: int) -> None:
        """See `Limits.check_size`."""
        self.limits.check_size(height, width, self.name)
