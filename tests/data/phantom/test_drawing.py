"""One drawn radiograph: what is on it, where the truth lies, what a seed fixes."""

import numpy as np
import pytest

from hilum.data.phantom import FINDINGS, MACHINES, Planted, draw_contact_sheet, draw_dataset, draw_image, draw_patient
from hilum.errors import UsageError


def one(finding="normal", patient=3, image=5, machine=0, difficulty=0.3, **options):
    generator = np.random.default_rng(image)
    return draw_image(draw_patient(patient), finding, MACHINES[machine], generator, difficulty, **options)


def test_the_same_seeds_give_the_same_picture_and_others_do_not():
    assert np.array_equal(one().pixels, one().pixels)
    for other in (one(image=6), one(patient=4), one(machine=1), one("viral")):
        assert other.pixels.shape != one().pixels.shape or (other.pixels != one().pixels).mean() > 0.2


def test_two_images_of_a_patient_are_more_alike_than_those_of_two_patients():
    def lungs(patient, image):
        return one(patient=patient, image=image).lung_mask

    def overlap(one_mask, other):
        return (one_mask & other).sum() / (one_mask | other).sum()

    same = [overlap(lungs(patient, 1), lungs(patient, 2)) for patient in range(12)]
    different = [overlap(lungs(patient, 1), lungs(patient + 1, 2)) for patient in range(12)]
    assert np.mean(same) > np.mean(different) + 0.02


@pytest.mark.parametrize("finding", FINDINGS)
def test_lesions_lie_inside_the_lungs_and_only_where_there_is_a_finding(finding):
    for seed in range(12):
        drawing = one(finding, patient=seed, image=seed, machine=seed % len(MACHINES))
        assert drawing.pixels.dtype == np.uint8 and drawing.pixels.shape == drawing.lung_mask.shape
        assert 0.1 < drawing.lung_mask.mean() < 0.6
        assert not (drawing.lesion_mask & ~drawing.lung_mask).any()
        assert drawing.lesion_mask.any() == (finding != "normal")
        if finding != "normal":
            left, top, right, bottom = drawing.facts.lesion_box
            inside = np.zeros_like(drawing.lesion_mask)
            inside[top:bottom, left:right] = True
            assert not (drawing.lesion_mask & ~inside).any()
            assert drawing.lesion_mask[top].any() and drawing.lesion_mask[:, right - 1].any()
        else:
            assert drawing.facts.lesion_box is None


def test_lungs_are_darker_than_the_heart_and_lighter_than_the_air_around_the_body():
    for seed in range(10):
        drawing = one(patient=seed, image=seed, machine=0)
        height, width = drawing.pixels.shape
        heart = drawing.pixels[int(0.6 * height) : int(0.7 * height), int(0.47 * width) : int(0.53 * width)]
        assert drawing.pixels[drawing.lung_mask].mean() + 60 < heart.mean()
        assert np.percentile(drawing.pixels, 1) < np.percentile(drawing.pixels[drawing.lung_mask], 5) + 5


def test_a_lesion_is_lighter_than_the_same_lung_without_it_and_fades_with_difficulty():
    for finding in FINDINGS[1:]:
        gains = []
        for difficulty in (0.0, 0.5, 1.0):
            gain = []
            for seed in range(6):
                ill = one(finding, patient=seed, image=seed, difficulty=difficulty)
                well = one("normal", patient=seed, image=seed, difficulty=difficulty)
                where = ill.lesion_mask & well.lung_mask
                gain.append(np.median(ill.intensity[where]) - np.median(well.intensity[where]))
            gains.append(np.mean(gain))
        assert gains[0] > gains[1] > gains[2] > 0


def test_the_place_of_a_consolidation_belongs_to_the_patient():
    def centre(patient, image):
        return np.argwhere(one("bacterial", patient=patient, image=image).lesion_mask).mean(axis=0)

    first, second = (np.array([centre(patient, image) for patient in range(10)]) for image in (1, 2))
    assert np.linalg.norm(first - second, axis=1).max() < 20
    assert np.median(np.linalg.norm(first - np.roll(first, 1, axis=0), axis=1)) > 30


def test_ground_glass_is_peripheral_and_on_both_sides_and_a_consolidation_on_one():
    def sides(drawing):
        middle = drawing.lesion_mask.shape[1] // 2
        halves = drawing.lesion_mask[:, :middle].sum(), drawing.lesion_mask[:, middle:].sum()
        return min(halves) / max(halves)

    def distance_from_middle(drawing):
        return np.abs(np.argwhere(drawing.lesion_mask)[:, 1] - drawing.lesion_mask.shape[1] / 2).mean()

    seeds = range(10)
    drawn = {finding: [one(finding, patient=seed, image=seed) for seed in seeds] for finding in FINDINGS[1:]}
    assert np.median([sides(drawing) for drawing in drawn["covid"]]) > 0.3
    assert max(sides(drawing) for drawing in drawn["bacterial"]) < 0.05
    far, near = (np.mean([distance_from_middle(drawing) for drawing in drawn[name]]) for name in ("covid", "viral"))
    assert far > near + 10


@pytest.mark.parametrize("size", [32, 64, 300])
def test_any_size_shows_the_same_chest(size):
    drawing = one("bacterial", size=size)
    assert max(drawing.pixels.shape) == size
    assert drawing.lung_mask.mean() == pytest.approx(one("bacterial").lung_mask.mean(), abs=0.04)
    assert drawing.lesion_mask.any()


def test_planting_a_marker_changes_the_margin_and_nothing_else():
    plain, marked = one(), one(planted=Planted(marker=3))
    changed = plain.pixels != marked.pixels
    assert changed.any()
    width = changed.shape[1]
    assert not changed[:, int(0.15 * width) : int(0.85 * width)].any()


def test_impossible_wishes_are_refused():
    with pytest.raises(UsageError, match=r"'influenza'.*one of normal, bacterial, viral, covid"):
        one("influenza")
    with pytest.raises(UsageError, match="difficulty: expected a number from 0 to 1, found 2"):
        one(difficulty=2)
    with pytest.raises(UsageError, match="32 to 4096 pixels, found 8"):
        one(size=8)


def test_the_contact_sheet_has_a_row_a_finding_and_outlines_only_when_asked():
    plain, outlined = (draw_contact_sheet(columns=2, size=64, outlines=outlines) for outlines in (False, True))
    assert plain.shape == (4 * 64, 2 * 64, 3) and plain.dtype == np.uint8
    assert (plain[..., 0] == plain[..., 1]).all()
    coloured = (outlined[..., 0] != outlined[..., 1]).any(axis=1).reshape(4, 64).any(axis=1)
    assert coloured.tolist() == [False, True, True, True]


def test_a_data_set_is_drawn_on_demand_and_the_same_each_time():
    dataset = draw_dataset(images=6, size=64)
    assert len(dataset) == 6
    again = [drawing.pixels for drawing in draw_dataset(images=6, size=64)]
    assert all(np.array_equal(dataset[index].pixels, again[index]) for index in reversed(range(6)))
