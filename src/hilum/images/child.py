"""One child process of a sandbox, from its parent's side."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from threading import Timer
from typing import Any

from hilum.images.message import read_message, write_message

_START_SECONDS = 60.0
"""A busy machine may take long to start Python; that is not the fault of the file."""
_END_SECONDS = 1.0
_CODE = "from hilum.images.worker import main; main()"
_NEEDED = ("hilum", "numpy", "cv2", "PIL", "pydicom", "simplejpeg")
_KEPT = (
    {"PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "PYTHONHOME", "LANG", "LC_ALL", "LC_CTYPE", "TZ"}
    | {"SYSTEMROOT", "TEMP", "TMP", "TMPDIR", "VIRTUAL_ENV", "CONDA_PREFIX"}
)  # fmt: skip
"""The environment is not handed down as it is: it may hold passwords, which hostile files have no business with."""


class ChildDied(Exception):
    """The child ended within a request: args are a code (`timeout`, `memory`, `crash`) and what is known."""


class Child:
    """A running worker; starting one does not wait until it is ready. For one thread at a time."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-c", _CODE],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=_environment(),
            start_new_session=True,  # Ctrl-C is for the parent
        )
        self._is_ready = False
        self._was_killed = False
        self.served = 0

    @property
    def pid(self) -> int:
        """The number of the process."""
        return self._process.pid

    def is_alive(self) -> bool:
        """Whether the process can take a request."""
        return not self._was_killed and self._process.poll() is None

    def ask(self, head: dict[str, Any], body: bytes, seconds: float, largest_answer: int) -> tuple[dict, bytes]:
        """Sends one request and waits for the answer.

        Raises:
            ChildDied: it did not come; the child is of no more use.
        """
        self.served += 1
        if not self._is_ready:
            with self._killed_after(_START_SECONDS):
                read_message(self._process.stdout, 0)  # type: ignore[arg-type]
            self._is_ready = True
        with self._killed_after(seconds):
            write_message(self._process.stdin, head, body)  # type: ignore[arg-type]
            return read_message(self._process.stdout, largest_answer)  # type: ignore[arg-type]

    @contextmanager
    def _killed_after(self, seconds: float) -> Iterator[None]:
        timer = Timer(seconds, self._kill)
        timer.daemon = True
        timer.start()
        try:
            yield
        except (EOFError, OSError, ValueError):  # gone, gone while it was written to, or no message
            was_killed = self._was_killed
            timer.cancel()
            raise ChildDied(*self._reason(was_killed, seconds)) from None
        finally:
            timer.cancel()

    def _reason(self, was_killed: bool, seconds: float) -> tuple[str, str]:
        if was_killed:
            self.end()
            return "timeout", f"no end after {seconds:g} s"
        try:
            status = self._process.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            status = None  # it lives, but what it wrote makes no sense
        self.end()
        if status == -getattr(signal, "SIGXCPU", 0):
            return "timeout", f"no end after {seconds:g} s"
        if status == -getattr(signal, "SIGKILL", 0):
            return "memory", "the system ended its decoder"
        return "crash", "its decoder ended without an answer"

    def _kill(self) -> None:
        self._was_killed = True
        self._process.kill()

    def end(self) -> None:
        """Ends the process, which is idle, lost or in the way, and waits until it is gone."""
        self._kill()
        for stream in (self._process.stdin, self._process.stdout):
            with suppress(OSError):  # what was left to be written
                stream.close()  # type: ignore[union-attr]
        self._process.wait()


def _environment() -> dict[str, str]:
    kept = {key: value for key, value in os.environ.items() if key.upper() in _KEPT}
    paths = os.pathsep.join(dict.fromkeys(filter(None, map(_home, _NEEDED))))
    return {**kept, "PYTHONPATH": paths, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "PYTHONUTF8": "1"}


def _home(package: str) -> str | None:
    """The folder that holds a package here, however it was found; nothing else of this process's path is handed down,
    in which the folder of a script or of the data may stand."""
    spec = find_spec(package)
    return str(Path(spec.origin).absolute().parents[1]) if spec and spec.origin else None
