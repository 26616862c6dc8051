"""What a study writes down about itself, and how it sees that a part is already done."""

from __future__ import annotations

import hashlib
import json
import platform
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any, TextIO

from hilum.errors import UsageError
from hilum.version import __version__

PACKAGES = (
    "torch", "torchvision", "timm", "lightning", "numpy", "pandas", "scikit-learn", "scipy", "opencv-python-headless",
    "pillow", "pydicom", "safetensors", "onnx", "onnxruntime", "openvino",
)  # fmt: skip


def write_json(path: Path, document: Mapping[str, Any]) -> None:
    """Writes beside and renames into place."""
    partial = path.with_name(path.name + ".partial")
    partial.write_text(json.dumps(document, indent=1, sort_keys=False) + "\n")
    partial.replace(path)


def read_json(path: Path) -> dict[str, Any] | None:
    """The document, None where there is none or it cannot be read."""
    try:
        return json.loads(path.read_text())
    except (OSError, ValueError):
        return None


def digest_of(*parts: Any) -> str:
    """A hash of anything JSON can hold."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()[:24]


@contextmanager
def locked(study_dir: Path, *, wait: float = 0.0) -> Iterator[None]:
    """Holds a study's folder for one process.

    Args:
        wait: seconds that another process is waited for.

    Raises:
        UsageError: another process works in it.
    """
    deadline = time.monotonic() + wait
    with (study_dir / ".lock").open("a") as file:
        while not _lock(file):
            if time.monotonic() >= deadline:
                way_out = "Wait for it, or give another folder with --out."
                raise UsageError(
                    str(study_dir), expected="a folder of its own", found="a study at work in it", way_out=way_out
                )
            time.sleep(0.2)
        yield


def _lock(file: TextIO) -> bool:
    """Whether the lock could be had; it is held until the file is closed."""
    try:
        import fcntl

        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except ImportError:  # Windows: no such lock
        pass
    except OSError:
        return False
    return True


def now() -> str:
    """UTC, ISO 8601, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def versions() -> dict[str, str]:
    """Versions of hilum, Python and what the figures rest on."""
    found = {"hilum": __version__, "python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found


def machine() -> str:
    """Processor and system in a few words."""
    name = ""
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        lines = [line for line in cpuinfo.read_text().splitlines() if line.startswith("model name")]
        name = lines[0].split(":", 1)[1].strip() if lines else ""
    return ", ".join(part for part in (name or platform.processor() or platform.machine(), platform.system()) if part)
