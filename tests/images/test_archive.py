import io
import os
import stat
import struct
import tracemalloc
import warnings
import zipfile
import zlib

import pytest

from hilum.errors import ImageRejected
from hilum.images import ArchiveLimits, Limits, is_archive, read_archive


def _zipped(entries, method=zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(buffer, "w", method) as archive:
        warnings.simplefilter("ignore")  # duplicate names
        for name, data in entries:
            archive.writestr(name, data)
    return buffer.getvalue()


def _outcomes(source, **options) -> dict[str, str]:
    return {
        member.name: member.rejected.code if member.rejected else "ok" for member in read_archive(source, **options)
    }


def _whole(source, **options) -> str:
    with pytest.raises(ImageRejected) as caught:
        list(read_archive(source, **options))
    assert "\n" not in str(caught.value)
    return caught.value.code


@pytest.fixture(scope="module")
def png(chest, saved) -> bytes:
    return saved(chest, "PNG")


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_pictures_come_out_as_they_went_in(png, dicom_of, chest, tmp_path, method):
    entries = [("a/1.png", png), ("a/", b""), ("IM0001", dicom_of(chest)), ("b.jpg", b"just text")]
    path = tmp_path / "x.zip"
    path.write_bytes(_zipped(entries, method))
    for source in (path, path.read_bytes()):
        assert is_archive(source)
        members = list(read_archive(source))
        assert [(member.name, member.data) for member in members] == [entry for entry in entries if entry[1]]
    assert list(tmp_path.iterdir()) == [path]


def test_what_is_no_picture_is_passed_over(png):
    entries = [("readme.txt", b"x"), ("__MACOSX/a.png", png), (".DS_Store", b"x"), ("a/.hidden/b.png", png)]
    entries += [("notes", b"just text"), ("table.csv", b"x"), ("1.2.840", b"text"), ("ok.png", png)]
    assert _outcomes(_zipped(entries)) == {"ok.png": "ok"}


@pytest.mark.parametrize(
    "name",
    [
        "../a.png",
        "a/../../b.png",
        "/etc/a.png",
        "C:/a.png",
        "c:a.png",
        "..\\a.png",
        "\\\\host\\a.png",
        "a/..",
        "../x.txt",
    ],
)
def test_names_that_lead_out_are_refused_and_the_others_go_on(png, name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    outcomes = _outcomes(_zipped([(name, png), ("good.png", png)]))
    assert outcomes == {name: "archive-unsafe-name", "good.png": "ok"}
    assert list(tmp_path.iterdir()) == []


def test_links_are_refused(png):
    link = zipfile.ZipInfo("link.png")
    link.create_system, link.external_attr = 3, (stat.S_IFLNK | 0o777) << 16
    device = zipfile.ZipInfo("device.png")
    device.create_system, device.external_attr = 3, (stat.S_IFCHR | 0o666) << 16
    plain = zipfile.ZipInfo("plain.png")
    plain.create_system, plain.external_attr = 3, (stat.S_IFREG | 0o644) << 16
    outcomes = _outcomes(_zipped([(link, b"/etc/passwd"), (device, b""), (plain, png)]))
    assert outcomes == {"link.png": "archive-link", "device.png": "archive-link", "plain.png": "ok"}


def test_a_bomb_is_refused_by_its_ratio_and_its_size(png):
    bomb = _zipped([("zeros.png", bytes(30_000_000)), ("large.png", os.urandom(3_000_000)), ("good.png", png)])
    assert len(bomb) < 4_000_000
    tracemalloc.start()
    assert _outcomes(bomb, limits=Limits(file_bytes=2_000_000)) == {
        "zeros.png": "archive-bomb",
        "large.png": "too-large",
        "good.png": "ok",
    }
    assert tracemalloc.get_traced_memory()[1] < 5_000_000
    tracemalloc.stop()


def test_an_entry_that_lies_about_its_size_yields_no_more_than_it_says(png):
    data = bytearray(_zipped([("zeros.png", bytes(40_000_000)), ("good.png", png)]))
    for signature, at in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
        start = data.index(signature) + at
        data[start : start + 4] = struct.pack("<I", 5000)
    tracemalloc.start()
    assert _outcomes(bytes(data)) == {"zeros.png": "corrupt", "good.png": "ok"}
    assert tracemalloc.get_traced_memory()[1] < 8_000_000
    tracemalloc.stop()


def test_an_entry_that_promises_more_than_it_has(png):
    data = bytearray(_zipped([("a.png", png)], zipfile.ZIP_DEFLATED))
    start = data.index(b"PK\x01\x02") + 24
    data[start : start + 4] = struct.pack("<I", len(png) + 5000)
    assert _outcomes(bytes(data))["a.png"] in ("truncated", "corrupt")


def test_the_total_is_bounded(png):
    entries = [(f"{number}.png", os.urandom(100_000)) for number in range(5)]
    outcomes = _outcomes(_zipped(entries), archive_limits=ArchiveLimits(total_bytes=250_000))
    assert list(outcomes.values()) == ["ok", "ok", *["archive-bomb"] * 3]


def test_entries_that_share_their_bytes(png):
    """The construction of Fifield 2019: every entry of the list points at one kernel."""
    data = _zipped([("a.png", png), ("b.png", png)])
    second = data.index(b"PK\x01\x02", data.index(b"PK\x01\x02") + 4)
    forged = data[: second + 42] + struct.pack("<I", 0) + data[second + 46 :]
    assert _outcomes(forged) == {"a.png": "archive-bomb", "b.png": "archive-bomb"}


def test_duplicate_names(png):
    outcomes = [
        (member.name, member.rejected and member.rejected.code)
        for member in read_archive(_zipped([("a.png", png), ("a.png", png), ("A.PNG", png), ("b/../a.png", png)]))
    ]
    assert outcomes[:3] == [("a.png", None), ("a.png", "archive-duplicate"), ("A.PNG", "archive-duplicate")]


def test_encrypted_nested_and_odd_methods(png):
    data = bytearray(_zipped([("a.png", png)]))
    data[6] |= 1
    data[data.index(b"PK\x01\x02") + 8] |= 1
    assert _outcomes(bytes(data)) == {"a.png": "archive-encrypted"}
    nested = [("in.zip", _zipped([("a.png", png)])), ("in.tar.gz", b"x"), ("b.png", png)]
    assert _outcomes(_zipped(nested)) == {"in.zip": "archive-nested", "in.tar.gz": "archive-nested", "b.png": "ok"}
    for method in (zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA):
        assert _outcomes(_zipped([("a.png", png)], method)) == {"a.png": "unsupported"}


def test_a_long_list_of_contents_is_refused_before_it_is_read(png, tmp_path):
    entries = [(f"{number}.png", b"") for number in range(3000)]
    assert _whole(_zipped(entries), archive_limits=ArchiveLimits(members=2999)) == "archive-bomb"
    assert _whole(_zipped(entries), archive_limits=ArchiveLimits(directory_bytes=100_000)) == "archive-bomb"
    assert set(_outcomes(_zipped(entries)).values()) == {"empty"}


def test_a_claim_in_the_zip64_record_counts_too(png):
    """Python believes the zip64 record even where the other one is complete."""
    padding = 20_000_000
    data = bytes(padding) + b"PK\x01\x02"
    record = struct.pack("<4sQHHIIQQQQ", b"PK\x06\x06", 44, 45, 45, 0, 0, 1, 1, padding, 0)
    locator = struct.pack("<4sIQI", b"PK\x06\x07", 0, len(data), 1)
    end = struct.pack("<4sHHHHIIH", b"PK\x05\x06", 0, 0, 1, 1, 46, 0, 0)
    assert _whole(data + record + locator + end) == "archive-bomb"


def test_archives_that_are_none(png, tmp_path):
    data = _zipped([("a.png", png)])
    assert _whole(b"PK\x03\x04 and then nothing") == "corrupt"
    assert _whole(data[: len(data) // 2]) == "corrupt"
    assert _whole(b"") == "corrupt"
    assert _whole(tmp_path) == "unreadable"
    assert _whole(tmp_path / "missing.zip") == "unreadable"
    assert not is_archive(tmp_path)
    assert not is_archive(png)
    hurt = bytearray(data)
    hurt[60] ^= 0xFF
    assert _outcomes(bytes(hurt))["a.png"] == "corrupt"


def test_hostile_names_are_shown_without_control_characters(png):
    (member,) = read_archive(_zipped([("a\x1b[31m\n.png", b"")]))
    assert member.name == "a\\x1b[31m\\n.png"
    assert "\n" not in str(member.rejected)


def test_checksums_are_compared_for_empty_and_short_entries(png):
    data = bytearray(_zipped([("a.png", png)], zipfile.ZIP_STORED))
    for signature, at in ((b"PK\x03\x04", 14), (b"PK\x01\x02", 16)):
        start = data.index(signature) + at
        data[start : start + 4] = struct.pack("<I", zlib.crc32(png) ^ 1)
    assert _outcomes(bytes(data)) == {"a.png": "corrupt"}
