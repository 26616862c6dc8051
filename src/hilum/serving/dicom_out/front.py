"""The DICOM side of `hilum serve`, and the answers of `hilum predict --dicom-out`: what the command line calls."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hilum.errors import ImageRejected, UsageError
from hilum.images.sniff import sniff
from hilum.serving.prediction import Outcome
from hilum.serving.predictor import Predictor
from hilum.serving.stream import Reader

if TYPE_CHECKING:
    from hilum.serving.dicom_out.service import DicomService

NEEDED = ("highdicom", "pynetdicom")
NO_DICOM = "no-dicom"


def check_installed(option: str) -> None:
    """Raises UsageError, in the name of an option, where a package of the extra `dicom-net` is missing."""
    missing = [name for name in NEEDED if find_spec(name) is None]
    if missing:
        way_out = "pip install 'hilum[dicom-net]'"
        raise UsageError(option, expected="the packages for DICOM answers", found=f"no {missing[0]}", way_out=way_out)


@contextmanager
def serve_dicom(
    model: Path,
    *,
    port: int,
    node: str,
    outbox: Path,
    title: str = "HILUM",
    host: str = "127.0.0.1",
    allowed: Sequence[str] = (),
    force: bool = False,
    device: str = "auto",
) -> Iterator[DicomService]:
    """A DICOM node that answers, for as long as the block runs.

    Args:
        model: a `.safetensors` file; it is loaded for this node alone.
        port: to listen on; 0 takes a free one.
        node: that gets the answers, `TITLE@HOST:PORT`.
        outbox: a folder for what waits, kept across restarts.
        title: own AE title.
        allowed: AE titles that may send; required where `host` is not loopback.
        force: also answer what is no frontal chest X-ray.

    Raises:
        UsageError: missing packages, a node, title or port that cannot be, no allowed titles beyond loopback.
        ModelFileError: no model file with weights.
        DataError: an outbox that another process uses.
    """
    check_installed("--dicom-port")
    from hilum.serving.dicom_out.node import Node
    from hilum.serving.dicom_out.service import DicomOptions, DicomService

    options = DicomOptions(port, Node.parse(node), outbox, title, host, tuple(allowed), force)
    with DicomService(Predictor.load(model, device=device), options) as service:
        yield service


def dicom_node(
    model: Path, wishes: Mapping[str, Any], *, device: str = "auto"
) -> AbstractContextManager[DicomService | None]:
    """`serve_dicom` by the options of `hilum serve`: nothing where no port was asked for.

    Args:
        wishes: arguments of `serve_dicom`; `port`, `node` and `outbox` may be None.

    Raises:
        UsageError: some of port, node and outbox without the others; the rest as `serve_dicom`.
    """
    given = {name: wishes.get(name) for name in ("port", "node", "outbox")}
    missing = [f"--dicom-{name}" for name, value in given.items() if value is None]
    if len(missing) == len(given):
        return nullcontext()
    if missing:
        expected = "--dicom-port, --dicom-node and --dicom-outbox together"
        raise UsageError("DICOM node", expected=expected, found=f"no {' and no '.join(missing)}")
    return serve_dicom(model, device=device, **wishes)


def write_answer(predictor: Predictor, outcome: Outcome, folder: Path, read: Reader) -> str:
    """Writes the heat map and the report of one predicted image.

    Args:
        folder: made when it is not there; its files are named after a key that shows nothing of the patient.
        read: what decoded the image.

    Returns:
        Why there is no answer: `no-dicom`, or a code of `answer_header`; nothing where there is one.
    """
    from hilum.images.limits import Limits
    from hilum.images.source import bytes_of
    from hilum.serving.dicom_out.answer import make_answer

    if outcome.prediction is None:
        return ""
    try:
        data = bytes_of(outcome.content, Limits(), outcome.name)
        if sniff(data) != "DICOM":
            return NO_DICOM
        image = read(data, shorter_side=predictor.shorter_side, name=outcome.name)
        make_answer(predictor, data, image, outcome.prediction).write(folder)
    except ImageRejected as error:
        return error.code
    return ""
