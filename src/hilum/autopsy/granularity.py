"""Which k of n gives a printed share, and whether one n gives all shares of a sample.

The test that is called GRIM where means are concerned: a share of n images is k/n for a whole k, and most printed
shares are none.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from hilum.autopsy.printed import SINGLE, Printed, Rule
from hilum.autopsy.values import MOST_IMAGES, Case, Figure, Finding, Report, Sample
from hilum.autopsy.wording import count, join, listed, of


@dataclass(frozen=True)
class Share:
    """A printed share of whole images.

    Args:
        printed: of the images that were right; an error rate is turned round.
        of: whose images: empty for all of the sample, a class, or `not CLASS`.
        n: their number, where it is known.
    """

    case: Case
    figure: Figure
    printed: Printed
    of: str
    n: int | None


def shares_of(case: Case) -> list[Share]:
    """The figures of a case that are k of n with an n that all models of the sample share."""
    if case.row.averaged:
        return []
    found = []
    for figure in case.figures:
        if figure.printed.spread:
            continue
        group = _group(case, figure)
        if group is not None:
            printed = figure.printed.mirrored() if figure.metric == "error" else figure.printed
            found.append(Share(case, figure, printed, group, _images(case, group)))
    return found


def _group(case: Case, figure: Figure) -> str | None:
    if figure.metric in ("accuracy", "error") or (
        figure.over == "micro" and figure.metric in ("sensitivity", "ppv", "f1")
    ):
        return ""
    over = figure.over or (case.report.positive if case.binary else "")
    if over not in case.classes:
        return None
    others = [each for each in case.classes if each != over]
    if figure.metric == "sensitivity":
        return over
    if figure.metric == "specificity":
        return others[0] if len(others) == 1 else f"not {over}"
    return None


def _images(case: Case, group: str) -> int | None:
    if not group:
        return case.sample.n
    counts = dict(zip(case.classes, case.sample.counts, strict=False))
    if group in counts:
        return counts[group]
    inside = counts.get(group.removeprefix("not "))
    return None if inside is None else sum(counts.values()) - inside


def find_no_count(share: Share, sizes: dict[str, int]) -> Iterator[Finding]:
    """`no-count` (impossible): no whole number of the known n images gives the printed share.

    Args:
        sizes: other samples of the report with their sizes, for a figure that fits one of them.
    """
    n, printed = share.n, share.printed
    if not n or len(printed.whole(n)):
        return
    low = int(printed.value * n + 1e-9)
    near = [k for k in (low, low + 1) if 0 <= k <= n]
    images = count(n, "image") if not share.of else f"{count(n, 'image')} of {share.of}"
    around = join([f"{of(k, n, printed.decimals + 1 if printed.percent else 3)}" for k in near])
    sentence = f"{share.figure.said} is no whole number of {images}: {around}."
    yield Finding(
        "no-count", "impossible", "A share that no count gives", sentence + _elsewhere(share, sizes), share.case.title
    )


def _elsewhere(share: Share, sizes: dict[str, int]) -> str:
    """Which other sample of the report the figure fits, and how easily that happens."""
    if share.of:
        return ""
    for name, n in sizes.items():
        fits = share.printed.whole(n, "rounded")
        chance = n * share.printed.step
        if n != share.n and len(fits) == 1 and chance < 0.2:
            said = {"val": "validation"}.get(name, name)
            return (
                f" It is {of(fits[0], n)}, of the {said} images of the same report; one in "
                f"{round(1 / chance):,} figures "
                "would fit them by chance."
            )
    return ""


def find_one_size(shares: Sequence[Share], sample: Sample, title: str) -> Iterator[Finding]:
    """`no-one-size` (impossible), `sizes` (note): whether one n gives all shares of one sample, by one rule.

    Args:
        shares: with unknown n, of the same images.
    """
    exact = [each for each in shares if each.printed.exact]
    texts = list(dict.fromkeys(each.printed.text for each in exact))
    if not texts:
        return
    whose = f" of {exact[0].of}" if exact[0].of else ""
    reach = sample.sizes
    found = next((sizes for rule in SINGLE if (sizes := sizes_of(exact, reach, rule))), [])
    bounded = sample.high is not None
    if found and (len(texts) > 1 or bounded):
        sentence = f"{join(texts)} can be shares of {listed(found)} images{whose}, of all numbers up to {reach[-1]:,}."
        yield Finding("sizes", "note", "Which numbers of images fit", sentence, title)
    elif not found and bounded:
        yield Finding(
            "no-one-size", "impossible", "Shares that no one sample gives", _no_size(exact, reach, whose), title
        )
    elif not found and len(texts) > 1:
        beyond = _smallest(exact)
        sentence = (
            f"No number of images{whose} up to {MOST_IMAGES:,} gives all of {join(texts)}; the smallest that does is "
            f"{beyond:,}. The report gives no number."
            if beyond
            else f"No number of images{whose} up to {50 * MOST_IMAGES:,} gives all of {join(texts)}."
        )
        yield Finding("sizes", "note", "Which numbers of images fit", sentence, title)


def _no_size(shares: Sequence[Share], reach: range, whose: str) -> str:
    texts = list(dict.fromkeys(each.printed.text for each in shares))
    span = f"No number of images{whose} from {reach[0]:,} to {reach[-1]:,} gives"
    if len(texts) == 1:
        return f"{span} {texts[0]} as a share."
    sentence = (
        f"{span} all of {join(texts)}, whether they are rounded or cut off: not all of them are shares of "
        "the same images."
    )
    beyond, loose = _smallest(shares), sizes_of(shares, reach, "any")
    more = f" The smallest number that does is {beyond:,}." if beyond else ""
    if loose:
        more += f" Only with each figure rounded by a rule of its own do {listed(loose)} fit."
    return sentence + more


def _smallest(shares: Sequence[Share]) -> int:
    """The smallest number of images of which all are shares, by one rule; 0 where there is none in reach."""
    found = [sizes[0] for rule in SINGLE[:2] if (sizes := sizes_of(shares, range(1, 50 * MOST_IMAGES), rule))]
    return min(found, default=0)


def sizes_of(shares: Sequence[Share], reach: range, rule: Rule) -> list[int]:
    """Numbers of images in reach of which every share is k/n for some k."""
    n = np.arange(reach.start, reach.stop)
    fit = np.ones(len(n), dtype=bool)
    for share in shares:
        low, high = share.printed.bounds(rule)
        fit &= np.maximum(np.ceil(low * n), 0) <= np.minimum(np.floor(high * n), n)
    return n[fit].tolist()


def find_granularity(report: Report, cases: Sequence[Case]) -> Iterator[Finding]:
    """Everything of this module, over all rows of a report."""
    shares = [share for case in cases for share in shares_of(case)]
    sizes = {name or "described": sample.n for name, sample in report.samples.items() if sample.n}
    groups: dict[tuple[str, str], list[Share]] = defaultdict(list)
    for share in shares:
        if share.n:
            yield from find_no_count(share, sizes)
        elif share.case.matrix is None:
            groups[share.case.sample_name, share.of].append(share)
    for (name, whose), members in groups.items():
        title = {"val": "validation"}.get(name, name)
        yield from find_one_size(members, _reach(report.sample(name), whose), title)


def _reach(sample: Sample, of: str) -> Sample:
    """Possible sizes of a part of a sample: any up to its own."""
    return sample if not of else Sample(1, sample.n or sample.high)


def rules_of(shares: Sequence[Share]) -> set[Rule]:
    """Single rules of rounding under which every share with a known n that fits any rule is k of n."""
    rules: set[Rule] = set(SINGLE)
    for share in shares:
        if share.n and len(share.printed.whole(share.n)):
            rules &= {rule for rule in SINGLE if share.printed.whole(share.n, rule)}
    return rules
