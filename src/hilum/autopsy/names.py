"""What a printed name means: which figure, averaged how, of which sample."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

METRICS: dict[str, str] = {
    "balanced_accuracy": r"balanced acc(?:uracy)?|bal(?:anced)? acc|bacc|b acc",
    "accuracy": r"(?:overall |classification )?acc(?:uracy)?|correct(?:ly classified)?",
    "error": r"(?:error|misclassification) rate|error",
    "specificity": r"specificit(?:y|ies)|spec|spe|tnr|true negative rate|selectivity",
    "sensitivity": r"sensitivit(?:y|ies)|sens|sen|recalls?|rec|tpr|true positive rate|hit rate",
    "npv": r"npv|negative predictive value",
    "ppv": r"precisions?|prec|ppv|positive predictive value",
    "f1": r"f ?1(?: ?(?:score|measure))?|f (?:score|measure)|dice",
    "kappa": r"(?:cohen(?:'?s)? )?(?:kappa|κ)|cohen(?:'?s)?",
    "mcc": r"mcc|matthews(?: correlation(?: coefficient)?)?|phi",
    "auroc": r"(?:area under (?:the )?(?:roc )?curve|roc ?auc|auc ?roc|auroc|auc)",
}
"""Figure -> how reports spell it, after underscores and hyphens have become spaces."""

PLAIN = r"(?:\w+ )*(?:loss|epochs?|lr|learning rate|parameters|params|dropout|batch(?: size)?|seconds|time)"
"""Numbers that stand in tables and are no figures of merit: they are only compared with each other."""

SAMPLES = {
    "train": r"train(?:ing)?",
    "val": r"val(?:id(?:ation)?)?|dev(?:elopment)?",
    "test": r"test(?:ing)?|hold ?out",
}
AVERAGES = {"macro": r"macro|unweighted|mean|average|avg", "weighted": r"weighted", "micro": r"micro"}
_FILLERS = r"\b(?:averaged?|avg|mean|score|set|split|for|of|the|on|class|as positive|positive|value|rate)\b"


@dataclass(frozen=True)
class Name:
    """A name that was understood.

    Args:
        metric: a key of `METRICS`, or `other`.
        over: `macro`, `weighted`, `micro`, a class, or empty where the report does not say.
        sample: `train`, `val`, `test`, or empty.
    """

    metric: str
    over: str = ""
    sample: str = ""


def plain_words(text: str) -> str:
    """Lower case, one space between words, no underscores and hyphens."""
    return " ".join(re.sub(r"[_\-–:=()\[\]]+", " ", text.casefold()).split())


def understand(text: str, classes: Sequence[str] = ()) -> Name | None:
    """What a printed name means; None where no part of it names a figure.

    Args:
        classes: names of the classes; `recall normal` and `normal` alone are then shares of that class called so.
    """
    words = plain_words(text)
    over, words = _take_class(words, classes)
    sample, words = _take(SAMPLES, words)
    for metric, pattern in METRICS.items():
        if found := re.search(rf"(?<!\w)(?:{pattern})(?!\w)", words):
            rest = f"{words[: found.start()]} {words[found.end() :]}"
            average, rest = _take(AVERAGES, rest)
            rest = re.sub(_FILLERS, " ", rest).strip()
            return None if rest or _is_another(metric, average, words) else Name(metric, over or average, sample)
    if re.fullmatch(PLAIN, words):
        return Name("other", words, sample)
    left = re.sub(_FILLERS, " ", words).strip()
    return Name("sensitivity", over, sample) if over and not left else None


def _is_another(metric: str, average: str, words: str) -> bool:
    """Weighted kappa knows how far calls are off; the average precision is an area under a curve."""
    return bool((metric == "kappa" and average) or (metric == "ppv" and "average precision" in words))


def understand_sample(text: str) -> str:
    """`val` for `validation set`; any other name as it is, in lower case."""
    words = plain_words(text)
    sample, rest = _take(SAMPLES, words)
    return sample if sample and not re.sub(_FILLERS, " ", rest).strip() else text.strip().casefold()


def _take(table: dict[str, str], words: str) -> tuple[str, str]:
    for name, pattern in table.items():
        if found := re.search(rf"(?<!\w)(?:{pattern})(?!\w)", words):
            return name, f"{words[: found.start()]} {words[found.end() :]}".strip()
    return "", words


def _take_class(words: str, classes: Sequence[str]) -> tuple[str, str]:
    for name in sorted(classes, key=len, reverse=True):
        pattern = re.escape(plain_words(name))
        if found := re.search(rf"(?<!\w){pattern}(?!\w)", words):
            return name, f"{words[: found.start()]} {words[found.end() :]}".strip()
    return "", words
