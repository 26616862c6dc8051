"""Sound files of every kind that hilum reads, drawn; what `fuzz_files.py` damages."""

import io
import tempfile
import warnings
import zipfile
from pathlib import Path

import numpy as np
from PIL import Image
from pydicom import Dataset, dcmread, dcmwrite
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.encaps import encapsulate, get_frame
from pydicom.sequence import Sequence
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    DigitalXRayImageStorageForPresentation,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGLSLossless,
    RLELossless,
    generate_uid,
)

from hilum.data.phantom import draw_dataset

WINDOW = {"BitsStored": 12, "HighBit": 11, "WindowCenter": 2000, "WindowWidth": 3000}


def seeds() -> dict[str, list[bytes]]:
    """Kind -> files; the same in every run."""
    grey = np.ascontiguousarray(draw_dataset(images=1, size=96, seed=8)[0].pixels)
    deep = grey.astype(np.uint16) * 16 + 7
    plain = _plain_dicom(grey, deep)
    packed = _packed_dicom(grey, deep)
    kinds = {
        "JPEG": _jpeg(grey),
        "PNG": _png(grey, deep),
        "TIFF": _tiff(grey, deep),
        "WebP, BMP, GIF": [_saved(grey, kind) for kind in ("WEBP", "BMP", "GIF")],
        "DICOM": plain,
        "compressed DICOM": packed,
        "JPEG lossless DICOM": _lossless_jpeg(plain[0], deep),
    }
    kinds["zip"] = [_zipped(kinds, zipfile.ZIP_DEFLATED), _zipped(kinds, zipfile.ZIP_STORED)]
    return {kind: files for kind, files in kinds.items() if files}


def _saved(picture: np.ndarray | Image.Image, kind: str, **options) -> bytes:
    file = io.BytesIO()
    (Image.fromarray(picture) if isinstance(picture, np.ndarray) else picture).save(file, kind, **options)
    return file.getvalue()


def _rgb(grey: np.ndarray) -> np.ndarray:
    return np.repeat(grey[..., None], 3, axis=2)


def _jpeg(grey: np.ndarray) -> list[bytes]:
    exif = Image.Exif()
    exif[0x0112] = 6
    inks = Image.fromarray(grey).convert("RGB").convert("CMYK")
    return [
        _saved(grey, "JPEG"),
        _saved(_rgb(grey), "JPEG", exif=exif),
        _saved(_rgb(grey), "JPEG", progressive=True),
        _saved(grey, "JPEG", restart_marker_blocks=4),
        _saved(inks, "JPEG"),
    ]


def _png(grey: np.ndarray, deep: np.ndarray) -> list[bytes]:
    see_through = Image.fromarray(grey).convert("LA")
    return [
        _saved(grey, "PNG"),
        _saved(deep, "PNG"),
        _saved(_rgb(grey), "PNG"),
        _saved(see_through, "PNG"),
        _saved(Image.fromarray(grey).quantize(16), "PNG"),
    ]


def _tiff(grey: np.ndarray, deep: np.ndarray) -> list[bytes]:
    return [
        _saved(grey, "TIFF"),
        _saved(deep, "TIFF"),
        _saved(grey, "TIFF", compression="tiff_lzw"),
        _saved(deep, "TIFF", compression="tiff_adobe_deflate"),
        _saved(_rgb(grey), "TIFF", compression="jpeg"),
        _saved(grey.astype(np.float32), "TIFF"),
        _saved(grey > 100, "TIFF", compression="group4"),
    ]


def _dataset(pixels: np.ndarray, syntax: UID = ExplicitVRLittleEndian, **elements) -> FileDataset:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = DigitalXRayImageStorageForPresentation
    meta.MediaStorageSOPInstanceUID = generate_uid(entropy_srcs=["hilum"])
    meta.TransferSyntaxUID = syntax
    dataset = FileDataset("", {}, file_meta=meta, preamble=bytes(128))
    dataset.SOPClassUID, dataset.SOPInstanceUID = meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID
    colours = 3 if pixels.ndim == 3 else 1
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = colours, "RGB" if colours == 3 else "MONOCHROME2"
    dataset.Rows, dataset.Columns = pixels.shape[:2]
    dataset.BitsAllocated = dataset.BitsStored = 8 * pixels.dtype.itemsize
    dataset.HighBit, dataset.PixelRepresentation = dataset.BitsStored - 1, int(pixels.dtype.kind == "i")
    if colours == 3:
        dataset.PlanarConfiguration = 0
    dataset.PatientID, dataset.PatientAge, dataset.Modality = "P-1", "034Y", "DX"
    dataset.PixelData = pixels.tobytes()
    for keyword, value in elements.items():
        setattr(dataset, keyword, value)
    return dataset


def _written(dataset: FileDataset, preamble: bool = True) -> bytes:
    file = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        dcmwrite(file, dataset, enforce_file_format=True)
    data = file.getvalue()
    return data if preamble else data[144 + int.from_bytes(data[140:144], "little") :]


def _table(entries: int) -> Sequence:
    item = Dataset()
    item.add_new("LUTDescriptor", "US", [entries, 0, 12])
    item.add_new("LUTData", "OW", np.arange(entries, dtype="<u2").tobytes())
    return Sequence([item])


def _plain_dicom(grey: np.ndarray, deep: np.ndarray) -> list[bytes]:
    voi, modality = _dataset(deep, **WINDOW), _dataset(deep, **WINDOW)
    voi.VOILUTSequence, modality.ModalityLUTSequence = _table(4096), _table(4096)
    signed = _dataset(
        deep.astype(np.int16) - 2000, WindowCenter=0, WindowWidth=3000, RescaleSlope=2, RescaleIntercept=1
    )
    frames = _dataset(grey, NumberOfFrames=1, PhotometricInterpretation="MONOCHROME1")
    return [
        _written(_dataset(deep, **WINDOW)),
        _written(_dataset(grey), preamble=False),
        _written(_dataset(_rgb(grey))),
        _written(_dataset(deep, ImplicitVRLittleEndian, **WINDOW)),
        _written(voi),
        _written(modality),
        _written(signed),
        _written(frames),
    ]


def _packed_dicom(grey: np.ndarray, deep: np.ndarray) -> list[bytes]:
    files = [_written(_dataset(deep, DeflatedExplicitVRLittleEndian, **WINDOW))]
    big = _dataset(deep.byteswap(), ExplicitVRBigEndian, **WINDOW)
    big["PixelData"].VR = "OW"
    files.append(_written(big))
    for syntax in (RLELossless, JPEGLSLossless):
        dataset = _dataset(deep, **WINDOW)
        dataset.compress(syntax)
        files.append(_written(dataset))
    for syntax, kind, options in ((JPEGBaseline8Bit, "JPEG", {}), (JPEG2000Lossless, "JPEG2000", {"no_jp2": True})):
        dataset = _dataset(grey, syntax, PixelData=encapsulate([_saved(grey, kind, **options)]))
        dataset["PixelData"].is_undefined_length = True
        files.append(_written(dataset))
    return files


def _lossless_jpeg(plain: bytes, deep: np.ndarray) -> list[bytes]:
    """Written by gdcm, without which there are none; these are decoded in a sandbox."""
    try:
        import gdcm
    except ImportError:
        return []
    files = []
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder) / "in.dcm", Path(folder) / "out.dcm"
        source.write_bytes(plain)
        for syntax in (gdcm.TransferSyntax.JPEGLosslessProcess14_1, gdcm.TransferSyntax.JPEGExtendedProcess2_4):
            reader, change, writer = gdcm.ImageReader(), gdcm.ImageChangeTransferSyntax(), gdcm.ImageWriter()
            reader.SetFileName(str(source))
            reader.Read()
            change.SetTransferSyntax(gdcm.TransferSyntax(syntax))
            change.SetInput(reader.GetImage())
            change.Change()
            writer.SetFileName(str(target))
            writer.SetFile(reader.GetFile())
            writer.SetImage(change.GetOutput())
            writer.Write()
            coded = dcmread(target)  # gdcm adds numbers of its own, which differ each time
            stream = encapsulate([get_frame(coded.PixelData, 0, number_of_frames=1)])
            dataset = _dataset(deep, coded.file_meta.TransferSyntaxUID, **WINDOW, PixelData=stream)
            dataset["PixelData"].is_undefined_length = True
            files.append(_written(dataset))
    return files


def _zipped(kinds: dict[str, list[bytes]], method: int) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        pictures = [("a/1.jpg", kinds["JPEG"][0]), ("a/2.png", kinds["PNG"][0]), ("IM0001", kinds["DICOM"][1])]
        for name, data in [*pictures, ("readme.txt", b"drawn")]:
            archive.writestr(zipfile.ZipInfo(name), data, compress_type=method)  # without the time of day
    return file.getvalue()
