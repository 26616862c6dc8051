"""A data set on disk: what is written is what was planned, and nothing is left half done."""

import hashlib
import json
from collections import defaultdict
from io import BytesIO

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from hilum.data.phantom import Faults, draw_dataset, read_dataset, write_dataset
from hilum.data.phantom.files import change_slightly
from hilum.errors import DataError, UsageError

ALL_FAULTS = Faults(
    marker=0.5, border=0.5, jpeg_quality=0.5, duplicates=0.2, near_duplicates=0.3, patients_in_both=0.5,
    wrong_labels=0.2, shifted_test=0.5, scarce_class=0.3, unreadable=0.2,
)  # fmt: skip


def small(images=18, **options):
    return draw_dataset(images=images, size=64, **options)


def contents(root):
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def truth(root):
    return pd.read_csv(root / "truth.csv", keep_default_na=False)


@pytest.mark.parametrize("format", ["jpeg", "png", "dicom"])
def test_the_same_arguments_write_the_same_bytes(tmp_path, format):
    first = write_dataset(small(faults=ALL_FAULTS), tmp_path / "one", format=format)
    second = write_dataset(small(faults=ALL_FAULTS), tmp_path / "two", format=format)
    assert contents(first) == contents(second)
    assert not small(seed=1).table.equals(small().table)


def test_several_processes_write_the_same_bytes_as_one(tmp_path):
    data = small(images=130)
    alone = write_dataset(data, tmp_path / "one")
    assert contents(write_dataset(data, tmp_path / "two", workers=2)) == contents(alone)


def test_splits_and_class_folders(tmp_path):
    root = write_dataset(small(), tmp_path / "splits")
    assert {path.name for path in root.iterdir()} == {"train", "test", "truth.csv", "drawn.json"}
    assert {path.name for path in (root / "train").iterdir()} == {"normal", "bacterial", "viral"}
    rows = truth(root)
    files = {path for path in contents(root) if path.endswith(".jpg")}
    assert files == set(rows["image_path"]) and len(files) == 18
    assert all(path.startswith(f"{split}/") for path, split in zip(rows["image_path"], rows["split"], strict=True))

    folders = write_dataset(small(), tmp_path / "folders", layout="folders", format="png")
    assert {path.name for path in folders.iterdir()} == {"normal", "bacterial", "viral", "truth.csv", "drawn.json"}


def test_what_is_read_back_is_what_was_drawn(tmp_path):
    data = small()
    png = write_dataset(data, tmp_path / "png", format="png", layout="folders")
    jpeg = write_dataset(data, tmp_path / "jpeg", format="jpeg", layout="folders")
    for index, row in truth(png).iterrows():
        drawing = data[index]
        with Image.open(png / row["image_path"]) as image:
            assert image.mode == "L" and np.array_equal(np.asarray(image), drawing.pixels)
        with Image.open((jpeg / row["image_path"]).with_suffix(".jpg")) as image:
            assert image.format == "JPEG"
            assert np.abs(np.asarray(image, float) - drawing.pixels).mean() < 12
        assert drawing.pixels.shape == (row["height"], row["width"])
        box = tuple(row[f"lesion_{side}"] for side in ("left", "top", "right", "bottom"))
        assert box == (tuple(map(str, drawing.facts.lesion_box)) if drawing.facts.lesion_box else ("",) * 4)


def test_a_written_data_set_gives_its_masks_again(tmp_path):
    data = small(faults=ALL_FAULTS, classes=("normal", "covid"), difficulty=0.2)
    again = read_dataset(write_dataset(data, tmp_path / "out"))
    pd.testing.assert_frame_equal(again.table, data.table)
    assert all(np.array_equal(a.lesion_mask, b.lesion_mask) for a, b in zip(again, data, strict=True))
    with pytest.raises(DataError, match=r"drawn\.json"):
        read_dataset(tmp_path)
    (tmp_path / "drawn.json").write_text(json.dumps({"schema": "other"}), encoding="utf-8")
    with pytest.raises(DataError, match=r"hilum\.drawn/1"):
        read_dataset(tmp_path)


@pytest.mark.parametrize("format", ["jpeg", "dicom"])
def test_duplicates_are_byte_identical_and_there_are_no_others(tmp_path, format):
    root = write_dataset(small(images=40, faults=Faults(duplicates=0.3)), tmp_path / "out", format=format)
    by_hash = defaultdict(set)
    for path, content in contents(root).items():
        by_hash[hashlib.sha256(content).hexdigest()].add(path)
    rows = truth(root)
    path_of = dict(zip(rows["name"], rows["image_path"], strict=True))
    planted = {frozenset((row["image_path"], path_of[row["copy_of"]])) for _, row in rows.iterrows() if row["copy_of"]}
    assert planted
    assert {frozenset(paths) for paths in by_hash.values() if len(paths) > 1} == planted


def test_near_duplicates_look_like_their_originals_and_are_not_the_same_bytes():
    data = small(images=60, faults=Faults(near_duplicates=1.0))
    position = {name: index for index, name in enumerate(data.table["name"])}
    seen = set()
    for index, row in data.table[data.table["origin"] == "near-copy"].iterrows():
        copy, original = data[index], data[position[row["copy_of"]]]
        assert copy.pixels.shape != original.pixels.shape or (copy.pixels != original.pixels).any()
        thumbs = [np.asarray(Image.fromarray(d.pixels).resize((16, 16)), float).ravel() for d in (original, copy)]
        if row["change"] == "flip":
            thumbs[1] = thumbs[1].reshape(16, 16)[:, ::-1].ravel()
        assert np.corrcoef(*thumbs)[0, 1] > 0.8
        assert copy.lesion_mask.shape == copy.pixels.shape and not (copy.lesion_mask & ~copy.lung_mask).any()
        seen.add(row["change"])
    assert seen == {"resize", "crop", "flip", "brightness", "re-encode"}


def test_an_unknown_change_is_refused():
    with pytest.raises(UsageError, match="'rotate'"):
        change_slightly(small(1)[0], "rotate", np.random.default_rng(0))


def test_jpeg_quality_follows_the_class_only_when_planted(tmp_path):
    def table_sums(strength):
        data = small(images=60, faults=Faults(jpeg_quality=strength))
        root = write_dataset(data, tmp_path / str(strength))
        sums = defaultdict(set)
        for _, row in truth(root).iterrows():
            with Image.open(root / row["image_path"]) as image:
                sums[row["label"]].add(sum(image.quantization[0]))
        return sums

    planted, plain = table_sums(1.0), table_sums(0.0)
    assert all(len(sums) == 1 for sums in planted.values()) and len(set.union(*planted.values())) == 3
    assert all(len(sums) > 5 for sums in plain.values())


def test_unreadable_files_are_as_the_truth_says(tmp_path):
    root = write_dataset(small(images=60, faults=Faults(unreadable=0.5)), tmp_path / "out", format="png")
    kinds = set()
    for _, row in truth(root).iterrows():
        content = (root / row["image_path"]).read_bytes()
        if row["damage"]:
            kinds.add(row["damage"])
            with pytest.raises((OSError, SyntaxError)), Image.open(BytesIO(content)) as image:
                image.load()
        else:
            with Image.open(BytesIO(content)) as image:
                image.load()
    assert kinds == {"truncated", "text", "empty"}


@pytest.mark.parametrize("occupied", ["a folder", "a file"])
def test_an_output_in_use_is_refused(tmp_path, occupied):
    out = tmp_path / "out"
    if occupied == "a folder":
        out.mkdir()
        (out / "mine.txt").write_text("keep", encoding="utf-8")
    else:
        out.write_text("keep", encoding="utf-8")
    with pytest.raises(UsageError, match=f"new or empty folder, found {occupied}"):
        write_dataset(small(2), out)
    assert (out / "mine.txt" if out.is_dir() else out).read_text(encoding="utf-8") == "keep"


def test_an_empty_folder_is_filled(tmp_path):
    (tmp_path / "out").mkdir()
    assert len(contents(write_dataset(small(2), tmp_path / "out"))) == 4


def test_a_run_that_fails_leaves_nothing_and_a_killed_one_is_cleared_away(tmp_path):
    def stop(done, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_dataset(small(2), tmp_path / "out", on_progress=stop)
    assert list(tmp_path.iterdir()) == []

    left = tmp_path / "out.partial"
    (left / "train").mkdir(parents=True)
    (left / "drawn.json").write_text("{}", encoding="utf-8")
    (left / "train" / "old.jpg").write_bytes(b"")
    root = write_dataset(small(2), tmp_path / "out")
    assert not left.exists() and not (root / "train" / "old.jpg").exists()


def test_a_folder_that_only_looks_like_a_killed_run_is_left_alone(tmp_path):
    (tmp_path / "out.partial").mkdir()
    (tmp_path / "out.partial" / "mine.txt").write_text("keep", encoding="utf-8")
    with pytest.raises(UsageError, match="Move it away"):
        write_dataset(small(2), tmp_path / "out")
    assert (tmp_path / "out.partial" / "mine.txt").exists()


def test_progress_and_refused_options(tmp_path):
    seen = []
    write_dataset(small(70), tmp_path / "out", on_progress=lambda done, total: seen.append((done, total)))
    assert seen == [(64, 70), (70, 70)]
    with pytest.raises(UsageError, match=r"format 'bmp'.*jpeg, png, dicom"):
        write_dataset(small(2), tmp_path / "other", format="bmp")
    assert not (tmp_path / "other").exists()
