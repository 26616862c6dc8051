"""Files with planted faults, and what the look of a picture can and cannot tell."""

from pathlib import Path

import cv2
import numpy as np
import pandas as pd
from PIL import Image

from hilum.audit.files import find_file_faults
from hilum.audit.pictures import content_boxes, look_at
from hilum.data.manifest import Manifest
from hilum.data.phantom import draw_dataset
from hilum.labels import LabelSet
from hilum.transforms import Preprocessing, to_canvas

from_seed = np.random.default_rng


def pixels_of(count, seed=0, size=112):
    return [each.pixels for each in draw_dataset(images=count, size=size, seed=seed, classes=("normal", "bacterial"))]


def faults_of(pictures, quarantine=None, **columns):
    """Audits pictures `[H, W]` in memory; `columns` replace those of the manifest."""
    table = pd.DataFrame(
        {
            "label": ["normal", "viral"] * (len(pictures) // 2) + ["normal"] * (len(pictures) % 2),
            "patient_id": [str(i) for i in range(len(pictures))],
            "split": "train",
            "height": [each.shape[0] for each in pictures],
            "width": [each.shape[1] for each in pictures],
        }
    ).assign(**columns)
    canvases = np.stack([to_canvas(each, Preprocessing(image_size=112)) for each in pictures])
    names = [f"train/{row.label}/{row.Index:04}.png" for row in table.itertuples()]
    filled = {"image_path": names, "sha256": names, "source": "drawn", "view": "PA"}
    table = table.assign(**{name: value for name, value in filled.items() if name not in table})
    manifest = Manifest(table, LabelSet.of(table["label"]), Path("drawn"))
    return {each.code: each for each in find_file_faults(manifest, look_at(manifest, canvases), quarantine)}, manifest


def test_healthy_pictures_bring_nothing_but_notes():
    found, _ = faults_of(pixels_of(60))
    assert {each.severity for each in found.values()} <= {"note"}
    assert "inverted" not in found and "unlike-the-others" not in found


def test_inverted_pictures_are_found_each_and_only_they():
    pictures = pixels_of(60, seed=1)
    wrong = [3, 17, 40]
    for row in wrong:
        pictures[row] = 255 - pictures[row]
    found, manifest = faults_of(pictures)
    assert set(found["inverted"].files) == set(manifest.table["image_path"].iloc[wrong])


def test_a_set_that_is_inverted_as_a_whole_is_an_error():
    found, _ = faults_of([255 - each for each in pixels_of(40, seed=2)])
    assert found["all-inverted"].severity == "error"


def test_a_class_that_is_inverted_as_a_whole_is_an_error():
    pictures = pixels_of(60, seed=3)
    found, _ = faults_of([255 - each if row % 2 and row < 40 else each for row, each in enumerate(pictures)])
    assert found["inverted"].severity == "error" and "viral" in found["inverted"].sentence


def lateral(seed, size=112):
    """A chest from the side, roughly: one lung field, the spine behind it, the heart before it, the diaphragm below."""
    generator = from_seed(seed)
    picture = np.zeros((size, size), np.uint8)
    cv2.ellipse(picture, (size // 2, size // 2 + 8), (size // 3, size // 2), 0, 0, 360, 150, -1)
    cv2.ellipse(picture, (size // 2 - 4, size // 2 - 4), (size // 4, size // 3), 10, 0, 360, 60, -1)
    spine = int(size * generator.uniform(0.68, 0.75))
    cv2.line(picture, (spine, 0), (spine - 6, size), 200, int(size * 0.09))
    cv2.ellipse(picture, (int(size * 0.36), int(size * 0.62)), (size // 7, size // 8), 20, 0, 360, 190, -1)
    cv2.ellipse(picture, (size // 2, size), (size // 2, size // 4), 0, 180, 360, 200, -1)
    return cv2.GaussianBlur(picture + generator.integers(0, 20, picture.shape).astype(np.uint8), (0, 0), 2)


def test_other_things_than_frontal_chests_stand_out():
    """Power on what can be drawn: a picture turned by a quarter, noise, and most of the rough side views."""
    pictures = pixels_of(80, seed=4)
    turned, noise, sides = [5, 6], [20, 21], list(range(40, 48))
    for row in turned:
        pictures[row] = np.rot90(pictures[row]).copy()
    for row in noise:
        pictures[row] = cv2.GaussianBlur(from_seed(row).integers(0, 255, (112, 112)).astype(np.uint8), (0, 0), 6)
    for row in sides:
        pictures[row] = lateral(row)
    found, manifest = faults_of(pictures)
    names = manifest.table["image_path"]
    odd = set(found["unlike-the-others"].files) | set(found["inverted"].files if "inverted" in found else ())
    assert set(names.iloc[noise]) <= odd
    assert len(odd - set(names.iloc[[*turned, *noise, *sides]])) == 0
    assert len(odd & set(names.iloc[sides])) >= 5


def test_lateral_views_by_header():
    views = ["PA"] * 38 + ["LL", "LATERAL"]
    found, manifest = faults_of(pixels_of(40), view=views)
    assert found["lateral-views"].files == tuple(manifest.table["image_path"].iloc[38:])


def test_blank_burnt_out_and_odd_shapes():
    pictures = pixels_of(40, seed=6)
    pictures[0] = np.full((112, 112), 90, np.uint8)
    pictures[1] = np.clip(pictures[1].astype(int) * 1.7 + 60, 0, 255).astype(np.uint8)
    pictures[2] = pictures[2][:40]
    found, manifest = faults_of(pictures)
    names = manifest.table["image_path"]
    assert found["blank"].files == (names[0],)
    assert found["saturated"].files == (names[1],)
    assert found["odd-shape"].files == (names[2],)


def test_header_facts_become_findings():
    count = 40
    columns = {
        "format": ["JPEG"] * 30 + ["PNG"] * 10,
        "mode": "L",
        "bits": [8] * 30 + [16] * 10,
        "orientation": [1] * 38 + [6] * 2,
        "warnings": ["damaged"] + [""] * 38 + ["colour-discarded"],
    }
    found, _ = faults_of(pixels_of(count), **columns)
    assert found["mixed-files"].count == 2 and "PNG" in found["mixed-files"].sentence
    assert found["sixteen-bit"].count == 10
    assert found["turned-by-exif"].count == 2
    assert found["suspicious-files"].severity == "warning" and found["suspicious-files"].count == 2


def test_unreadable_files_come_from_the_quarantine():
    quarantine = pd.DataFrame(
        [("a.jpg", "truncated", "x"), ("b.jpg", "no-label", "x"), ("c.jpg", "patient-in-test", "x")],
        columns=["image_path", "code", "reason"],
    )
    found, _ = faults_of(pixels_of(40), quarantine)
    assert found["unreadable"].files == ("a.jpg",) and found["unreadable"].severity == "warning"
    assert found["unlabelled"].files == ("b.jpg",)
    many = pd.DataFrame([(f"{i}.jpg", "empty", "") for i in range(30)], columns=quarantine.columns)
    assert faults_of(pixels_of(40), many)[0]["unreadable"].severity == "error"


def test_damaged_files_on_disk(audited):
    def spoil(root):
        pictures = sorted((root / "train/normal").glob("*.jpg"))
        pictures[0].write_bytes(b"")
        exif = Image.Exif()
        exif[0x0112] = 3
        Image.open(pictures[1]).rotate(180).save(pictures[1], exif=exif)

    result, _truth = audited(80, change=spoil)
    assert result.rejected == 1
    assert result.audit.of("unreadable")[0].count == 1
    assert result.audit.of("turned-by-exif")[0].count == 1


def test_the_box_of_a_picture_is_where_the_canvas_has_it():
    shapes = [(50, 80), (80, 50), (64, 64), (33, 97)]
    canvases = [to_canvas(np.full(shape, 200, np.uint8), Preprocessing(image_size=112)) for shape in shapes]
    table = pd.DataFrame(shapes, columns=["height", "width"])
    for canvas, (top, bottom, left, right) in zip(canvases, content_boxes(table, 112), strict=True):
        assert canvas[top:bottom, left:right].min() == 200
        assert (canvas > 0).sum() == (bottom - top) * (right - left)
