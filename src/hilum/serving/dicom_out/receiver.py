"""The node that receives images: C-STORE and C-ECHO, through pynetdicom."""

from __future__ import annotations

import logging
import sqlite3
import time
from collections.abc import Callable, Sequence
from typing import Any

from pydicom.uid import UID
from pynetdicom import AE, ALL_TRANSFER_SYNTAXES, evt
from pynetdicom.sop_class import (  # type: ignore[attr-defined] # made at run time
    ComputedRadiographyImageStorage,
    DigitalXRayImageStorageForPresentation,
    DigitalXRayImageStorageForProcessing,
    SecondaryCaptureImageStorage,
    Verification,
)

from hilum.errors import UsageError
from hilum.images.limits import Limits
from hilum.serving.dicom_out.answer import answer_key
from hilum.serving.dicom_out.line import bound_line
from hilum.serving.dicom_out.outbox import Outbox

RADIOGRAPHS = (
    ComputedRadiographyImageStorage,
    DigitalXRayImageStorageForPresentation,
    DigitalXRayImageStorageForProcessing,
    SecondaryCaptureImageStorage,
)
"""Kinds of object that are taken; others are declined when the connection is made."""
ASSOCIATIONS, CONNECTIONS = 16, 64
"""Callers that are served at a time, and connections that may be open, each with its threads."""
IDLE_SECONDS = 60.0
HELLO_SECONDS = 10.0
"""For which a connection may not say who it is; so long its threads live, even if it is closed before."""
SUCCESS, FULL, CANNOT_UNDERSTAND = 0x0000, 0xA700, 0xC000
_COMMAND_BYTES = 100_000
"""What a message may have beside the file."""

Log = Callable[..., None]


class Receiver:
    """Listens, and puts what comes into the outbox before it says that it has it.

    Args:
        outbox: where images wait.
        model_sha256: of the model that will answer.
        title: by which callers have to call it.
        host, port: to listen on; port 0 takes a free one.
        allowed: AE titles of callers; none = whoever reaches it, which only loopback may do.
        log: called with an event and its facts.
        most_waiting: images and answers on disk beyond which callers are told to come back later.

    Raises:
        UsageError: the address cannot be listened on.
    """

    def __init__(
        self,
        outbox: Outbox,
        model_sha256: str,
        *,
        title: str,
        host: str,
        port: int,
        allowed: Sequence[str],
        log: Log,
        most_waiting: int,
        limits: Limits = Limits(),  # noqa: B008  # frozen
    ) -> None:
        self.outbox, self.model_sha256, self.log = outbox, model_sha256, log
        self.most_waiting, self.limits = most_waiting, limits
        self._bytes: dict[Any, int] = {}
        for name in ("pynetdicom", "pydicom"):  # their messages repeat what a file says
            logging.getLogger(name).setLevel(logging.CRITICAL)
        handlers: list[Any] = [
            (evt.EVT_C_STORE, self._store),
            (evt.EVT_C_ECHO, self._echo),
            (evt.EVT_CONN_OPEN, self._open),
            (evt.EVT_PDU_RECV, self._count),
            (evt.EVT_CONN_CLOSE, self._forget),
        ]
        try:
            entity: Any = _entity(title, allowed)
            self._server = entity.start_server((host, port), block=False, evt_handlers=handlers)
        except OSError as error:
            raise UsageError("--dicom-port", expected=f"a free port of {host}", found=str(error.strerror)) from None
        self._server.verify_request, self._is_full = self._has_room, False
        self.port: int = self._server.socket.getsockname()[1]

    def close(self) -> None:
        """Takes no more; what has been accepted is in the outbox."""
        for each in self._server.active_associations:
            if not each.is_established:  # pynetdicom's own way ends the thread of such a one with an exception
                each.dul.socket.close()
                _wait_for_end(each.dul)
        self._server.ae.shutdown()

    def _open(self, event: Any) -> None:
        bound_line(event.assoc.dul.socket, IDLE_SECONDS, lambda: self.log("received", code="too-large"))

    def _has_room(self, _line: Any, _address: Any) -> bool:
        """Whether another connection may have threads; asked before it gets them."""
        was_full, self._is_full = self._is_full, len(self._server.active_associations) >= CONNECTIONS
        if self._is_full and not was_full:
            self.log("full", connections=CONNECTIONS)
        return not self._is_full

    def _echo(self, event: Any) -> int:
        self._bytes.pop(event.assoc, None)
        return SUCCESS

    def _store(self, event: Any) -> int:
        try:
            if self.outbox.waiting() >= self.most_waiting:
                self.log("full", waiting=self.most_waiting)
                return FULL
            uid = UID(str(event.request.AffectedSOPInstanceUID or ""))
            if not uid.is_valid:
                self.log("image", code="no-study")
                return CANNOT_UNDERSTAND
            key = answer_key(str(uid), self.model_sha256)
            result = self.outbox.receive(key, event.encoded_dataset())
            self.log("received", key=key, code=result)
            return SUCCESS
        except (OSError, sqlite3.Error) as error:
            self.log("received", code="disk", error=type(error).__name__)
            return FULL
        except Exception as error:  # a message that pynetdicom took and that is none
            self.log("received", code="corrupt", error=type(error).__name__)
            return CANNOT_UNDERSTAND
        finally:
            self._bytes.pop(event.assoc, None)

    def _count(self, event: Any) -> None:
        """Ends an association whose message is larger than any file may be, before memory holds it all."""
        fragments = getattr(event.pdu, "presentation_data_value_items", ())
        count = self._bytes.get(event.assoc, 0) + sum(len(each.presentation_data_value or b"") for each in fragments)
        self._bytes[event.assoc] = count
        if count > self.limits.file_bytes + _COMMAND_BYTES:
            self.log("received", code="too-large")
            self._bytes.pop(event.assoc, None)
            event.assoc.abort()

    def _forget(self, event: Any) -> None:
        self._bytes.pop(event.assoc, None)


def _wait_for_end(thread: Any) -> None:
    until = time.monotonic() + 2
    while thread.is_alive() and time.monotonic() < until:
        time.sleep(0.01)


def _entity(title: str, allowed: Sequence[str]) -> AE:
    entity = AE(ae_title=title)
    entity.require_called_aet = True
    entity.require_calling_aet = list(allowed)
    entity.maximum_associations = ASSOCIATIONS
    entity.acse_timeout, entity.dimse_timeout, entity.network_timeout = HELLO_SECONDS, IDLE_SECONDS, IDLE_SECONDS
    entity.add_supported_context(Verification)
    for kind in RADIOGRAPHS:
        entity.add_supported_context(kind, ALL_TRANSFER_SYNTAXES)
    return entity
