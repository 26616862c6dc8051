"""Copies of pictures, against the truth of drawn data sets and against the public set when it is there."""

from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest

from hilum.audit import duplicates
from hilum.audit.likeness import SAME, likeness
from hilum.audit.neighbours import _exact, _hashed, close_pairs
from hilum.audit.pictures import CANVAS, look_at
from hilum.data.manifest import Manifest
from hilum.data.phantom import draw_dataset
from hilum.labels import LabelSet
from hilum.transforms import to_canvas

REAL = Path(__file__).parents[3] / "shared/data/chest_xray_224"


def pairs_of(finding, truth):
    """The groups of a finding as sets of drawn names."""
    names = dict(zip(truth["image_path"], truth["name"], strict=True))
    return {frozenset(names[path] for path in group) for group in finding.groups}


def test_byte_identical_files_are_found_exactly(audited):
    result, truth = audited(duplicates=0.1, seed=2)
    copies = truth[truth["origin"] == "copy"]
    (finding,) = result.audit.of("identical-files")
    left_out = set()
    for each in result.audit.of("patients-left-out"):
        left_out |= set(each.files)
    there = truth[~truth["image_path"].isin(left_out)]["name"]
    planted = {frozenset((a, b)) for a, b in zip(copies["name"], copies["copy_of"], strict=True)}
    planted = {pair for pair in planted if pair <= set(there)}
    assert pairs_of(finding, truth) == planted
    assert finding.count == len(planted)


def test_near_copies_are_found_and_those_across_splits_are_an_error(audited):
    result, truth = audited(300, near_duplicates=0.15, seed=5)
    copies = truth[truth["origin"] == "near-copy"]
    (finding,) = result.audit.of("near-duplicates")
    found = pairs_of(finding, truth)
    planted = [frozenset(pair) for pair in zip(copies["name"], copies["copy_of"], strict=True)]
    caught = [any(pair <= group for group in found) for pair in planted]
    assert np.mean(caught) >= 0.9
    easy = copies["change"].isin(["flip", "brightness", "re-encode", "resize"]).to_numpy()
    assert np.all(np.array(caught)[easy])
    (across,) = result.audit.of("duplicate-across-splits")
    assert across.severity == "error"
    split = dict(zip(result.manifest.table["image_path"], result.manifest.table["split"], strict=True))
    assert all(len({split[path] for path in group}) > 1 for group in across.groups)


def test_one_picture_under_two_labels_is_an_error(audited):
    def copy(root):
        source = next((root / "train/normal").glob("*.jpg"))
        (root / "train/bacterial/p9999_001.jpg").write_bytes(source.read_bytes())

    result, _ = audited(80, change=copy)
    (finding,) = result.audit.of("two-labels")
    assert finding.severity == "error" and finding.count == 1
    assert any(path.endswith("p9999_001.jpg") for path in finding.groups[0])


def test_other_packing_of_the_same_pixels(audited):
    def pack(root):
        source = next((root / "train/normal").glob("*.jpg"))
        picture = cv2.imread(str(source), cv2.IMREAD_GRAYSCALE)
        for name, level in (("p9998_001.png", 1), ("p9997_001.png", 9)):
            cv2.imwrite(str(root / "train/normal" / name), picture, [cv2.IMWRITE_PNG_COMPRESSION, level])

    result, _ = audited(60, change=pack)
    assert {"near-duplicates", "identical-pixels"} & {each.code for each in result.audit.findings}


def test_exact_search_against_a_plain_loop():
    codes = np.random.default_rng(0).standard_normal((300, 8)).astype(np.float32)
    codes /= np.linalg.norm(codes, axis=1, keepdims=True)
    expected = [(i, j) for i in range(300) for j in range(i + 1, 300) if codes[i] @ codes[j] > 0.8]
    assert close_pairs(codes, codes, 0.8).tolist() == [list(pair) for pair in expected]


def test_hashing_finds_what_is_very_close_and_nothing_else():
    generator = np.random.default_rng(1)
    codes = generator.standard_normal((4000, 48)).astype(np.float32)
    codes[2000:] = codes[:2000] + 0.15 * generator.standard_normal((2000, 48)).astype(np.float32)
    codes /= np.linalg.norm(codes, axis=1, keepdims=True)
    exact = {tuple(pair) for block in _exact(codes, codes, 0.9) for pair in block}
    hashed = {tuple(pair) for block in _hashed(codes, codes, 0.9) for pair in block}
    assert hashed <= exact
    assert len(hashed) >= 0.97 * len(exact) > 1900


def test_likeness_sees_a_copy_through_a_crop_and_other_films_of_one_patient_apart():
    drawn = [each.pixels for each in draw_dataset(images=12, size=224, images_per_patient=1, seed=4)]
    pictures = np.stack([cv2.resize(each, (112, 112), interpolation=cv2.INTER_AREA) for each in drawn])
    cropped = np.stack([cv2.resize(each[6:-8, 5:-4], (112, 112), interpolation=cv2.INTER_AREA) for each in drawn])
    assert np.sort(likeness(pictures, cropped))[2] > SAME  # where the crop takes a frame away, some are lost
    assert likeness(pictures, np.roll(pictures, 1, axis=0)).max() < 0.85
    assert likeness(np.zeros_like(pictures), pictures).max() == 0


@pytest.mark.skipif(not REAL.exists(), reason="the public set is not on this machine")
def test_the_public_set_holds_thirty_groups_of_identical_files(tmp_path):
    from hilum.audit.duplicates import BYTES, find_groups
    from hilum.audit.pictures import CANVAS, look_at
    from hilum.data.build import build_dataset, open_cache
    from hilum.data.sources import list_images

    manifest = build_dataset(list_images(REAL), cache_dir=tmp_path, preprocessings=[CANVAS]).manifest
    groups = find_groups(manifest, look_at(manifest, open_cache(manifest, CANVAS, tmp_path).of(manifest.table)))
    same = [group for group in groups if group.kind == BYTES]
    assert (len(same), sum(len(group.rows) for group in same)) == (30, 62)
    assert not any(len(group.splits) > 1 for group in groups)


def test_a_burst_of_one_picture_is_one_group_and_costs_few_looks(monkeypatch):
    films = [to_canvas(drawing.pixels, CANVAS) for drawing in draw_dataset(images=9, size=224, seed=1)]
    noise = np.random.default_rng(0).integers(-3, 4, (80, 224, 224))
    burst = [np.clip(films[0].astype(int) + each, 0, 255).astype(np.uint8) for each in noise]
    canvases = np.stack([*films, *burst])
    names = [f"{row}.png" for row in range(89)]
    columns = {"image_path": names, "label": "normal", "patient_id": names, "split": "train", "sha256": names}
    facts = {"source": "drawn", "view": "PA", "height": 224, "width": 224}
    manifest = Manifest(pd.DataFrame({**columns, **facts}), LabelSet.of(["normal", "viral"]), Path("drawn"), {})
    looks = []

    def counted(first, second):
        looks.append(len(first))
        return likeness(first, second)

    monkeypatch.setattr(duplicates, "likeness", counted)
    (group,) = duplicates.find_groups(manifest, look_at(manifest, canvases))
    assert set(group.rows) == {0, *range(9, 89)}
    assert sum(looks) < 1000  # of 3,240 pairs


def test_blank_pictures_are_no_copies_of_each_other(monkeypatch):
    films = [to_canvas(drawing.pixels, CANVAS) for drawing in draw_dataset(images=9, size=224, seed=1)]
    speckle = np.random.default_rng(0).integers(0, 2, (60, 224, 224))
    blank = [(level + each).astype(np.uint8) for level, each in zip(range(40, 100), speckle, strict=True)]
    canvases = np.stack([*films, films[0][:, ::-1], *blank])
    names = [f"{row}.png" for row in range(len(canvases))]
    columns = {"image_path": names, "label": "normal", "patient_id": names, "split": "train", "sha256": names}
    facts = {"source": "drawn", "view": "PA", "height": 224, "width": 224}
    manifest = Manifest(pd.DataFrame({**columns, **facts}), LabelSet.of(["normal", "viral"]), Path("drawn"), {})
    looks = []

    def counted(first, second):
        looks.append(len(first))
        return likeness(first, second)

    monkeypatch.setattr(duplicates, "likeness", counted)
    assert [set(group.rows) for group in duplicates.find_groups(manifest, look_at(manifest, canvases))] == [{0, 9}]
    assert sum(looks) < 60  # of 1,770 pairs of blank ones
