"""What reading one X-ray gives: a grey picture and what the file said of itself."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Acquisition:
    """Facts from a file's header; what the file does not say is None.

    Args:
        format: JPEG, PNG, TIFF, WEBP, BMP, DICOM, ...
        height: pixels of the stored picture after its orientation was applied, before any reduction.
        width: likewise.
        mode: the colour mode as stored (`L`, `RGB`, `I;16`, `MONOCHROME1`, ...).
        bits: stored bits a sample.
        file_bytes: size of the file.
        quantisation: sum of a JPEG's luminance quantisation table (small = high quality).
        quantisation_colour: sum of the table of a JPEG's second component; None for a grey one.
        subsampling: of a JPEG's colour: `4:4:4`, `4:2:2`, `4:2:0`, ...; None for a grey one.
        progressive: whether a JPEG's scans refine each other; None for other formats.
        metadata: what the header carries besides the picture, in order of the alphabet: `adobe`, `comment`, `dpi`,
            `exif`, `icc`, `jfif`, `photoshop`, `xmp`; `text` for the texts of a PNG.
        orientation: EXIF orientation, 1 = upright.
        patient_id: a pseudonym made from DICOM PatientID: the same for the same patient, and not the id.
        view: `PA`, `AP`, `LATERAL`, `DECUBITUS` or `OBLIQUE` (DICOM ViewPosition).
        modality: `DX`, `CR`, ... (DICOM Modality).
        machine: the maker, where it is a known one, and a pseudonym of the device's model.
        age_years: DICOM PatientAge in years.
        sex: `F`, `M`, `O`.
        body_part: `chest`, `hand`, ..., by the DICOM header.
    """

    format: str
    height: int
    width: int
    mode: str
    bits: int
    file_bytes: int
    quantisation: int | None = None
    quantisation_colour: int | None = None
    subsampling: str | None = None
    progressive: bool | None = None
    metadata: tuple[str, ...] = ()
    orientation: int = 1
    patient_id: str | None = None
    view: str | None = None
    modality: str | None = None
    machine: str | None = None
    age_years: float | None = None
    sex: str | None = None
    body_part: str | None = None


@dataclass(frozen=True)
class Image:
    """One decoded X-ray.

    Args:
        pixels: `[H, W]`, uint8 or uint16 over the type's whole range, lungs dark.
        acquisition: what the header said.
        warnings: codes of what was odd but could be mended, such as `colour-discarded`.
        sha256: hex digest of the file's bytes.
    """

    pixels: np.ndarray
    acquisition: Acquisition
    warnings: tuple[str, ...] = ()
    sha256: str = ""
