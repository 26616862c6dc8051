"""The child of a sandbox: reads requests from standard input, decodes, answers on standard output, until its end."""

from __future__ import annotations

import math
import os
import sys
from dataclasses import asdict
from typing import Any, BinaryIO

from hilum.images.message import image_message, read_message, rejected_message, write_message

_MOST_FILES = 64


def main() -> None:
    """Serves requests one after the other; ends with its parent, or after it ran out of memory."""
    requests, answers = sys.stdin.buffer, _own_output()
    _load_decoders()
    _limit_for_good()
    write_message(answers, {"ready": True})
    while _serve(requests, answers):
        pass


def request_message(shorter_side: int | None, frame: int | None, limits: Any) -> dict[str, Any]:
    """The head of a request, whose body are the bytes of the file."""
    return {"shorter_side": shorter_side, "frame": frame, "limits": asdict(limits)}


def _serve(requests: BinaryIO, answers: BinaryIO) -> bool:
    """One request; whether there may be another."""
    from hilum.errors import ImageRejected
    from hilum.images.boundary import typed_errors
    from hilum.images.limits import Limits
    from hilum.images.read import decode
    from hilum.images.request import Request

    try:
        head, data = read_message(requests, 2**32)
    except EOFError:
        return False
    _load_for(data)
    limits = Limits(**head["limits"])
    _limit(limits.memory_bytes, limits.seconds)
    try:
        with typed_errors(""):
            image = decode(data, Request("", head["shorter_side"], head["frame"], limits, expendable=True))
    except ImageRejected as error:
        _unlimit()
        write_message(answers, rejected_message(error))
        return error.code != "memory"  # what is left of the memory after that is in pieces
    _unlimit()
    write_message(answers, *image_message(image))
    return True


def _own_output() -> BinaryIO:
    """Keeps the pipe for answers; what C libraries write to the standard streams goes nowhere."""
    answers = os.fdopen(os.dup(1), "wb")
    nowhere = os.open(os.devnull, os.O_RDWR)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    return answers


def _load_decoders() -> None:
    """Imports what most pictures need, so that neither the time nor the memory of a file pays for it."""
    sys.modules["requests"] = None  # type: ignore[assignment]  # pydicom's download of test files: 0.1 s for nothing
    import cv2

    import hilum.images.jpeg
    import hilum.images.raster  # noqa: F401

    cv2.setNumThreads(1)


def _load_for(data: bytes) -> None:
    """Imports pydicom when the first file for it comes: half of the start of a child, and of no use to the others."""
    from hilum.images.sniff import sniff

    if sniff(data) == "DICOM":
        import hilum.images.dicom  # noqa: F401


def _limit_for_good() -> None:
    """No core dump, which would hold a patient's picture, and no file written, whatever a decoder is made to do."""
    try:
        import resource
    except ImportError:  # Windows
        return
    for kind, most in ((resource.RLIMIT_CORE, 0), (resource.RLIMIT_FSIZE, 0), (resource.RLIMIT_NOFILE, _MOST_FILES)):
        resource.setrlimit(kind, (most, most))


def _limit(memory_bytes: int, seconds: float) -> None:
    """Bounds memory and processor time for one file, where the system can.

    The address space may grow by what is left of `memory_bytes` beside what is resident now. Processor time is a second
    line behind the parent's clock, for a parent that is no longer there.
    """
    sizes = _sizes()
    if sizes is None:
        return
    import resource

    space, resident = sizes
    _soft(resource.RLIMIT_AS, space + max(0, memory_bytes - resident))
    used = resource.getrusage(resource.RUSAGE_SELF)
    _soft(resource.RLIMIT_CPU, math.ceil(used.ru_utime + used.ru_stime + seconds) + 1)


def _unlimit() -> None:
    """Lets the answer be written, for which there may be no memory within the limit."""
    if _sizes() is not None:
        import resource

        _soft(resource.RLIMIT_AS, resource.RLIM_INFINITY)


def _soft(kind: int, most: int) -> None:
    import resource

    hard = resource.getrlimit(kind)[1]
    resource.setrlimit(kind, (most if hard == resource.RLIM_INFINITY else min(most, hard), hard))


def _sizes() -> tuple[int, int] | None:
    """Address space and resident memory in bytes; None where the system does not tell (all but Linux)."""
    try:
        with open("/proc/self/statm", "rb") as statm:  # noqa: PTH123
            space, resident = (int(count) for count in statm.read().split()[:2])
    except OSError:
        return None
    page = os.sysconf("SC_PAGE_SIZE")
    return space * page, resident * page
