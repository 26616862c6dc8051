"""Images in over the network, answers out to a named node: `hilum serve --dicom-port`."""

from __future__ import annotations

import ipaddress
import json
import sqlite3
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from hilum.errors import HilumError, ImageRejected, ModelFileError, UsageError
from hilum.images.sandbox import Sandbox
from hilum.serving.dicom_out.answer import make_answer
from hilum.serving.dicom_out.node import LATER, TAKEN, Node, check_title, send
from hilum.serving.dicom_out.outbox import Job, Outbox
from hilum.serving.dicom_out.receiver import Receiver
from hilum.serving.predictor import Predictor

TITLE = "HILUM"
OTHER_UID, FAILED, POISON = "uid-mismatch", "failed", "crash"
"""Codes, beside those of reading: an image that is not the one that its message names; an answer that could not be
made; an image at which the process ended again and again."""
MOST_BEGUN = 3
"""After so many begun and never ended attempts at an image, it is taken to be what ends them."""
MOST_REFUSED = 10
SHORTEST, LONGEST = 1.0, 300.0
"""Seconds between attempts at a node that is away: doubled each time."""
_LOOK = 0.5
"""Seconds after which a thread looks again for work that nobody told it of."""


@dataclass(frozen=True)
class DicomOptions:
    """Where to listen and where to send.

    Args:
        port: to listen on; 0 takes a free one.
        node: that gets the answers.
        outbox: a folder for what waits.
        title: own AE title.
        host: to listen on.
        allowed: AE titles that may send; required beyond loopback.
        force: also answer what is no frontal chest X-ray.
        most_waiting: images and answers on disk beyond which callers are told to come back later.
    """

    port: int
    node: Node
    outbox: Path
    title: str = TITLE
    host: str = "127.0.0.1"
    allowed: tuple[str, ...] = ()
    force: bool = False
    most_waiting: int = 10_000

    def __post_init__(self) -> None:
        for title in (self.title, *self.allowed):
            check_title(title)
        if not 0 <= self.port < 1 << 16:
            raise UsageError("--dicom-port", expected="0 to 65,535", found=str(self.port))
        if not self.allowed and not _is_loopback(self.host):
            way_out = "Name them: --dicom-allow MODALITY1 ARCHIVE."
            raise UsageError("--dicom-host", expected="AE titles that may send", found="none", way_out=way_out)


def log_line(event: str, **facts: object) -> None:
    """One JSON line on standard error; keys and codes only, nothing out of a header."""
    sys.stderr.write(json.dumps({"dicom": event, **facts}) + "\n")
    sys.stderr.flush()


class DicomService:
    """Receives, answers and sends, in three threads, until it is closed.

    Args:
        predictor: the model; nobody else may use it meanwhile, because heat maps take gradients.
        options: see there.
        log: called with an event and its facts.

    Raises:
        ModelFileError: an exported model, which has no gradients for heat maps.
        UsageError: an address that cannot be listened on, or a missing package.
        DataError: an outbox that another process uses.
    """

    def __init__(self, predictor: Predictor, options: DicomOptions, log: Callable[..., None] = log_line) -> None:
        if predictor.model is None:
            found = "an exported one"
            raise ModelFileError(
                "DICOM answers", expected="a .safetensors model: heat maps take gradients", found=found
            )
        self.predictor, self.options, self.log = predictor, options, log
        self.outbox = Outbox(options.outbox)
        self._stop, self._image, self._answer = threading.Event(), threading.Event(), threading.Event()
        self._sandbox = Sandbox(workers=1)
        self._threads = [
            threading.Thread(
                target=self._each, args=(self._answer_one, self._image), name="dicom answers", daemon=True
            ),
            threading.Thread(
                target=self._each, args=(self._send_some, self._answer), name="dicom sending", daemon=True
            ),
        ]
        self._pause = SHORTEST
        try:
            self.receiver = Receiver(
                self.outbox, predictor.header.sha256, title=options.title, host=options.host, port=options.port,
                allowed=options.allowed, log=self._received, most_waiting=options.most_waiting,
            )  # fmt: skip
        except BaseException:
            self.outbox.close()
            raise
        for thread in self._threads:
            thread.start()
        self.log("listening", title=options.title, host=options.host, port=self.receiver.port)

    def __enter__(self) -> DicomService:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def port(self) -> int:
        """The one it listens on."""
        return self.receiver.port

    def close(self) -> None:
        """Takes no more, ends what is under way, and leaves the rest in the outbox for the next start."""
        self.receiver.close()
        self._stop.set()
        self._image.set()
        self._answer.set()
        for thread in self._threads:
            thread.join()
        self._sandbox.close()
        self.outbox.close()
        self.log("closed")

    def _received(self, event: str, **facts: object) -> None:
        self.log(event, **facts)
        self._image.set()

    def _each(self, work: Callable[[], bool], wake: threading.Event) -> None:
        """Does pieces of work until there are none, then waits to be woken."""
        while not self._stop.is_set():
            try:
                is_more = work()
            except Exception as error:  # a full disk must not end the thread
                self.log("trouble", error=type(error).__name__)
                is_more = False
            if not is_more:
                wake.wait(_LOOK)
                wake.clear()

    def _answer_one(self) -> bool:
        job = self.outbox.next_image()
        if job is None:
            return False
        code = self._code_of(job)
        if code:
            self.outbox.reject(job.key, code)
            self.log("rejected", key=job.key, code=code)
        else:
            self.log("answered", key=job.key)
            self._answer.set()
        return True

    def _code_of(self, job: Job) -> str:
        """Answers an image; returns why not, or nothing."""
        if job.tries > MOST_BEGUN:
            return POISON
        try:
            data = job.files[0].read_bytes()
            image = self._sandbox.read(data, shorter_side=self.predictor.shorter_side, name="DICOM image")
            picture = self.predictor.picture_of(image, "DICOM image")
            found = self.predictor.predict_pictures([picture], force=self.options.force)[0]
            if isinstance(found, ImageRejected):
                return found.code
            answer = make_answer(self.predictor, data, image, found)
            if answer.key != job.key:
                return OTHER_UID
            self.outbox.answer(job.key, answer.files())
        except ImageRejected as error:
            return error.code
        except (OSError, sqlite3.Error):  # the disk's fault, not the image's
            self.outbox.put_back(job.key)
            raise
        except (HilumError, ValueError, TypeError, AttributeError, KeyError, IndexError, RuntimeError) as error:
            self.log("trouble", key=job.key, error=type(error).__name__)
            return FAILED
        return ""

    def _send_some(self) -> bool:
        jobs = self.outbox.ready()
        if not jobs:
            return False
        results = send(self.options.node, self.options.title, [(job.key, job.files) for job in jobs])
        for job in jobs:
            self._note(job, results[job.key])
        if all(result == LATER for result in results.values()):
            self.log("node away", waiting=len(jobs), seconds=self._pause)
            self._stop.wait(self._pause)
            self._pause = min(LONGEST, 2 * self._pause)
        else:
            self._pause = SHORTEST
        return True

    def _note(self, job: Job, result: str) -> None:
        if result == TAKEN:
            self.outbox.sent(job.key)
            self.log("sent", key=job.key)
        elif result == LATER:
            return
        elif job.tries + 1 >= MOST_REFUSED:
            self.outbox.refuse(job.key, "refused")
            self.log("refused", key=job.key, code="refused")
        else:
            self.outbox.postpone(job.key, min(LONGEST, SHORTEST * 2**job.tries))


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
