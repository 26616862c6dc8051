"""Where to compute, and how a CPU's memory is best handed out for it."""

from __future__ import annotations

import ctypes
import sys
from typing import Any

import torch

from hilum.errors import UsageError

DEVICES = ("auto", "cpu", "cuda", "mps")
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
"""Numbers of glibc's mallopt(3)."""


def choose_device(device: str = "auto") -> torch.device:
    """The device that was asked for; `auto` is cuda where there is one, then mps, then the CPU.

    Raises:
        UsageError: an unknown name, or a device that this machine or this torch does not have.
    """
    if device not in DEVICES:
        raise UsageError("--device", expected=f"one of {', '.join(DEVICES)}", found=device)
    present = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if device == "auto":
        return torch.device(next(name for name, there in present.items() if there))
    if not present[device]:
        built = torch.version.cuda is not None if device == "cuda" else torch.backends.mps.is_built()
        raise UsageError(
            f"--device {device}",
            expected=f"a machine with {device}",
            found="none" if built else f"a torch that was built without {device}",
            way_out="Use --device auto or cpu.",
        )
    return torch.device(device)


def tune_cpu() -> bool:
    """Makes glibc keep large blocks of memory instead of giving them back to the system after each use.

    A training step asks for the same large activations again and again; by default each request is a fresh mapping
    whose pages the kernel has to clear. The process holds on to its largest use of memory in exchange. Call it before
    the first network is built.

    Returns:
        Whether it took effect; False on other systems than Linux with glibc, where nothing is done.
    """
    mallopt = _glibc("mallopt")
    if mallopt is None:
        return False
    # As high as it lets us: older releases of glibc refuse more than half of an arena, 32 MiB.
    mapped = any(mallopt(M_MMAP_THRESHOLD, size) == 1 for size in (1 << 30, 1 << 25))
    return mapped and mallopt(M_TRIM_THRESHOLD, (1 << 31) - 1) == 1


def give_back_memory() -> bool:
    """Hands to the system what glibc keeps and nobody uses, say after a training: another network asks for other sizes,
    and what it cannot reuse would lie beside what it needs.

    Returns:
        Whether there was anything; False on other systems than Linux with glibc, where nothing is done.
    """
    trim = _glibc("malloc_trim")
    return trim is not None and trim(0) == 1


def _glibc(name: str) -> Any | None:
    """A function of the C library; None where it has none of this name."""
    if not sys.platform.startswith("linux"):
        return None
    try:
        return getattr(ctypes.CDLL(None), name)
    except (OSError, AttributeError):
        return None
