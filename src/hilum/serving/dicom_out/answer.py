"""One DICOM image -> the two objects that answer it."""

from __future__ import annotations

from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

from pydicom import Dataset, dcmwrite
from pydicom.dataset import FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian

from hilum.errors import UsageError
from hilum.images import Image
from hilum.serving.dicom_out.header import answer_header
from hilum.serving.dicom_out.model import ModelFacts
from hilum.serving.dicom_out.uids import derive_key
from hilum.serving.explanation import explain_pictures, network_of, open_picture
from hilum.serving.prediction import Prediction
from hilum.serving.predictor import Predictor


@dataclass(frozen=True)
class DicomAnswer:
    """What goes back to the archive for one image; the same image and model give the same bytes.

    Args:
        key: 32 hex digits that stand for image and model; nothing of the patient is in them.
        capture: the heat map, a Secondary Capture Image.
        report: the probabilities, a Comprehensive SR after TID 1500.
    """

    key: str
    capture: Dataset
    report: Dataset

    def files(self) -> dict[str, bytes]:
        """File name -> the file."""
        return {f"{self.key}-heatmap.dcm": to_file(self.capture), f"{self.key}-report.dcm": to_file(self.report)}

    def write(self, folder: Path) -> list[Path]:
        """Writes both, each renamed into place."""
        folder.mkdir(parents=True, exist_ok=True)
        written = []
        for name, data in self.files().items():
            partial = folder / f".{name}.partial"
            partial.write_bytes(data)
            written.append(partial.replace(folder / name))
        return written


def make_answer(predictor: Predictor, data: bytes, image: Image, prediction: Prediction) -> DicomAnswer:
    """The two objects for one predicted DICOM image.

    Args:
        data: the file.
        image: what a decoder made of it.
        prediction: what the model says of it.

    Raises:
        ImageRejected: `no-study`, or `own-answer` for an object that hilum itself wrote.
        UsageError: an exported model, which has no gradients, or highdicom is not installed.
    """
    make_report = _report_maker()
    header, model = answer_header(data, prediction.name), ModelFacts.of(predictor)
    network = network_of(predictor.model)
    opened = open_picture(image, predictor.preprocessing)
    (found,) = explain_pictures(
        network,
        predictor.labels,
        predictor.preprocessing,
        [opened],
        target=prediction.label,
        extras=predictor.header.extras,
        device=predictor.device,
    )
    from hilum.serving.dicom_out.capture import make_capture
    from hilum.serving.dicom_out.picture import burned_in

    says = f"{prediction.label} {prediction.probs[prediction.label]:.2f}, {model.name}, {model.version}"
    pixels = burned_in(found.picture, found.heat, says)
    return DicomAnswer(
        key=answer_key(header.SOPInstanceUID, model.sha256),
        capture=make_capture(header, pixels, model, says),
        report=make_report(header, prediction, model),
    )


def answer_key(sop_instance_uid: str, model_sha256: str) -> str:
    """What names the answer to an image."""
    return derive_key("answer", sop_instance_uid, model_sha256)


def to_file(dataset: Dataset) -> bytes:
    """A DICOM file, explicit little endian."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = dataset.SOPClassUID, dataset.SOPInstanceUID
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    plain = Dataset()
    plain.update(dataset)
    plain.file_meta = meta
    buffer = BytesIO()
    dcmwrite(buffer, plain, enforce_file_format=True)
    return buffer.getvalue()


def _report_maker():  # its type would import highdicom
    try:
        from hilum.serving.dicom_out.report import make_report
    except ModuleNotFoundError as error:
        raise UsageError(
            "DICOM answers", expected="highdicom", found=f"no {error.name}", way_out="pip install 'hilum[dicom-net]'"
        ) from None
    return make_report
