import io
import struct
import time
import zlib

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.pixels import apply_modality_lut, apply_voi_lut, get_encoder
from pydicom.sequence import Sequence
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGLSLossless,
    RLELossless,
)

import hilum.images.dicom
from hilum.images import Limits, read_image
from hilum.images.dicom_tags import text_of


@pytest.fixture(scope="module")
def twelve(chest) -> np.ndarray:
    """The chest over 12 bits, `[96, 128]` uint16."""
    return (chest.astype(np.uint16) * 16 + chest % 16).astype(np.uint16)


def _written(dataset: Dataset) -> bytes:
    buffer = io.BytesIO()
    pydicom.dcmwrite(buffer, dataset, enforce_file_format=True)
    return buffer.getvalue()


def _by_pydicom(dataset: Dataset, stored: np.ndarray, low: float, high: float) -> np.ndarray:
    """Modality and VOI as pydicom computes them, scaled from their output range to 16 bits."""
    shown = apply_voi_lut(apply_modality_lut(stored, dataset), dataset).astype(np.float64)
    return (shown - low) / (high - low) * 65535


@pytest.mark.parametrize("function", [None, "LINEAR", "LINEAR_EXACT", "SIGMOID"])
@pytest.mark.parametrize(("slope", "intercept"), [(1, 0), (2.5, -1024)])
def test_window_is_that_of_the_standard(twelve, dataset_of, function, slope, intercept):
    elements = {"VOILUTFunction": function} if function else {}
    dataset = dataset_of(
        twelve,
        BitsStored=12,
        WindowCenter=1800 * slope + intercept,
        WindowWidth=2000 * slope,
        RescaleSlope=slope,
        RescaleIntercept=intercept,
        **elements,
    )
    image = read_image(_written(dataset))
    expected = _by_pydicom(dataset, twelve, intercept, 4095 * slope + intercept)
    assert image.pixels.dtype == np.uint16
    assert np.abs(image.pixels - expected).max() <= 1
    assert image.warnings == ()


def test_monochrome1_is_inverted_after_the_window(twelve, dicom_of):
    window = {"BitsStored": 12, "WindowCenter": 1500, "WindowWidth": 1000}
    dark_is_low = read_image(dicom_of(twelve, **window)).pixels
    image = read_image(dicom_of(twelve, PhotometricInterpretation="MONOCHROME1", **window))
    np.testing.assert_array_equal(image.pixels, 65535 - dark_is_low)
    assert image.acquisition.mode == "MONOCHROME1"
    eight = dicom_of((twelve >> 4).astype(np.uint8), PhotometricInterpretation="MONOCHROME1")
    np.testing.assert_array_equal(read_image(eight).pixels, 255 - (twelve >> 4))


def test_signed_values(twelve, dataset_of):
    stored = (twelve.astype(np.int32) - 2000).astype(np.int16)
    dataset = dataset_of(stored, WindowCenter=-500, WindowWidth=2000, RescaleSlope=1, RescaleIntercept=0)
    image = read_image(_written(dataset))
    expected = _by_pydicom(dataset, stored, -32768, 32767)
    assert np.abs(image.pixels - expected).max() <= 1


@pytest.mark.parametrize("dtype", [np.uint16, np.int16])
def test_tall_pictures_over_the_whole_range(dicom_of, dtype):
    stored = np.random.default_rng(4).integers(0, 65536, (700, 40), dtype=np.uint16).view(dtype)
    image = read_image(dicom_of(stored, WindowCenter=np.iinfo(dtype).min + 32768, WindowWidth=65536))
    np.testing.assert_array_equal(image.pixels, stored.astype(np.int64) - np.iinfo(dtype).min)
    assert image.warnings == ()


def test_the_first_of_several_windows_is_used(twelve, dicom_of):
    one = dicom_of(twelve, BitsStored=12, WindowCenter=1500, WindowWidth=1000)
    two = dicom_of(twelve, BitsStored=12, WindowCenter=[1500, 40], WindowWidth=[1000, 400])
    np.testing.assert_array_equal(read_image(one).pixels, read_image(two).pixels)


def _table(entries: np.ndarray, first: int, bits: int, **elements: object) -> Sequence:
    item = Dataset()
    item.add_new("LUTDescriptor", "US", [len(entries) % 65536, first, bits])
    item.add_new("LUTData", "OW", entries.astype("<u2").tobytes())
    for keyword, value in elements.items():
        setattr(item, keyword, value)
    return Sequence([item])


def test_voi_table_comes_before_the_window(twelve, dataset_of):
    curve = ((np.arange(4096) / 4095) ** 2 * 1023).round()
    dataset = dataset_of(twelve, BitsStored=12, WindowCenter=10, WindowWidth=2)
    dataset.VOILUTSequence = _table(curve, 0, 10)
    image = read_image(_written(dataset))
    assert np.abs(image.pixels - curve[twelve] / 1023 * 65535).max() <= 1
    assert image.warnings == ()


def test_modality_table_comes_before_the_window(twelve, dataset_of):
    curve = 4095 - np.arange(4096)
    dataset = dataset_of(twelve, BitsStored=12, WindowCenter=2000, WindowWidth=3000)
    dataset.ModalityLUTSequence = _table(curve, 0, 16, ModalityLUTType="US")
    image = read_image(_written(dataset))
    expected = np.clip((curve[twelve] - 1999.5) / 2999 + 0.5, 0, 1) * 65535
    assert np.abs(image.pixels - expected).max() <= 1


@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
def test_without_a_window_percentiles_are_used(twelve, dicom_of, photometric):
    stored = twelve.copy()
    stored[0, :6] = 65535
    image = read_image(dicom_of(stored, PhotometricInterpretation=photometric))
    low, high = np.percentile(stored, [0.5, 99.5], method="inverted_cdf")
    expected = np.clip((stored.astype(float) - low) / (high - low), 0, 1) * 65535
    expected = expected if photometric == "MONOCHROME2" else 65535 - expected
    assert np.abs(image.pixels - expected).max() <= 1
    assert image.warnings == ("window-missing",)


def test_eight_bits_without_a_window_are_kept_as_they_are(chest, dicom_of):
    image = read_image(dicom_of(chest))
    assert image.pixels.dtype == np.uint8
    np.testing.assert_array_equal(image.pixels, chest)
    assert image.warnings == ()


@pytest.mark.parametrize(
    "window",
    [
        {"WindowCenter": 2000, "WindowWidth": 0},
        {"WindowCenter": 2000, "WindowWidth": -5},
        {"WindowCenter": 2000, "WindowWidth": 1},
        {"WindowCenter": 60_000, "WindowWidth": 100},
        {"WindowCenter": -60_000, "WindowWidth": 100},
        {"WindowCenter": "", "WindowWidth": ""},
        {"WindowCenter": 2000},
        {"WindowCenter": 2000, "WindowWidth": 0, "VOILUTFunction": "SIGMOID"},
    ],
)
def test_windows_that_show_nothing_fall_back_to_percentiles(twelve, dicom_of, window):
    image = read_image(dicom_of(twelve, BitsStored=12, **window))
    assert image.warnings == ("window-unusable",)
    np.testing.assert_array_equal(image.pixels, read_image(dicom_of(twelve, BitsStored=12)).pixels)


@pytest.mark.parametrize("number", [b"0", b"NaN", b"inf", b"1e308"])
def test_a_slope_that_would_blank_the_picture_is_ignored(twelve, dicom_of, number):
    good = dicom_of(
        twelve, BitsStored=12, RescaleSlope="77777", RescaleIntercept="0", WindowCenter=2000, WindowWidth=3000
    )
    data = good.replace(b"77777 ", number.ljust(6))
    assert data != good
    image = read_image(data)
    assert image.warnings == ("rescale-ignored",)
    plain = read_image(dicom_of(twelve, BitsStored=12, WindowCenter=2000, WindowWidth=3000))
    np.testing.assert_array_equal(image.pixels, plain.pixels)


def test_padding_does_not_count_for_the_percentiles(twelve, dicom_of):
    stored = np.pad(twelve, 20, constant_values=0)
    shown = read_image(dicom_of(stored, PixelPaddingValue=0)).pixels[20:-20, 20:-20]
    np.testing.assert_array_equal(shown, read_image(dicom_of(twelve)).pixels)


def test_float_pixel_data(chest, dataset_of):
    dataset = dataset_of(chest.astype(np.uint16))
    del dataset.PixelData, dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation
    dataset.BitsAllocated = 32
    dataset.FloatPixelData = (chest / np.float32(100)).astype("<f4").tobytes()
    image = read_image(_written(dataset))
    low, high = np.percentile(chest, [0.5, 99.5], method="inverted_cdf")
    assert np.abs(image.pixels - np.clip((chest.astype(float) - low) / (high - low), 0, 1) * 65535).max() <= 2


def test_colour_that_is_grey_in_truth(chest, dicom_of, code_of):
    rgb = np.repeat(chest[..., None], 3, axis=2)
    np.testing.assert_array_equal(read_image(dicom_of(rgb)).pixels, chest)
    planar = dicom_of(np.ascontiguousarray(rgb.transpose(2, 0, 1)).reshape(rgb.shape), PlanarConfiguration=1)
    np.testing.assert_array_equal(read_image(planar).pixels, chest)
    hues = np.random.default_rng(0).integers(0, 256, (12, 16, 3), dtype=np.uint8).repeat(8, 0).repeat(8, 1)
    assert code_of(dicom_of(hues)) == "colour"


def test_palette(chest, dataset_of):
    dataset = dataset_of(chest, PhotometricInterpretation="PALETTE COLOR")
    for colour in ("Red", "Green", "Blue"):
        setattr(dataset, f"{colour}PaletteColorLookupTableDescriptor", [256, 0, 16])
        entries = (np.arange(256) * 257 // 2).astype("<u2").tobytes()
        setattr(dataset, f"{colour}PaletteColorLookupTableData", entries)
    image = read_image(_written(dataset))
    assert np.abs(image.pixels.astype(int) - chest.astype(int) * 257 // 2).max() <= 1


def test_several_frames_need_a_name(twelve, dicom_of, code_of):
    frames = np.stack([twelve, twelve[::-1], twelve[:, ::-1]])
    data = dicom_of(frames, WindowCenter=2000, WindowWidth=3000)
    assert code_of(data) == "multi-frame"
    single = read_image(dicom_of(twelve, WindowCenter=2000, WindowWidth=3000)).pixels
    np.testing.assert_array_equal(read_image(data, frame=2).pixels, single[:, ::-1])
    assert code_of(data, frame=3) == code_of(data, frame=-1) == "no-such-frame"


@pytest.mark.parametrize("preamble", [True, False])
def test_without_a_preamble(chest, dicom_of, preamble):
    image = read_image(dicom_of(chest, preamble=preamble))
    np.testing.assert_array_equal(image.pixels, chest)


def test_implicit_without_a_preamble(chest, dataset_of):
    dataset = dataset_of(chest)
    dataset.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
    data = _written(dataset)
    data = data[144 + int.from_bytes(data[140:144], "little") :]
    np.testing.assert_array_equal(read_image(data).pixels, chest)


@pytest.mark.parametrize("syntax", [RLELossless, JPEGLSLossless])
def test_lossless_compression(twelve, dataset_of, syntax):
    if not get_encoder(syntax).is_available:
        pytest.skip("the codecs of hilum[dicom] are not installed")
    dataset = dataset_of(twelve, BitsStored=12, WindowCenter=2000, WindowWidth=3000)
    plain = read_image(_written(dataset)).pixels
    dataset.compress(syntax)
    np.testing.assert_array_equal(read_image(_written(dataset)).pixels, plain)


@pytest.mark.parametrize(
    ("syntax", "kind", "options", "tolerance"),
    [(JPEGBaseline8Bit, "JPEG", {"quality": 95}, 6), (JPEG2000Lossless, "JPEG2000", {"no_jp2": True}, 0)],
)
def test_pictures_inside_dicom(chest, dataset_of, saved, syntax, kind, options, tolerance):
    dataset = dataset_of(chest)
    dataset.file_meta.TransferSyntaxUID = syntax
    dataset.PixelData = encapsulate([saved(chest, kind, **options)])
    dataset["PixelData"].is_undefined_length = True
    assert np.abs(read_image(_written(dataset)).pixels.astype(int) - chest).max() <= tolerance


def test_a_truncated_jpeg_inside_dicom(chest, dataset_of, saved, code_of):
    dataset = dataset_of(chest)
    dataset.file_meta.TransferSyntaxUID = JPEGBaseline8Bit
    stream = saved(chest, "JPEG")
    dataset.PixelData = encapsulate([stream[: len(stream) // 2]])
    dataset["PixelData"].is_undefined_length = True
    assert code_of(_written(dataset)) == "truncated"


def test_deflated_and_its_bomb(chest, dataset_of, code_of):
    dataset = dataset_of(chest)
    dataset.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    data = _written(dataset)
    np.testing.assert_array_equal(read_image(data).pixels, chest)
    start = 144 + int.from_bytes(data[140:144], "little")
    deflate = zlib.compressobj(wbits=-15)
    bomb = data[:start] + deflate.compress(bytes(20_000_000)) + deflate.flush()
    assert len(bomb) < 100_000
    assert code_of(bomb, limits=Limits(inflated_bytes=10_000_000)) == "too-large"


def test_facts_of_patient_view_and_device(chest, dicom_of):
    data = dicom_of(
        chest,
        PatientID=" P-17 ",
        ViewPosition="ap",
        Modality="DX",
        Manufacturer="Maker",
        ManufacturerModelName="Model 3",
        PatientAge="018M",
        PatientSex="F",
    )
    facts = read_image(data).acquisition
    assert (facts.format, facts.bits, facts.mode) == ("DICOM", 8, "MONOCHROME2")
    assert (facts.view, facts.modality, facts.age_years, facts.sex) == ("AP", "DX", 1.5, "F")
    same = read_image(dicom_of(chest, PatientID="P-17", Manufacturer="Maker", ManufacturerModelName="Model 3"))
    other = read_image(dicom_of(chest, PatientID="P-18", Manufacturer="Maker", ManufacturerModelName="Model 4"))
    assert facts.patient_id == same.acquisition.patient_id != other.acquisition.patient_id
    assert facts.machine == same.acquisition.machine != other.acquisition.machine
    assert "P-17" not in repr(facts) and "Model" not in repr(facts)


@pytest.mark.parametrize(("age", "years"), [("034Y", 34), ("51", 51), ("026W", 26 * 7 / 365.25), ("003D", 3 / 365.25)])
def test_age_in_years(chest, dicom_of, age, years):
    data = dicom_of(chest, PatientAge="777Y").replace(b"777Y", age.encode().ljust(4))
    assert read_image(data).acquisition.age_years == pytest.approx(years)


def test_blank_and_broken_tags_say_nothing(chest, dicom_of):
    data = dicom_of(
        chest, PatientID="", PatientAge="777Y", PatientSex="", Manufacturer="", SpecificCharacterSet="X" * 16
    )
    facts = read_image(data.replace(b"777Y", b"old?")).acquisition
    assert (facts.patient_id, facts.age_years, facts.sex, facts.machine, facts.view) == (None,) * 5


def test_control_characters_and_length_of_tags_are_tamed(chest, dataset_of):
    dataset = dataset_of(chest, PatientID="a\x1b[31mb\0c\n" + "d" * 500)
    text = text_of(dataset, "PatientID")
    assert text is not None
    assert text.isprintable()
    assert len(text) <= 64


def test_no_patient_data_in_messages(twelve, dicom_of, code_of, capfd):
    secret = "SENTINEL"
    elements = {"PatientID": secret, "PatientName": secret, "StudyDescription": secret, "Manufacturer": secret}
    good = dicom_of(twelve, **elements)
    for data in (good[:-5000], dicom_of(None, **elements), good.replace(b"MONOCHROME2", b"SENTINEL   ")):
        with pytest.raises(hilum.errors.ImageRejected) as caught:
            read_image(data)
        assert secret not in str(caught.value)
    assert capfd.readouterr() == ("", "")


def test_files_that_cannot_be_used(chest, twelve, dicom_of, code_of):
    assert code_of(dicom_of(None)) == "no-pixels"
    assert code_of(dicom_of(twelve)[:-100]) == "truncated"
    assert code_of(dicom_of(twelve, Rows=97)) == "truncated"
    assert code_of(dicom_of(twelve, Rows=65535, Columns=65535)) == "too-many-pixels"
    assert code_of(dicom_of(twelve, Rows=0)) == "corrupt"
    assert code_of(dicom_of(chest[:20])) == "too-small"
    assert code_of(dicom_of(chest, PhotometricInterpretation="HSV")) == "unsupported"
    assert code_of(bytes(128) + b"DICM") == "no-pixels"


def test_black_is_assumed_to_be_zero(chest, dicom_of):
    image = read_image(dicom_of(chest, PhotometricInterpretation=None))
    np.testing.assert_array_equal(image.pixels, chest)
    assert image.warnings == ("photometric-guessed",)


def test_video_is_unsupported_and_a_missing_codec_names_the_extra(chest, dataset_of, code_of, monkeypatch):
    dataset = dataset_of(chest)
    dataset.compress(RLELossless)
    data = _written(dataset)

    class NotInstalled:
        is_available = False

    monkeypatch.setattr(hilum.images.dicom, "get_decoder", lambda syntax: NotInstalled())
    with pytest.raises(hilum.errors.ImageRejected, match=r"found RLE Lossless\. pip install hilum\[dicom\]") as caught:
        read_image(data)
    assert caught.value.code == "missing-codec"
    monkeypatch.undo()
    dataset.file_meta.TransferSyntaxUID = UID("1.2.840.10008.1.2.4.100")
    assert code_of(_written(dataset)) == "unsupported"


def test_blank_pixels(dicom_of):
    for dtype in (np.uint8, np.uint16, np.int16):
        for value in (0, 100):
            image = read_image(dicom_of(np.full((64, 64), value, dtype)))
            assert "blank" in image.warnings


@pytest.fixture(scope="module")
def recoded(tmp_path_factory):
    """`recoded(data, "JPEGLosslessProcess14_1")`: a DICOM file in another transfer syntax, written by gdcm."""
    gdcm = pytest.importorskip("gdcm", reason="the codecs of hilum[dicom] are not installed")
    folder = tmp_path_factory.mktemp("recoded")

    def write(data: bytes, syntax: str) -> bytes:
        (folder / "in.dcm").write_bytes(data)
        reader = gdcm.ImageReader()
        reader.SetFileName(str(folder / "in.dcm"))
        assert reader.Read()
        change = gdcm.ImageChangeTransferSyntax()
        change.SetTransferSyntax(gdcm.TransferSyntax(getattr(gdcm.TransferSyntax, syntax)))
        change.SetInput(reader.GetImage())
        assert change.Change()
        writer = gdcm.ImageWriter()
        writer.SetFileName(str(folder / "out.dcm"))
        writer.SetFile(reader.GetFile())
        writer.SetImage(change.GetOutput())
        assert writer.Write()
        return (folder / "out.dcm").read_bytes()

    return write


LOSSLESS = ["JPEGLosslessProcess14_1", "JPEGLosslessProcess14", "JPEGLSLossless", "JPEG2000Lossless", "RLELossless"]


@pytest.mark.parametrize(("syntax", "tolerance"), [*((name, 0) for name in LOSSLESS), ("JPEGExtendedProcess2_4", 400)])
def test_every_compression_that_archives_use(twelve, dicom_of, recoded, syntax, tolerance):
    data = dicom_of(twelve, BitsStored=12, WindowCenter=2000, WindowWidth=3000)
    image = read_image(recoded(data, syntax))
    assert np.abs(image.pixels.astype(int) - read_image(data).pixels).max() <= tolerance
    assert (image.warnings, image.acquisition.format) == ((), "DICOM")


def test_codecs_that_may_abort_are_kept_out_of_this_process(twelve, dicom_of, recoded, monkeypatch):
    """A damaged stream that makes gdcm abort ends as a code, from wherever it is read."""
    import hilum.images.child

    data = recoded(dicom_of(twelve, BitsStored=12), "JPEGLosslessProcess14_1")
    script = "import os, hilum.images.read as read; read.decode = lambda *_: os.abort()\n" + hilum.images.child._CODE
    monkeypatch.setattr(hilum.images.child, "_CODE", script)
    monkeypatch.setattr(hilum.images.sandbox, "_shared", None)
    with pytest.raises(hilum.errors.ImageRejected) as caught:
        read_image(data, name="x.dcm")
    assert caught.value.code == "crash"
    monkeypatch.setattr(hilum.images.sandbox, "_shared", None)
    monkeypatch.setattr(hilum.images.child, "_CODE", "from hilum.images.worker import main; main()")
    assert read_image(data).pixels.shape == twelve.shape


def _text_tags(sentinel: str) -> Dataset:
    """A value for every element of the dictionary that holds text, group 8 to 50, as deep as two sequences."""
    from pydicom.datadict import DicomDictionary

    dataset = Dataset()
    for tag, (vr, _vm, _name, _retired, keyword) in DicomDictionary.items():
        if vr in ("LO", "SH", "PN", "LT", "ST", "UT", "UC", "CS", "AE") and keyword and 0x00080006 < tag < 0x00500000:
            dataset.add_new(tag, vr, sentinel)
    return dataset


def test_no_text_of_any_tag_leaves_the_header(chest, dataset_of, capfd):
    sentinel = "SENTINEL"
    dataset = dataset_of(chest)
    inner = _text_tags(sentinel)
    for element in inner:
        if element.keyword not in ("PhotometricInterpretation", "SpecificCharacterSet"):
            dataset[element.tag] = element
    dataset.AnatomicRegionSequence = dataset.ViewCodeSequence = Sequence([inner])
    dataset.PatientAge = "034Y"
    image = read_image(_written(dataset), name="x")
    assert sentinel not in repr(image).upper()
    assert (image.acquisition.view, image.acquisition.modality, image.acquisition.sex) == (None, None, None)
    assert image.acquisition.patient_id.startswith("patient-")
    dataset.PhotometricInterpretation = sentinel
    with pytest.raises(hilum.errors.ImageRejected) as caught:
        read_image(_written(dataset), name="x")
    assert sentinel not in str(caught.value).upper()
    assert sentinel not in "".join(capfd.readouterr()).upper()


def _with_stream(dataset, syntax, stream: bytes) -> bytes:
    dataset.file_meta.TransferSyntaxUID = syntax
    dataset.PixelData = encapsulate([stream])
    dataset["PixelData"].is_undefined_length = True
    return _written(dataset)


@pytest.mark.parametrize(
    ("syntax", "kind", "options"), [(JPEGBaseline8Bit, "JPEG", {}), (JPEG2000Lossless, "JPEG2000", {"no_jp2": True})]
)
def test_a_stream_that_is_larger_than_its_header_says_is_not_decoded(chest, dataset_of, saved, syntax, kind, options):
    large = saved(np.zeros((2000, 2000), np.uint8), kind, **options)
    with pytest.raises(hilum.errors.ImageRejected, match="4000000 pixels, more than the header states"):
        read_image(_with_stream(dataset_of(chest), syntax, large))


def test_the_size_of_a_jpeg_ls_stream(twelve, dataset_of):
    jpeg_ls = pytest.importorskip("jpeg_ls", reason="the codecs of hilum[dicom] are not installed")
    from hilum.images.codestream import stated_pixels

    assert jpeg_ls
    dataset = dataset_of(twelve, BitsStored=12)
    dataset.compress(JPEGLSLossless)
    stream = pydicom.encaps.get_frame(dataset.PixelData, 0, number_of_frames=1)
    assert stated_pixels(stream) == twelve.size
    assert stated_pixels(b"") == stated_pixels(b"\xff\xd8\xff") == stated_pixels(stream[:8]) == 0


def test_run_lengths_that_could_become_too_much_are_decoded_in_a_sandbox(chest, dataset_of, monkeypatch):
    dataset = dataset_of(chest)
    dataset.compress(RLELossless)
    data, limits = _written(dataset), Limits(inflated_bytes=100_000)
    from hilum.images.boundary import NeedsSandbox
    from hilum.images.read import decode
    from hilum.images.request import Request

    with pytest.raises(NeedsSandbox):
        decode(data, Request("x", limits=limits))
    np.testing.assert_array_equal(read_image(data, limits=limits).pixels, chest)


def _behind_meta(data: bytes, inserted: bytes) -> bytes:
    start = 144 + int.from_bytes(data[140:144], "little")
    return data[:start] + inserted + data[start:]


def _element(group: int, element: int, kind: bytes, value: bytes) -> bytes:
    return struct.pack("<HH2sHI", group, element, kind, 0, len(value)) + value


@pytest.mark.parametrize("depth", [500, 100_000])
def test_deep_nesting(chest, dicom_of, code_of, depth):
    opened = struct.pack("<HH2sHIHHI", 8, 0x1140, b"SQ", 0, 0xFFFFFFFF, 0xFFFE, 0xE000, 0xFFFFFFFF)
    closed = struct.pack("<HHIHHI", 0xFFFE, 0xE00D, 0, 0xFFFE, 0xE0DD, 0)
    assert code_of(_behind_meta(dicom_of(chest), opened * depth + closed * depth)) == "corrupt"


def test_headers_of_absurd_length_cost_no_time(chest, dicom_of, code_of):
    many = b"".join(struct.pack("<HH2sH2s", 9, number & 0xFFFF, b"LO", 2, b"aa") for number in range(700_000))
    names = _element(0x10, 0x10, b"UT", b"\x1b$B\x1b(J" * 2_000_000)
    windows = _element(0x28, 0x1050, b"UT", b"1\\" * 4_000_000)
    start = time.perf_counter()
    assert code_of(_behind_meta(dicom_of(chest), many)) == "corrupt"
    assert code_of(_behind_meta(dicom_of(chest), names)) == "ok"
    assert code_of(_behind_meta(dicom_of(chest), windows)) == "ok"
    assert time.perf_counter() - start < 8


@pytest.mark.parametrize("charset", ["ISO 2022 IR 87", "nonsense", "ISO_IR 192\\ISO 2022 IR 149", "\\" * 40, "GB18030"])
def test_hostile_character_sets(chest, dicom_of, charset):
    data = dicom_of(chest, SpecificCharacterSet="X" * 80, PatientID="Y" * 40, SeriesDescription="Z" * 40)
    data = data.replace(b"X" * 80, charset.encode().ljust(80)).replace(b"Y" * 40, b"\x1b$B\xff\xfe\x80\x1b(J\\" * 4)
    image = read_image(data.replace(b"Z" * 40, b"\x1b$)C\xe2\x28\xa1\x00\x1b]" * 4))
    np.testing.assert_array_equal(image.pixels, chest)


def test_memory_is_reckoned_from_the_header(chest, dataset_of, code_of):
    data = _written(dataset_of(chest.astype(np.uint32)))
    assert code_of(data) == "ok"
    assert code_of(data, limits=Limits(memory_bytes=100_500_000)) == "memory"


def test_pixel_data_in_millions_of_pieces(chest, dataset_of, saved, code_of):
    dataset = dataset_of(chest)
    dataset.file_meta.TransferSyntaxUID = JPEGBaseline8Bit
    whole = encapsulate([saved(chest, "JPEG")])
    empty = struct.pack("<HHI", 0xFFFE, 0xE000, 0)
    codes = set()
    for pieces in (70_000, 1_000_000):
        dataset.PixelData = whole[:8] + empty * pieces + whole[8:]
        dataset["PixelData"].is_undefined_length = True
        start = time.perf_counter()
        codes.add(code_of(_written(dataset)))
        assert time.perf_counter() - start < 8
    assert codes == {"corrupt"}
