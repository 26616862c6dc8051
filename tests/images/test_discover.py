import os
from pathlib import Path

import numpy as np
import pytest

from hilum.errors import DataError
from hilum.images import find_images, looks_like_image

LOOKS = ["a.jpg", "a.JPEG", "a.png", "a.tif", "a.webp", "a.bmp", "a.dcm", "a.DICOM", "IM0001", "1.2.840.113", "a.heic"]
LOOKS_NOT = ["a.csv", "a.txt", "a.json", "a.zip", "Thumbs.db", ".DS_Store", ".hidden.jpg", "._a.jpg", "DICOMDIR"]
LOOKS_NOT += ["README", "LICENSE", "a.jpg.part", "a.py", "a.parquet", "a.safetensors", ".7"]


@pytest.mark.parametrize("name", LOOKS)
def test_names_of_pictures(name):
    assert looks_like_image(Path("folder") / name)


@pytest.mark.parametrize("name", LOOKS_NOT)
def test_names_of_other_things(name):
    assert not looks_like_image(Path("folder") / name)


@pytest.fixture
def tree(tmp_path, chest, saved, dicom_of) -> Path:
    jpeg, dicom = saved(chest, "JPEG"), dicom_of(np.zeros((40, 40), np.uint8))
    contents = {
        "b/2.jpg": jpeg,
        "b/10.jpg": jpeg,
        "a/deep/er/x.PNG": b"",
        "a/IM0001": dicom,
        "a/1.2.840.10008": dicom,
        "a/notes": b"just text",
        "a/report.1": b"just text",
        "a/table.csv": b"",
        "a/Thumbs.db": b"",
        "a/.DS_Store": b"",
        ".cache/x.jpg": jpeg,
        "__MACOSX/b/2.jpg": jpeg,
    }
    for name, content in contents.items():
        path = tmp_path / "data" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return tmp_path / "data"


EXPECTED = ["a/1.2.840.10008", "a/IM0001", "a/deep/er/x.PNG", "b/10.jpg", "b/2.jpg"]


def _names(root: Path) -> list[str]:
    return [path.relative_to(root).as_posix() for path in find_images(root)]


def test_pictures_of_a_tree_in_order(tree):
    assert _names(tree) == EXPECTED
    assert find_images(tree / "b" / "2.jpg") == [tree / "b" / "2.jpg"]
    assert find_images(tree / "a" / "notes") == []


@pytest.mark.skipif(os.name == "nt", reason="links need rights on Windows")
def test_links_are_followed_and_loops_are_not(tree, tmp_path):
    (tree / "a" / "a_loop").symlink_to(tree)
    (tree / "a_link_to_b").symlink_to(tree / "b")
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "y.jpg").write_bytes(b"")
    (tree / "c").symlink_to(outside)
    (tree / "broken.jpg").symlink_to(tree / "nowhere.jpg")
    (tree / "itself.png").symlink_to(tree / "itself.png")
    assert _names(tree) == sorted([*EXPECTED, "c/y.jpg", "broken.jpg", "itself.png"])


def test_a_root_that_is_not_there(tmp_path):
    with pytest.raises(DataError, match="expected a folder of pictures, found nothing there"):
        find_images(tmp_path / "missing")


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may open everything")
def test_a_folder_that_cannot_be_opened_is_not_passed_over(tree):
    (tree / "b").chmod(0)
    try:
        with pytest.raises(DataError, match="a folder that can be opened"):
            find_images(tree)
    finally:
        (tree / "b").chmod(0o755)


def test_real_folders(shared_data):
    assert len(find_images(shared_data / "chest_xray_originals")) == 270
    assert len(find_images(shared_data / "covid_vs_normal")) == 324
