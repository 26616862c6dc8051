"""How often the test split was opened, when, and by what."""

from __future__ import annotations

from hilum.report.sections.section import Section, render
from hilum.report.study_folder import Study
from hilum.report.words import join_words, render_times


def make_ledger(study: Study) -> Section:
    """Every line of the ledger."""
    return Section("The ledger", render("ledger.html", openings=study.ledger, sentence=_describe_all(study)))


def _describe_all(study: Study) -> str:
    others = study.facts.other_openings
    if not others:
        return _describe(study)
    looks = sum(int(each["openings"]) for each in others)
    listed = join_words([f"{each['study']} ({render_times(int(each['openings']))})" for each in others])
    most = max(int(each["shared"]) for each in others)
    return (
        f"{_describe(study)} But other studies beside this one opened the same images {render_times(looks)}: {listed}; "
        f"up to {most:,} of the {int(others[0]['images']):,} test images. Whoever saw those figures before choosing "
        "what to do here sees a figure that is too good, by an amount that nobody can tell afterwards."
    )


def _describe(study: Study) -> str:
    openings = [opening for opening in study.ledger if opening.split == "test"]
    if not openings:
        return "The test split was never opened: no test figure was seen by anyone, and none is shown here."
    runs = {opening.run for opening in openings}
    models = {opening.model_sha256 for opening in openings}
    start = f"The test split was opened {render_times(len(openings))}"
    if len(openings) == 1:
        return f"{start}, by {openings[0].run}: its figure is that of a split that nothing was chosen by."
    if len(runs) == 1 and len(models) == 1:
        return f"{start}, each time by the same model of the run {openings[0].run}: nothing could be chosen by it."
    return (
        f"{start}, by {len(models)} different models. Whoever picks the best of several looks at the same test split "
        "sees a figure that is too good; a new test split would be needed to say by how much."
    )
