"""The boundary to other people's decoders: whatever they raise on hostile bytes leaves here as ImageRejected."""

from __future__ import annotations

import logging
import re
import struct
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from hilum.errors import ImageRejected
from hilum.images.codes import rejection

_LIBRARIES = r"(PIL|pydicom)\."
_MEMORY = re.compile(r"insufficient memory|failed to allocate|out of memory|cannot allocate|bad_alloc", re.IGNORECASE)
_TRUNCATED = re.compile(r"truncat|premature|unexpected end|end of file|incomplete", re.IGNORECASE)


class NeedsSandbox(Exception):
    """The file can be decoded only by a codec that may abort the process, and this one is not expendable."""


@contextmanager
def typed_errors(name: str) -> Iterator[None]:
    """Turns every exception into an ImageRejected that names the file.

    Pillow, pydicom, its codecs and OpenCV raise a dozen families between them (OSError, SyntaxError, struct.error,
    KeyError, RecursionError, cv2.error, ...). Their texts may quote the file, and with it a patient, so only the class
    is repeated, and the original is not chained.

    Raises:
        ImageRejected: `memory`, `truncated`, `unsupported` or `corrupt`.
        NeedsSandbox: passed on.
    """
    try:
        yield
    except (ImageRejected, NeedsSandbox):
        raise
    except MemoryError:
        raise rejection("memory", name, "no memory left in the decoder") from None
    except Exception as error:
        raise rejection(_code(error), name, f"{type(error).__name__} in the decoder") from None


def _code(error: Exception) -> str:
    if _MEMORY.search(str(error)):
        return "memory"
    if isinstance(error, (EOFError, struct.error)) or _TRUNCATED.search(str(error)):
        return "truncated"
    return "unsupported" if isinstance(error, NotImplementedError) else "corrupt"


def silence_libraries() -> None:
    """Keeps the warnings of Pillow and pydicom off the terminal and out of logs, for good.

    They repeat tag values, and what matters in them is returned as codes. `warnings.catch_warnings` is no way to do it
    because it is not safe with threads; a filter that is already there is left alone for the same reason.
    """
    wanted = ("ignore", None, UserWarning, re.compile(_LIBRARIES), 0)
    if wanted not in warnings.filters:
        warnings.filterwarnings("ignore", category=UserWarning, module=_LIBRARIES)
        for library in ("PIL", "pydicom"):
            logging.getLogger(library).setLevel(logging.CRITICAL)
