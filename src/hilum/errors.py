"""Everything that hilum raises on purpose.

    HilumError              exit 4
    |-- UsageError          exit 2   an option, a recipe name, a label rule that cannot be used
    |   `-- RecipeError              a recipe that names something that does not exist
    |-- DataError           exit 4   a data root or manifest with nothing usable in it
    |-- ImageRejected       exit 3   one file that cannot be read; carries a code
    |-- ModelFileError      exit 4   a model file that is damaged or does not fit
    |-- WeightsNotFound     exit 4   pre-trained weights that were asked for and are nowhere
    |-- TrainingError       exit 4   a run that could not go on
    |   |-- CannotLearn              the network cannot even memorise sixteen images
    |   |-- Diverged                 the loss became NaN twice
    |   `-- OutOfTime                a time budget that leaves no room for one epoch
    `-- CheckFailed         exit 5   a check that was asked for (`--strict`) failed

A message is one line: what, what was expected, what was found, and the way out.
"""

from __future__ import annotations


def _in_words(what: str, expected: str, found: str, way_out: str) -> str:
    facts = ", ".join(part for part in (expected and f"expected {expected}", found and f"found {found}") if part)
    line = f"{what}: {facts}" if facts else what
    text = f"{line}. {way_out}" if way_out else line
    return " ".join(text.split())


class HilumError(Exception):
    """Root of the tree.

    Args:
        what: the file, option or thing that the message is about.
        expected: what would have been right.
        found: what was there instead.
        way_out: what the user can do next, a sentence.
    """

    exit_code = 4

    def __init__(self, what: str, *, expected: str = "", found: str = "", way_out: str = "") -> None:
        self.what, self.expected, self.found, self.way_out = what, expected, found, way_out
        super().__init__(_in_words(what, expected, found, way_out))


class UsageError(HilumError):
    """A wrong option, recipe name or label rule."""

    exit_code = 2


class RecipeError(UsageError):
    """A recipe that cannot be read or names something that does not exist."""


class DataError(HilumError):
    """A data root or manifest from which no study can be made."""


class ImageRejected(HilumError):
    """One file that cannot be used as an X-ray.

    Args:
        code: a short fixed word such as `truncated`, written to `quarantine.csv`.
    """

    exit_code = 3

    def __init__(self, code: str, what: str, *, expected: str = "", found: str = "", way_out: str = "") -> None:
        self.code = code
        super().__init__(what, expected=expected, found=found, way_out=way_out)

    def __reduce__(self) -> tuple:
        return _rebuild_rejected, (self.code, self.what, self.expected, self.found, self.way_out)


def _rebuild_rejected(code: str, what: str, expected: str, found: str, way_out: str) -> ImageRejected:
    return ImageRejected(code, what, expected=expected, found=found, way_out=way_out)


class ModelFileError(HilumError):
    """A model file that is damaged, altered, or made for other labels."""


class WeightsNotFound(HilumError):
    """Pre-trained weights were asked for and found nowhere."""


class TrainingError(HilumError):
    """A run that could not go on."""


class CannotLearn(TrainingError):
    """The network could not memorise a handful of images."""


class Diverged(TrainingError):
    """The loss became NaN again after the learning rate had been halved."""


class OutOfTime(TrainingError):
    """The time budget leaves no room for a single epoch."""


class CheckFailed(HilumError):
    """A check that the user asked for failed."""

    exit_code = 5
