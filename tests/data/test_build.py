"""From files to a manifest, a quarantine list and a cache."""

import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from hilum.data.build import build_dataset, open_cache
from hilum.data.cache import CanvasWriter, cache_key, find_cache, remove_stale
from hilum.data.manifest import COLUMNS, read_manifest
from hilum.data.sources import list_images
from hilum.errors import DataError
from hilum.images import read_image
from hilum.transforms import Preprocessing, to_canvas
from hilum.transforms.preprocessing import shorter_side_needed

SMALL = Preprocessing(image_size=32, channels=1)


def write_images(root: Path, per_class: int = 10, labels=("normal", "viral")) -> None:
    generator = np.random.default_rng(0)
    for label in labels:
        (root / label).mkdir(parents=True, exist_ok=True)
        for number in range(per_class):
            picture = generator.integers(0, 255, (48, 40), dtype=np.uint8)
            cv2.imwrite(str(root / label / f"p{number:03}_1.png"), picture)


def build(root: Path, cache: Path, **options):
    return build_dataset(list_images(root), cache_dir=cache, preprocessings=[SMALL], **options)


def test_every_image_is_in_the_manifest_with_its_facts(tmp_path):
    write_images(tmp_path / "d")
    dataset = build(tmp_path / "d", tmp_path / "c")
    table = dataset.manifest.table
    assert list(table.columns[: len(COLUMNS)]) == list(COLUMNS)
    assert len(table) == 20 and dataset.quarantine.empty and dataset.rejected == 0
    assert set(table["split"]) == {"train", "val", "test"}
    assert (table["height"] == 48).all() and (table["format"] == "PNG").all()
    assert dataset.manifest.labels.names == ("normal", "viral")


def test_the_cache_holds_what_reading_gives(tmp_path):
    write_images(tmp_path / "d")
    manifest = build(tmp_path / "d", tmp_path / "c").manifest
    view = open_cache(manifest, SMALL, tmp_path / "c").of(manifest.table)
    for row in (0, 7, 19):
        expected = to_canvas(read_image(manifest.path(manifest.table["image_path"][row])), SMALL)
        np.testing.assert_array_equal(view[row], expected)
    assert view[np.array([3, 3, 1])].shape == (3, 32, 32)


def test_the_cache_is_not_made_twice_and_follows_content_and_options(tmp_path):
    write_images(tmp_path / "d")
    manifest = build(tmp_path / "d", tmp_path / "c").manifest
    place = tmp_path / "c" / cache_key(manifest.table["sha256"], SMALL)
    before = (place / "canvases.npy").stat().st_mtime_ns
    open_cache(manifest, SMALL, tmp_path / "c")
    assert (place / "canvases.npy").stat().st_mtime_ns == before
    other = Preprocessing(image_size=32, fit="stretch", channels=1)
    assert cache_key(manifest.table["sha256"], other) != place.name
    assert cache_key(["x"], SMALL) != place.name
    assert open_cache(manifest, other, tmp_path / "c").canvases.shape == (20, 32, 32)


def test_a_damaged_cache_is_made_again(tmp_path):
    write_images(tmp_path / "d")
    manifest = build(tmp_path / "d", tmp_path / "c").manifest
    place = tmp_path / "c" / cache_key(manifest.table["sha256"], SMALL)
    (place / "canvases.npy").write_bytes((place / "canvases.npy").read_bytes()[:100])
    assert find_cache(place) is None
    assert open_cache(manifest, SMALL, tmp_path / "c").canvases.shape == (20, 32, 32)
    assert [path.name for path in (tmp_path / "c").iterdir()] == [place.name]


OPEN = """
import sys; from pathlib import Path
from hilum.data.build import open_cache; from hilum.data.manifest import read_manifest
from hilum.transforms import Preprocessing
open_cache(read_manifest(Path(sys.argv[1])), Preprocessing(image_size=32, channels=1), Path(sys.argv[2]))
"""


def test_two_processes_may_build_the_same_cache(tmp_path):
    write_images(tmp_path / "d", per_class=60)
    build(tmp_path / "d", tmp_path / "first").manifest.write(tmp_path / "m.parquet")
    command = [sys.executable, "-c", OPEN, str(tmp_path / "m.parquet"), str(tmp_path / "c")]
    children = [subprocess.Popen(command) for _ in range(2)]
    assert [child.wait(60) for child in children] == [0, 0]
    assert len(list((tmp_path / "c").iterdir())) == 1


def test_bad_files_are_quarantined_and_the_rest_goes_on(tmp_path):
    write_images(tmp_path / "d")
    whole = (tmp_path / "d/normal/p000_1.png").read_bytes()
    (tmp_path / "d/normal/broken.png").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "d/viral/text.jpg").write_text("not a picture")
    (tmp_path / "d/viral/empty.jpg").touch()
    dataset = build(tmp_path / "d", tmp_path / "c")
    assert len(dataset.manifest) == 20
    codes = dict(zip(dataset.quarantine["image_path"], dataset.quarantine["code"], strict=True))
    assert set(codes) == {"normal/broken.png", "viral/text.jpg", "viral/empty.jpg"}
    assert dataset.rejected == 3
    assert all(dataset.quarantine["reason"].str.len() > 10)


def test_a_missing_file_of_a_manifest_is_quarantined(tmp_path):
    write_images(tmp_path / "d")
    lines = [f"normal/p{n:03}_1.png,normal" for n in range(10)] + [f"viral/p{n:03}_1.png,viral" for n in range(10)]
    (tmp_path / "d/list.csv").write_text("\n".join(["path,label", *lines, "viral/gone.png,viral"]))
    dataset = build(tmp_path / "d/list.csv", tmp_path / "c")
    assert len(dataset.manifest) == 20
    assert dataset.quarantine["image_path"].tolist() == ["viral/gone.png"]


def test_two_files_of_one_name_are_two_images(tmp_path):
    write_images(tmp_path / "d")
    names = build(tmp_path / "d", tmp_path / "c").manifest.table["image_path"]
    assert names.is_unique and names.map(lambda name: name.split("/")[1]).duplicated().any()


def test_nothing_readable(tmp_path):
    for label in ("a", "b"):
        (tmp_path / "d" / label).mkdir(parents=True)
        (tmp_path / "d" / label / "x.jpg").write_text("no")
    with pytest.raises(DataError, match="readable X-rays"):
        build(tmp_path / "d", tmp_path / "c")


def test_a_class_of_one_image(tmp_path):
    write_images(tmp_path / "d")
    write_images(tmp_path / "d", per_class=1, labels=("rare",))
    with pytest.raises(DataError, match=r"class rare.*1 image of 1"):
        build(tmp_path / "d", tmp_path / "c")


def test_a_canvas_is_the_same_whatever_else_is_decoded_and_as_a_single_prediction_sees_it(tmp_path):
    generator = np.random.default_rng(1)
    for label in ("normal", "viral"):
        (tmp_path / "d" / label).mkdir(parents=True)
        for number in range(5):
            noise = cv2.resize(generator.integers(0, 255, (190, 151), dtype=np.uint8), (1207, 1523))
            cv2.imwrite(str(tmp_path / "d" / label / f"p{number}_1.jpg"), noise)
    small, large = Preprocessing(image_size=64), Preprocessing(image_size=224)
    options = {"cache_dir": tmp_path / "both", "preprocessings": [large, small]}
    manifest = build_dataset(list_images(tmp_path / "d"), **options).manifest
    both, alone = open_cache(manifest, small, tmp_path / "both"), open_cache(manifest, small, tmp_path / "alone")
    np.testing.assert_array_equal(both.of(manifest.table)[:], alone.of(manifest.table)[:])
    single = read_image(manifest.path(manifest.table["image_path"][0]), shorter_side=shorter_side_needed(small))
    np.testing.assert_array_equal(to_canvas(single, small), alone.of(manifest.table)[0])


def test_a_changed_file_is_noticed_when_a_cache_is_made_later(tmp_path):
    write_images(tmp_path / "d")
    manifest = build(tmp_path / "d", tmp_path / "c").manifest
    cv2.imwrite(str(tmp_path / "d/viral/p003_1.png"), np.zeros((48, 40), np.uint8) + 9)
    with pytest.raises(DataError, match=r"viral/p003_1\.png"):
        open_cache(manifest, Preprocessing(image_size=64), tmp_path / "c")


def test_a_manifest_reads_back(tmp_path):
    write_images(tmp_path / "d")
    manifest = build(tmp_path / "d", tmp_path / "c").manifest
    manifest.write(tmp_path / "m.parquet")
    again = read_manifest(tmp_path / "m.parquet")
    assert again.fingerprint == manifest.fingerprint
    assert again.labels == manifest.labels and again.root == manifest.root
    assert again.facts == dict(manifest.facts)
    moved = again.with_table(again.table.assign(split="train"))
    assert moved.fingerprint != manifest.fingerprint
    (tmp_path / "other.parquet").write_bytes(b"nothing")
    with pytest.raises(DataError, match=r"other\.parquet"):
        read_manifest(tmp_path / "other.parquet")


def test_a_full_disk_is_said_before_anything_is_decoded(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    write_images(tmp_path / "d")
    monkeypatch.setattr("os.posix_fallocate", full)
    with pytest.raises(DataError, match=r"No space left on device.*--out"):
        build(tmp_path / "d", tmp_path / "c")
    assert not any((tmp_path / "c").iterdir())


def test_a_disk_that_fails_while_canvases_are_written_is_no_fault_of_the_pictures(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    write_images(tmp_path / "d")
    monkeypatch.setattr("hilum.data.row_file.RowFile._write", full)
    with pytest.raises(OSError, match="No space left on device") as failure:
        build(tmp_path / "d", tmp_path / "c")
    assert Path(failure.value.filename).is_relative_to(tmp_path / "c")


def test_the_room_of_a_cache_is_taken_at_once(tmp_path):
    with CanvasWriter(tmp_path, 64, Preprocessing(image_size=64)) as writer:
        file = writer.partial / "canvases.npy"
        assert file.stat().st_blocks * 512 >= 64 * 64 * 64


def test_caches_of_other_images_are_removed_and_those_of_other_options_stay(tmp_path):
    write_images(tmp_path / "d")
    manifest = build(tmp_path / "d", tmp_path / "c").manifest
    open_cache(manifest, Preprocessing(image_size=16), tmp_path / "c")
    remove_stale(tmp_path / "c", manifest.table["sha256"])
    assert len(list((tmp_path / "c").iterdir())) == 2
    remove_stale(tmp_path / "c", manifest.table["sha256"][1:])
    assert not any((tmp_path / "c").iterdir())


def test_one_id_for_everybody_is_warned_of(tmp_path):
    write_images(tmp_path / "d", 30)
    plain = build(tmp_path / "d", tmp_path / "c")
    assert not any("placeholder" in warning for warning in plain.manifest.facts["warnings"])
    ids = [(label, n, "P1" if n < 20 else f"{label}{n}") for label in ("normal", "viral") for n in range(30)]
    rows = "".join(f"{label}/p{n:03}_1.png,{label},{patient}\n" for label, n, patient in ids)
    (tmp_path / "d" / "list.csv").write_text("path,label,patient_id\n" + rows)
    crowded = build(tmp_path / "d" / "list.csv", tmp_path / "c").manifest
    assert any("40 of 60 images have the patient id 'P1'" in warning for warning in crowded.facts["warnings"])
