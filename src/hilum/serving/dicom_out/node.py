"""The other end: a DICOM node by its name and address, and sending files to it (C-STORE)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydicom import dcmread
from pydicom.errors import InvalidDicomError
from pydicom.uid import ComprehensiveSRStorage, ExplicitVRLittleEndian, SecondaryCaptureImageStorage
from pynetdicom import AE
from pynetdicom.sop_class import Verification  # type: ignore[attr-defined] # made at run time

from hilum.errors import UsageError

SECONDS = 30.0
"""Longest wait for a connection, an association or an answer."""
_TITLE = re.compile(r"[!-\[\]-~]([ -\[\]-~]{0,14}[!-\[\]-~])?")
"""1 to 16 characters of ASCII without a backslash (PS3.5 table 6.2-1, VR AE)."""
TAKEN, LATER, NEVER = "taken", "later", "never"


@dataclass(frozen=True)
class Node:
    """A node on the network.

    Args:
        title: its AE title, 1 to 16 characters.
        host: a name or an address.
        port: 1 to 65,535.
    """

    title: str
    host: str
    port: int

    @classmethod
    def parse(cls, text: str) -> Node:
        """Reads `TITLE@HOST:PORT`.

        Raises:
            UsageError: something else.
        """
        title, at, address = text.partition("@")
        host, colon, port = address.rpartition(":")
        whole = bool(at and colon and host.strip("[]"))
        if not (whole and port.isdecimal() and 0 < int(port) < 1 << 16):
            raise UsageError("DICOM node", expected="TITLE@HOST:PORT, such as ARCHIVE@127.0.0.1:4242", found=text)
        return cls(check_title(title), host.strip("[]"), int(port))


def check_title(title: str) -> str:
    """An AE title as it was given.

    Raises:
        UsageError: too long, empty, or with characters that none may have.
    """
    if not _TITLE.fullmatch(title):
        raise UsageError("AE title", expected="1 to 16 plain characters", found=repr(title))
    return title


def send(node: Node, own_title: str, jobs: Sequence[tuple[str, Sequence[Path]]]) -> dict[str, str]:
    """Sends the files of some jobs over one association.

    Args:
        own_title: by which this end calls itself.
        jobs: a key and its files, each.

    Returns:
        Key -> `taken` (all its files), `later` (the node is away, full, or was lost), or `never` (it does not want it).
    """
    association = _associate(node, own_title)
    if association is None:
        return {key: LATER for key, _ in jobs}
    try:
        return {key: _store_all(association, files) for key, files in jobs}
    finally:
        if association.is_established:
            association.release()


def echo(node: Node, own_title: str) -> bool:
    """Whether the node answers (C-ECHO)."""
    association = _associate(node, own_title)
    if association is None:
        return False
    status = association.send_c_echo()
    association.release()
    return "Status" in status and status.Status == 0


def _associate(node: Node, own_title: str) -> Any:
    """An association, or None where the node is away; a name that has no address now may have one later."""
    try:
        association = _entity(own_title).associate(node.host, node.port, ae_title=node.title)
    except OSError:
        return None
    if not association.is_established:
        return None
    _leave_answers(association)
    return association


def _leave_answers(association: Any) -> None:
    """Keeps pynetdicom's own thread from taking an answer that `send_c_store` waits for.

    That thread looks for requests of the other end, which we do not serve. Held up between two of its steps for as long
    as an answer takes, it takes that answer, and the file is sent again after a time-out (seen on a busy machine).
    """
    read = association.dimse.get_msg
    association.dimse.get_msg = lambda block=False: read(block=True) if block else (None, None)


def _entity(own_title: str) -> AE:
    entity = AE(ae_title=own_title)
    entity.acse_timeout = entity.dimse_timeout = entity.network_timeout = entity.connection_timeout = SECONDS
    for kind in (SecondaryCaptureImageStorage, ComprehensiveSRStorage, Verification):
        entity.add_requested_context(kind, ExplicitVRLittleEndian)
    return entity


def _store_all(association: Any, files: Sequence[Path]) -> str:
    for path in files:
        result = _store(association, path)
        if result != TAKEN:
            return result
    return TAKEN if files else NEVER


def _store(association: Any, path: Path) -> str:
    """One C-STORE; the meaning of its status is that of PS3.4 table B.2-1."""
    if not association.is_established:
        return LATER
    try:
        dataset = dcmread(path)
    except (OSError, InvalidDicomError):  # somebody was at the outbox: this answer is lost, the others are not
        return NEVER
    try:
        status = association.send_c_store(dataset)
    except (RuntimeError, ValueError):  # the association is gone; no context that the node accepted
        return NEVER if association.is_established else LATER
    if "Status" not in status:
        return LATER
    code = int(status.Status)
    if code == 0 or code >> 12 == 0xB:
        return TAKEN
    return LATER if code >> 8 == 0xA7 else NEVER
