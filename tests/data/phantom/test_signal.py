"""What a simple classifier can and cannot find in drawn pictures."""

import cv2
import numpy as np

from hilum.data.phantom import FINDINGS, Faults, draw_dataset

CLASSES = ("normal", "bacterial", "viral")


def accuracy(features, labels, folds=5, penalty=0.3):
    """Cross-validated accuracy of ridge regression on one-hot labels."""
    features = np.array(features, dtype=float)
    features = (features - features.mean(axis=0)) / (features.std(axis=0) + 1e-6)
    kernel = features @ features.T / features.shape[1]
    names, target = np.unique(np.array(labels), return_inverse=True)
    fold = np.random.default_rng(0).permutation(len(target)) % folds
    right = 0
    for number in range(folds):
        train, held = fold != number, fold == number
        hot = np.eye(len(names))[target[train]] - 1 / len(names)
        weights = np.linalg.solve(kernel[np.ix_(train, train)] + penalty * np.eye(train.sum()), hot)
        right += ((kernel[np.ix_(held, train)] @ weights).argmax(axis=1) == target[held]).sum()
    return right / len(target)


def chance(labels):
    """Three standard errors above guessing."""
    share = 1 / len(set(labels))
    return share + 3 * np.sqrt(share * (1 - share) / len(labels))


def dataset(images, **options):
    return draw_dataset(images=images, images_per_patient=1.0, size=80, **options)


def lung_features(drawing):
    """Brightness by place and fine structure, inside the lungs and relative to them."""
    lung = drawing.lung_mask
    picture = (drawing.intensity - drawing.intensity[lung].mean()) / drawing.intensity[lung].std()
    fine = np.abs(picture - cv2.blur(picture, (5, 5)))
    picture, fine = (
        cv2.resize(np.where(lung, layer, 0), (8, 8), interpolation=cv2.INTER_AREA) for layer in (picture, fine)
    )
    return np.concatenate([picture.ravel(), fine.ravel()])


def border_features(drawing):
    picture = cv2.resize(drawing.intensity, (28, 28), interpolation=cv2.INTER_AREA)
    picture[4:-4, 4:-4] = 0
    return picture.ravel()


def probe(data, features):
    return accuracy([features(drawing) for drawing in data], data.table["true_label"])


def test_the_four_classes_differ_for_a_linear_classifier():
    data = dataset(160, classes=FINDINGS, difficulty=0.2, seed=4)
    assert probe(data, lung_features) > 0.55


def test_independent_pictures_give_the_class_away_to_nothing():
    data = dataset(300, classes=FINDINGS, difficulty=0.2, seed=4, independent=True)
    labels, drawings = data.table["true_label"], list(data)
    for features in (lung_features, border_features):
        assert accuracy([features(drawing) for drawing in drawings], labels) < chance(labels)


def test_what_the_margin_says_of_the_class_grows_with_the_strength_planted():
    def found(**faults):
        return probe(dataset(150, faults=Faults(**faults)), border_features)

    nothing = found()
    assert nothing < chance(list(CLASSES) * 50)
    for fault in ("marker", "border"):
        half, full = found(**{fault: 0.5}), found(**{fault: 1.0})
        assert nothing < half < full and full > nothing + 0.2


def test_a_shifted_test_set_can_be_told_from_train():
    def shift(strength):
        data = dataset(160, test_fraction=0.5, faults=Faults(shifted_test=strength))
        return accuracy([np.histogram(drawing.intensity, 16, (0, 1))[0] for drawing in data], data.table["split"])

    found = [shift(strength) for strength in (0.0, 0.5, 1.0)]
    assert found[0] < 0.6 < found[1] < found[2]


def test_lesions_are_harder_to_find_at_a_higher_difficulty():
    found = [probe(dataset(120, difficulty=difficulty), lung_features) for difficulty in (0.0, 1.0)]
    assert found[0] > found[1] + 0.15
