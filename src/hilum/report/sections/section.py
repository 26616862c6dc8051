"""What a section is, and how one is made from a template."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from hilum.evaluation.values import Estimate, Evaluation
from hilum.report import words
from hilum.report.charts.intervals import plot_mark, plot_scale
from hilum.report.study_folder import Study

TEMPLATES = Path(__file__).parent.parent / "templates"


@dataclass(frozen=True)
class Section:
    """A piece of the page under a heading of its own.

    Args:
        title: the heading.
        html: what stands beneath it.
        script: of ours, that the page carries once and allows by its digest; it loads nothing.
    """

    title: str
    html: Markup
    script: str = ""


SectionMaker = Callable[[Study], Section | None]
"""None where the study has nothing to say on it."""


@cache
def environment() -> Environment:
    """The templates: every value is escaped, and an unknown name is an error."""
    made = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_visible,
    )
    made.globals.update(
        count=words.render_count,
        percent=words.render_percent,
        duration=words.render_duration,
        metric=words.render_metric,
        time=words.render_time,
        difference=words.render_difference,
        mark=lambda estimate, ends, colour="accent": plot_mark(estimate, ends, colour).mark(),
        scale=lambda ends, percent=False: plot_scale(ends, percent=percent).mark(),
        number=print_number,
        breakable=make_breakable,
        prose=make_prose,
    )
    return made


def render(template: str, **values: Any) -> Markup:
    """One template of `templates/`, filled in."""
    return Markup(environment().get_template(template).render(**values))


def print_number(estimate: Estimate, key: str, *, percent: bool = False) -> Markup:
    """A figure with its interval, and for programs its full value and what it is.

    Args:
        key: run, split and figure, such as `cnn/test/accuracy`.
    """
    value = words.render_value(estimate, percent=percent)
    interval = words.render_interval(estimate, percent=percent)
    exact = escape(repr(float(estimate.value)))
    number = Markup('<data class="value" value="{}" data-figure="{}">{}</data>').format(
        exact, words.make_visible(key), value
    )
    return number + (Markup(' <span class="interval">{}</span>').format(interval) if interval else Markup())


def make_prose(sentence: str) -> Markup:
    """A sentence in which words between back quotes are code."""
    parts = re.split(r"`([^`\n]+)`", words.make_visible(sentence))
    return Markup().join(
        Markup("<code>{}</code>").format(part) if i % 2 else escape(part) for i, part in enumerate(parts)
    )


def make_breakable(name: str) -> Markup:
    """A file name that may be broken after the signs where a reader would break it."""
    return Markup("<wbr>").join(escape(part) for part in re.split(r"(?<=[/_.-])(?=.)", words.make_visible(name)))


def name_source(study: Study) -> str:
    """The predictions file that the figures of the chosen run are computed from, with the start of its digest."""
    run = study.chosen
    evaluation = run.evaluation if run else None
    if run is None or evaluation is None:
        return ""
    digest = str(evaluation.source.get("predictions_sha256", ""))[:12]
    return f"{run.name}/predictions-{run.split}.parquet" + (f" (SHA-256 {digest}…)" if digest else "")


def evaluated(study: Study) -> Evaluation | None:
    """The evaluation that the report speaks of, where there is one."""
    return study.chosen.evaluation if study.chosen else None


def _visible(value: Any) -> Any:
    return words.make_visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value
