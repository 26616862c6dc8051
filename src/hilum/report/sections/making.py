"""How the result was made, and how to make it again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from hilum.report.sections.section import Section, render
from hilum.report.study_folder import Study
from hilum.report.words import render_duration, render_time


def make_repetition(study: Study) -> Section:
    """The command, the seed, the machine, the versions, the time of each stage."""
    facts = study.facts
    rows = [
        ("Study", facts.name),
        ("Data", facts.data),
        ("Started", render_time(facts.started)),
        ("Took", render_duration(facts.seconds)),
        ("Time budget", render_duration(facts.time_budget_s) if facts.time_budget_s else "none"),
        ("Seed", str(facts.seed)),
        ("Device", facts.device + (f", {facts.cores} cores" if facts.cores else "")),
        ("Machine", facts.machine),
        ("Data fingerprint", study.manifest.fingerprint),
    ]
    versions = {"hilum": facts.hilum, **facts.versions}
    return Section(
        "To repeat it",
        render(
            "repetition.html",
            command=facts.command,
            rows=[(name, value) for name, value in rows if value],
            stages=facts.stages,
            total=sum(stage.seconds for stage in facts.stages) or 1.0,
            versions=sorted(versions.items(), key=lambda item: item[0].casefold()),
        ),
    )


def make_recipe(study: Study) -> Section | None:
    """The resolved recipe of the chosen run, every setting."""
    run = study.chosen
    if run is None or not run.recipe:
        return None
    description = str(run.recipe.get("description", ""))
    groups: dict[str, list[tuple[str, str]]] = {}
    for path, value in flatten(run.recipe):
        group, name = _place(path)
        groups.setdefault(group, []).append((name, value))
    return Section("The recipe", render("recipe.html", groups=groups.items(), description=description))


def _place(path: str) -> tuple[str, str]:
    """The table and the name of a setting: `phases.1.lr` is `lr` of `phase 1`."""
    head, _, rest = path.partition(".")
    number, _, name = rest.partition(".")
    if number.isdigit() and name:
        return f"{head.removesuffix('s')} {number}", name
    return (head, rest) if rest else ("recipe", head)


def make_stages(study: Study) -> Section | None:
    """Which parts of the network were trained."""
    environment = study.chosen.environment if study.chosen else {}
    stages = [
        (str(each.get("name", "")), each.get("parameters"), bool(each.get("trained")))
        for each in environment.get("stages", ())
    ]
    if not stages:
        return None
    return Section(
        "The network",
        render(
            "stages.html",
            stages=stages,
            parameters=environment.get("parameters"),
            trained=environment.get("trained_parameters"),
            weights=environment.get("weights"),
            notes=[str(note) for note in environment.get("notes", ())],
        ),
    )


def flatten(document: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Nested names and numbers as (`phases.1.lr`, `0.001`), from 1; a list of plain values stays on one line."""
    if isinstance(document, Mapping):
        for name, value in document.items():
            yield from flatten(value, f"{path}.{name}" if path else str(name))
    elif isinstance(document, (list, tuple)) and any(isinstance(each, (Mapping, list, tuple)) for each in document):
        for i, value in enumerate(document, start=1):
            yield from flatten(value, f"{path}.{i}")
    else:
        yield path, _plain(document)


def _plain(value: Any) -> str:
    if isinstance(value, bool) or value is None:
        return {True: "yes", False: "no", None: "none"}[value]
    if isinstance(value, (list, tuple)):
        return ", ".join(map(_plain, value)) or "none"
    return str(value)
