"""What was received, what is to be sent, and what has been: on disk, so that a restart loses and repeats nothing.

A folder with a table (SQLite) and the files that it speaks of, both named after keys that show nothing of a patient. An
image is in one of five states:

    received -> ready -> sent
            \\-> rejected    \\-> refused     by the receiving node, again and again

Files exist for `received` (the image), `ready` and `refused` (the answer). The folder holds patients' images while they
wait: it is made readable for its owner only.
"""

from __future__ import annotations

import hashlib
import os
import sqlite3
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from hilum.errors import DataError

TABLE = "outbox.sqlite"
RECEIVED, READY, SENT, REJECTED, REFUSED = "received", "ready", "sent", "rejected", "refused"
_SCHEMA = """
CREATE TABLE IF NOT EXISTS images (
    key TEXT PRIMARY KEY, content TEXT NOT NULL, state TEXT NOT NULL, code TEXT NOT NULL DEFAULT '',
    tries INTEGER NOT NULL DEFAULT 0, due REAL NOT NULL DEFAULT 0, number INTEGER NOT NULL
);
CREATE INDEX IF NOT EXISTS by_state ON images (state, number);
"""


class Job(NamedTuple):
    """An image that waits for its answer, or an answer that waits to be sent.

    Args:
        key: of the image and the model.
        tries: how often it was begun.
        files: in order.
    """

    key: str
    tries: int
    files: tuple[Path, ...]


class Outbox:
    """The folder; safe to use from several threads, and by one process at a time.

    Args:
        folder: made when it is not there.

    Raises:
        DataError: another process uses it, or it cannot be written.
    """

    def __init__(self, folder: Path) -> None:
        self.folder, self._lock = folder, threading.Lock()
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._table = sqlite3.connect(folder / TABLE, check_same_thread=False, timeout=1, isolation_level=None)
            self._table.execute("PRAGMA locking_mode=EXCLUSIVE")
            self._table.execute("PRAGMA synchronous=FULL")
            self._table.executescript(f"BEGIN EXCLUSIVE; {_SCHEMA} COMMIT;")
            (folder / TABLE).chmod(0o600)
        except (OSError, sqlite3.Error) as error:
            found = f"{type(error).__name__}: {error}" if isinstance(error, sqlite3.Error) else str(error.strerror)
            way_out = "Is another server using it? Give this one its own: --dicom-outbox FOLDER."
            raise DataError("DICOM outbox", expected="a folder of its own", found=found, way_out=way_out) from None
        self._tidy()

    def close(self) -> None:
        """Gives the folder free."""
        with self._lock:
            self._table.close()

    def receive(self, key: str, data: bytes) -> str:
        """Takes an image in, on disk before this returns.

        Returns:
            `new`; `known` where the same image was taken in before; `changed` where another one has the same UID, which
            the standard forbids: the first one stays.
        """
        content = hashlib.sha256(data).hexdigest()
        with self._lock:
            known = self._table.execute("SELECT content FROM images WHERE key = ?", (key,)).fetchone()
            if known:
                return "known" if known[0] == content else "changed"
            _write(self.folder / f"{key}.image", data)
            with self._change() as table:
                table.execute(
                    "INSERT INTO images (key, content, state, number) "
                    "VALUES (?, ?, ?, (SELECT coalesce(max(number), 0) + 1 FROM images))",
                    (key, content, RECEIVED),
                )
        return "new"

    def next_image(self) -> Job | None:
        """The oldest image without an answer; that it was begun is noted first, in case it ends this process."""
        with self._lock, self._change() as table:
            query = "SELECT key, tries FROM images WHERE state = ? ORDER BY number LIMIT 1"
            row = table.execute(query, (RECEIVED,)).fetchone()
            if row is None:
                return None
            table.execute("UPDATE images SET tries = tries + 1 WHERE key = ?", (row[0],))
            return Job(row[0], row[1] + 1, (self.folder / f"{row[0]}.image",))

    def put_back(self, key: str) -> None:
        """Takes back that an image was begun."""
        with self._lock, self._change() as table:
            table.execute("UPDATE images SET tries = tries - 1 WHERE key = ?", (key,))

    def answer(self, key: str, files: Mapping[str, bytes]) -> None:
        """Puts an answer where it waits to be sent; the image is no longer kept."""
        for name, data in files.items():
            _write(self.folder / name, data)
        self._move(key, READY)
        (self.folder / f"{key}.image").unlink(missing_ok=True)

    def reject(self, key: str, code: str) -> None:
        """Notes why an image has no answer; it is no longer kept."""
        self._move(key, REJECTED, code)
        (self.folder / f"{key}.image").unlink(missing_ok=True)

    def ready(self, at_most: int = 20) -> list[Job]:
        """Answers that are due, the oldest first."""
        with self._lock:
            query = "SELECT key, tries FROM images WHERE state = ? AND due <= ? ORDER BY number LIMIT ?"
            rows = self._table.execute(query, (READY, time.time(), at_most)).fetchall()
        return [Job(key, tries, tuple(sorted(self.folder.glob(f"{key}-*.dcm")))) for key, tries in rows]

    def sent(self, key: str) -> None:
        """Notes that the node has it; only then are the files removed."""
        self._move(key, SENT)
        self._remove_answer(key)

    def postpone(self, key: str, seconds: float) -> None:
        """Notes that the node did not take it, and when to try again."""
        with self._lock, self._change() as table:
            table.execute("UPDATE images SET tries = tries + 1, due = ? WHERE key = ?", (time.time() + seconds, key))

    def refuse(self, key: str, code: str) -> None:
        """Gives up on an answer that the node does not want; its files stay for a person to look at."""
        self._move(key, REFUSED, code)

    def counts(self) -> dict[str, int]:
        """State -> images in it."""
        with self._lock:
            return dict(self._table.execute("SELECT state, count(*) FROM images GROUP BY state").fetchall())

    def waiting(self) -> int:
        """Images and answers that lie on disk and will go."""
        counts = self.counts()
        return counts.get(RECEIVED, 0) + counts.get(READY, 0)

    def _move(self, key: str, state: str, code: str = "") -> None:
        with self._lock, self._change() as table:
            table.execute("UPDATE images SET state = ?, code = ?, tries = 0, due = 0 WHERE key = ?", (state, code, key))

    @contextmanager
    def _change(self) -> Iterator[sqlite3.Connection]:
        self._table.execute("BEGIN IMMEDIATE")
        try:
            yield self._table
        except BaseException:
            self._table.execute("ROLLBACK")
            raise
        self._table.execute("COMMIT")

    def _remove_answer(self, key: str) -> None:
        for path in self.folder.glob(f"{key}-*.dcm"):
            path.unlink(missing_ok=True)

    def _tidy(self) -> None:
        """Away with files that a kill left behind: half written, without a row, or of a state that has passed."""
        states = dict(self._table.execute("SELECT key, state FROM images").fetchall())
        for path in self.folder.iterdir():
            state = states.get(path.name[:32])
            wanted = {".image": (RECEIVED,), ".dcm": (READY, REFUSED), ".partial": ()}.get(path.suffix)
            if wanted is not None and state not in wanted:
                path.unlink()


def _write(path: Path, data: bytes) -> None:
    """A file that survives a power cut once this returns, or is not there."""
    partial = path.with_name(f"{path.name}.partial")
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)
    if os.name == "posix":
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
