"""Decoding files that nobody vouches for: in child processes that can be killed.

A decoder that hangs, eats memory or crashes takes its child with it; the file is rejected with a code, and the next one
gets a new child. This contains accidents and the usual hostile file. It is no jail: the child runs as the same user,
without a filter for system calls.
"""

from __future__ import annotations

import os
import threading
import weakref
from pathlib import Path
from queue import LifoQueue
from typing import Any

from hilum.errors import ImageRejected
from hilum.images.child import Child, ChildDied
from hilum.images.codes import rejection
from hilum.images.image import Image
from hilum.images.limits import Limits
from hilum.images.message import image_of
from hilum.images.source import bytes_of, name_of
from hilum.images.worker import request_message

_FILES_A_CHILD = 1000
"""After as many files a child is replaced: decoders leak on damaged files."""


class Sandbox:
    """A pool of children that decode.

    `read` may be called from any number of threads: as many files are decoded at a time as there are workers, and the
    other calls wait. Children are started when they are first needed; starting one takes about a third of a second.

    Args:
        workers: children at most.
        limits: what a file may ask for, where `read` is not told otherwise.

    Example:
        >>> with Sandbox(workers=2) as sandbox:                      # doctest: +SKIP
        ...     image = sandbox.read(upload, name="upload 1")
    """

    def __init__(self, workers: int = 1, limits: Limits = Limits()) -> None:  # noqa: B008  # frozen
        self.limits = limits
        self._slots: LifoQueue[Child | None] = LifoQueue()
        self._children: set[Child] = set()
        for _ in range(max(1, workers)):
            self._slots.put(None)
        self._is_closed = False
        self._finalizer = weakref.finalize(self, _end_all, self._children, os.getpid())

    def __enter__(self) -> Sandbox:
        slot = self._slots.get()
        try:
            slot = slot or self._new_child()  # starts while the caller fetches its first file
        finally:
            self._slots.put(slot)
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Ends all children; a read that still runs in another thread is rejected with `crash`."""
        self._is_closed = True
        self._finalizer()

    def read(
        self,
        source: Path | bytes,
        *,
        shorter_side: int | None = None,
        frame: int | None = None,
        limits: Limits | None = None,
        name: str = "",
    ) -> Image:
        """`read_image`, in a child: same arguments, same result.

        The file is opened here and only its bytes go to the child.

        Raises:
            ImageRejected: as `read_image` does, and with `timeout`, `memory` or `crash`.
        """
        limits, name = limits or self.limits, name_of(source, name)
        data = bytes_of(source, limits, name)
        slot = self._slots.get()
        try:
            slot = self._usable(slot, name)
            head = request_message(shorter_side, frame, limits)
            return self._answer(slot, head, data, limits, name)
        finally:
            self._slots.put(slot)

    def _answer(self, child: Child, head: dict[str, Any], data: bytes, limits: Limits, name: str) -> Image:
        """Asks the child; one that is lost, in pieces, or may still be answering, is ended."""
        try:
            return image_of(*child.ask(head, data, limits.seconds, 2 * limits.pixels), name)
        except ImageRejected as error:
            if error.code == "memory":
                self._drop(child)
            raise
        except ChildDied as death:
            self._drop(child)
            code, found = ("crash", "a sandbox that was closed") if self._is_closed else death.args
            raise rejection(code, name, found) from None
        except (ValueError, KeyError, TypeError):
            self._drop(child)
            raise rejection("crash", name, "nonsense from its decoder") from None
        except BaseException:  # Ctrl-C
            self._drop(child)
            raise

    def _usable(self, child: Child | None, name: str) -> Child:
        """The child if it can go on, else a new one."""
        if child is not None and child.is_alive() and child.served < _FILES_A_CHILD:
            return child
        if child is not None:
            self._drop(child)
        if self._is_closed:
            raise rejection("crash", name, "a sandbox that is closed")
        try:
            return self._new_child()
        except OSError as error:
            raise rejection("crash", name, f"no process for its decoder: {error.strerror}") from None

    def _new_child(self) -> Child:
        child = Child()
        self._children.add(child)
        return child

    def _drop(self, child: Child) -> None:
        child.end()
        self._children.discard(child)


def _end_all(children: set[Child], owner: int) -> None:
    """Ends them, unless this is a forked process, to which they do not belong."""
    while children and os.getpid() == owner:
        children.pop().end()


_shared: tuple[int, Sandbox] | None = None
_shared_lock = threading.Lock()


def shared_sandbox() -> Sandbox:
    """The sandbox of this process, for files that need a codec which may abort; ended with the process."""
    global _shared
    with _shared_lock:
        if _shared is None or _shared[0] != os.getpid():  # a forked process must not talk to its parent's children
            _shared = os.getpid(), Sandbox(workers=min(4, os.cpu_count() or 1))
        return _shared[1]
