"""The page as its readers meet it: structure, safety, and every number the evaluation's own."""

import base64
import hashlib
import itertools
import json
import re
import shutil
from dataclasses import dataclass, field, replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
from PIL import Image

from hilum.data.manifest import read_manifest
from hilum.errors import DataError
from hilum.evaluation.ledger import read_ledger, record_opening
from hilum.evaluation.values import read_evaluations
from hilum.report import describe_study, write_report
from hilum.report.words import SHARES, render_interval, render_value

VOID = {"meta", "link", "img", "br", "hr", "input", "wbr"}
HOSTILE_LABELS = ('normal<script>document.title="pwned"</script>', '" onmouseover="document.title=1')
HOSTILE_NAMES = ('train/<img src=x onerror=document.title="pwned">.jpg', "train/\u202egpj.png", "a&amp;b/\"quoted'.png")
HOSTILE_FACTS = {
    "name": "<svg onload=document.title='pwned'>",
    "command": "hilum study '</style></title><script>document.title=\"pwned\"</script>'",
}


@dataclass
class Element:
    tag: str
    attributes: dict[str, str]
    parent: "Element | None" = None
    text: str = ""
    children: list["Element"] = field(default_factory=list)

    def has(self, name: str) -> bool:
        return bool(self.attributes.get(name, "").strip())

    def inside(self, tag: str) -> bool:
        return self.parent is not None and (self.parent.tag == tag or self.parent.inside(tag))


class Page(HTMLParser):
    """A page as a flat list of elements; `text` of an element holds that of its descendants."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[Element] = []
        self.open: list[Element] = []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        parent = self.open[-1] if self.open else None
        element = Element(tag, {name: value or "" for name, value in attrs}, parent)
        if parent:
            parent.children.append(element)
        self.elements.append(element)
        if tag not in VOID:
            self.open.append(element)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        assert self.open and self.open[-1].tag == tag, f"</{tag}> closes <{self.open[-1].tag if self.open else None}>"
        self.open.pop()

    def handle_data(self, data):
        for element in self.open:
            element.text += data

    def all(self, *tags: str) -> list[Element]:
        return [element for element in self.elements if element.tag in tags]

    def one(self, tag: str) -> Element:
        (found,) = self.all(tag)
        return found


@pytest.fixture(scope="module")
def studies(make_study):
    """Drawn studies of every kind, each with its page."""
    plans = {
        "three": {},
        "binary": {"labels": ("NORMAL", "PNEUMONIA"), "drawn": False, "images": {"train": 6, "val": 20, "test": 60}},
        "no-test": {"test": False, "runs": (("cnn-small", "done"),)},
        "no-run": {"test": False, "runs": (("cnn-small", "failed"), ("vit-tiny", "skipped"))},
        "collapsed": {"runs": (("vit-tiny", "collapsed"),), "drawn": False},
        "hostile": {"labels": HOSTILE_LABELS, "names": HOSTILE_NAMES, "facts": HOSTILE_FACTS},
    }
    made = {name: make_study(**plan) for name, plan in plans.items()}
    return {name: (folder, Page(write_report(folder).read_text(encoding="utf-8"))) for name, folder in made.items()}


KINDS = ("three", "binary", "no-test", "no-run", "collapsed", "hostile")


@pytest.mark.parametrize("kind", KINDS)
def test_headings_follow_each_other_without_a_gap(studies, kind):
    levels = [int(heading.tag[1]) for heading in studies[kind][1].all("h1", "h2", "h3", "h4")]

    assert levels.count(1) == 1 and levels[0] == 1
    assert all(after <= before + 1 for before, after in itertools.pairwise(levels))


@pytest.mark.parametrize("kind", KINDS)
def test_a_screen_reader_finds_its_way(studies, kind):
    page = studies[kind][1]

    assert [len(page.all(tag)) for tag in ("main", "nav", "header", "footer")] == [1, 1, 1, 1]
    assert all(image.has("alt") for image in page.all("img"))
    for figure in page.all("svg"):
        named = figure.attributes.get("role") == "img" and any(c.tag == "title" and c.text for c in figure.children)
        assert named or figure.attributes.get("aria-hidden") == "true"
    for table in page.all("table"):
        assert any(child.tag == "caption" and child.text.strip() for child in table.children)
    assert all(cell.attributes.get("scope") in ("row", "col") for cell in page.all("th"))
    assert all(element.has("aria-label") for element in page.elements if "tabindex" in element.attributes)


@pytest.mark.parametrize("kind", KINDS)
def test_links_lead_somewhere_and_ids_are_unique(studies, kind):
    page = studies[kind][1]
    ids = [element.attributes["id"] for element in page.elements if "id" in element.attributes]
    links = [link.attributes["href"] for link in page.all("a")]
    pointers = [link[1:] for link in links if link.startswith("#")]
    pointers += [e.attributes["aria-labelledby"] for e in page.elements if "aria-labelledby" in e.attributes]

    beside = ("checklist.html", "/model-card.md")  # what hilum writes with the page
    assert all(link.startswith("#") or link.endswith(beside) for link in links)
    assert len(ids) == len(set(ids))
    assert pointers and set(pointers) <= set(ids)


@pytest.mark.parametrize("kind", KINDS)
def test_the_page_loads_and_runs_nothing(studies, kind):
    folder, page = studies[kind]
    html = (folder / "report.html").read_text(encoding="utf-8")

    assert not page.all("script", "iframe", "object", "embed", "form", "base")
    for element in page.elements:
        assert not any(name.startswith("on") or name in ("style", "srcset") for name in element.attributes), element.tag
        for name in (
            "src",
            "xlink:href",
            *(("href",) if element.tag != "a" else ()),
        ):  # links load nothing by themselves
            assert element.attributes.get(name, "#").startswith(("#", "data:")), element.attributes
    assert "url(" not in html and "@import" not in html


@pytest.mark.parametrize("kind", KINDS)
def test_the_policy_allows_this_style_sheet_and_nothing_else(studies, kind):
    page = studies[kind][1]
    (policy,) = [m.attributes["content"] for m in page.all("meta") if m.attributes.get("http-equiv")]
    digest = base64.b64encode(hashlib.sha256(page.one("style").text.encode()).digest()).decode()

    assert policy.split("; ") == [
        "default-src 'none'",
        f"style-src 'sha256-{digest}'",
        "img-src data:",
        "base-uri 'none'",
        "form-action 'none'",
    ]


@pytest.mark.parametrize("kind", ["three", "binary", "no-test", "collapsed", "hostile"])
def test_every_printed_figure_is_the_evaluations(studies, kind):
    folder, page = studies[kind]
    chosen = json.loads((folder / "study.json").read_text())["chosen_run"]
    figures = page.all("data")

    keys = [figure.attributes["data-figure"] for figure in figures]
    assert sum(key.startswith(f"{chosen}/") for key in keys) > 20
    for figure, key in zip(figures, keys, strict=True):
        estimate, name = _look_up(folder, key)
        assert float(figure.attributes["value"]) == pytest.approx(estimate.value, rel=1e-12, nan_ok=True)
        assert figure.text == render_value(estimate, percent=name in SHARES)
        interval = render_interval(estimate, percent=name in SHARES)
        assert interval == "" or interval in figure.parent.text


def test_the_headline_holds_the_test_figure_with_its_interval(studies):
    folder, page = studies["binary"]
    evaluation = read_evaluations(folder / "finetuned-small" / "metrics.json")["test"]
    auroc, accuracy = evaluation.overall["auroc"], evaluation.overall["accuracy"]

    sentence = " ".join(page.one("h1").text.split())
    assert sentence.startswith("finetuned-small reaches an AUROC of ") and " for PNEUMONIA against NORMAL, " in sentence
    assert f"{render_value(auroc)} {render_interval(auroc)}".replace("\u00a0", " ") in sentence
    assert f"{render_value(accuracy, percent=True)} {render_interval(accuracy, percent=True)}".split()[0] in sentence
    assert sentence.endswith("of 120 test images.")
    (title,) = [" ".join(element.text.split()) for element in page.all("title") if element.inside("head")]
    assert title == sentence == describe_study(folder).replace("\u00a0", " ")


def test_the_headline_says_when_it_is_worth_less(studies):
    assert studies["three"][1].one("h1").text.startswith("On drawn X-rays, not real ones, ")
    assert "drawn" not in studies["binary"][1].one("h1").text
    assert "on validation only (optimistic)" in studies["no-test"][1].one("h1").text
    assert "validation" not in studies["three"][1].one("h1").text


def test_a_collapsed_run_takes_the_place_of_the_headline(studies):
    folder, page = studies["collapsed"]
    verdicts = read_evaluations(folder / "vit-tiny" / "metrics.json")["test"].verdicts

    assert verdicts and verdicts[0].severity == "error"
    assert page.one("h1").text == "These figures are worth nothing as they stand."
    assert verdicts[0].sentence in page.one("main").text


def test_a_study_without_any_result_says_so(studies):
    page = studies["no-run"][1]

    assert page.one("h1").text.endswith("no run of this study gave a model worth evaluating: 1 failed and 1 skipped.")
    assert "The loss became NaN twice." in page.one("main").text
    assert not page.all("data")


@pytest.mark.parametrize("kind", KINDS)
def test_what_it_must_not_be_used_for_stands_before_any_chapter(studies, kind):
    before = studies[kind][1].one("main").text.split("The data")[0]

    assert "This is not a medical device." in before and "must not be used to diagnose" in before


def test_hostile_names_are_text(studies):
    folder, page = studies["hostile"]
    html = (folder / "report.html").read_text(encoding="utf-8")
    text = page.one("main").text

    assert "<script" not in html and "<img src=x" not in html and "<svg onload" not in html
    assert HOSTILE_LABELS[0] in text and HOSTILE_LABELS[1] in text
    assert HOSTILE_FACTS["command"] in text
    assert "\u202e" not in html and "\\u202egpj.png" in text


def test_words_between_back_quotes_are_code_and_nothing_more(make_study):
    folder = make_study(facts={"warnings": ["Name `a <b>` or `c`."]}, runs=(("cnn-small", "done"),))

    assert "Name <code>a &lt;b&gt;</code> or <code>c</code>." in write_report(folder).read_text(encoding="utf-8")


def test_the_order_is_result_data_runs_chosen_test_making_notes(studies):
    titles = [heading.text for heading in studies["three"][1].all("h2") if heading.has("id")]

    assert titles == [
        "Before you read on",
        "The data",
        "The runs compared",
        "The chosen run",
        "How often the test split was opened",
        "How it was made",
        "How to read the figures",
    ]


def test_counts_patients_and_quarantine_are_those_of_the_files(studies):
    folder, page = studies["three"]
    manifest = read_manifest(folder / "manifest.parquet")
    counts = next(table for table in page.all("table") if "Images per class" in table.text)
    rows = [[cell.text for cell in row.children] for row in counts.children[2].children]

    for label, row in zip(manifest.labels, rows, strict=False):
        expected = [*manifest.counts()[label], manifest.counts()[label].sum()]
        assert row[0] == label and [int(re.match(r"[\d,]+", cell)[0]) for cell in row[1:]] == expected
    assert [int(cell) for cell in rows[-1][1:]] == [12, 18, 21, 51]
    assert "bad/ü.jpg" in page.one("main").text and "1 × truncated" in page.one("main").text


def test_the_matrix_prints_counts_and_row_shares(studies):
    folder, page = studies["three"]
    evaluation = read_evaluations(folder / "finetuned-small" / "metrics.json")["test"]
    matrix = next(table for table in page.all("table") if "matrix" in table.attributes.get("class", ""))
    cells = [[cell.children for cell in row.children if cell.tag == "td"] for row in matrix.children[2].children]

    assert [[int(cell[0].text) for cell in row] for row in cells] == [list(row) for row in evaluation.confusion]
    assert cells[0][0][1].text == f"{100 * evaluation.confusion[0][0] / sum(evaluation.confusion[0]):.0f}\u00a0%"


def test_the_surest_mistakes_are_shown_surest_first(make_study):
    folder = make_study(skill=0.8, images={"train": 4, "val": 20, "test": 30})
    page = Page(write_report(folder).read_text(encoding="utf-8"))
    captions = [caption.text for caption in page.all("figcaption") if caption.text.startswith("called")]
    stated = [int(re.search(r"(\d+)\u00a0%", caption)[1]) for caption in captions]
    wrong = [caption for caption in captions if _called(caption) != _is(caption)]

    assert len(wrong) == 12 and captions[:12] == wrong
    assert stated[:12] == sorted(stated[:12], reverse=True)


def test_pictures_keep_their_aspect_ratio(studies):
    folder, page = studies["three"]
    manifest = read_manifest(folder / "manifest.parquet")
    sizes = {row.image_path: row.width / row.height for row in manifest.table.itertuples()}
    shown = [image for image in page.all("img") if "labelled" in image.attributes["alt"]]

    assert len(shown) > 18
    for image in shown:
        name = next(name for name in sizes if name in image.attributes["alt"])
        ratio = int(image.attributes["width"]) / int(image.attributes["height"])
        assert ratio == pytest.approx(sizes[name], rel=0.02)


def test_pictures_that_are_gone_changed_or_broken_are_sentences(make_study):
    folder = make_study(runs=(("cnn-small", "done"),), skill=0.5)
    root = read_manifest(folder / "manifest.parquet").root
    for i, path in enumerate(sorted(root.rglob("test/**/*.png"))):
        if i % 3 == 0:
            path.unlink()
        elif i % 3 == 1:
            path.write_bytes(path.read_bytes()[:60])
        else:
            Image.open(path).rotate(180).save(path)

    text = write_report(folder).read_text(encoding="utf-8")

    assert "This picture is no longer where the study found it." in text
    assert "This picture can no longer be read" in text
    assert "The file has changed since the study." in text


def test_a_study_whose_pictures_are_all_gone_still_has_a_page(studies, tmp_path):
    folder = _copy(studies["three"][0], tmp_path)
    manifest = read_manifest(folder / "manifest.parquet")
    replace(manifest, root=tmp_path / "elsewhere").write(folder / "manifest.parquet")

    text = write_report(folder).read_text(encoding="utf-8")

    assert "No picture of this class can be shown." in text and "<img" not in text


def test_files_that_a_run_lacks_are_missed_but_not_fatal(studies, tmp_path):
    folder = _copy(studies["three"][0], tmp_path)
    optional = ["history.csv", "recipe.json", "environment.json", "predictions-test.parquet", "metrics.json"]
    for name in optional:
        (folder / "finetuned-small" / name).unlink()
        assert "finetuned-small" in write_report(folder).read_text(encoding="utf-8")
    for name in ["leaderboard.csv", "quarantine.csv", "ledger.jsonl"]:
        (folder / name).unlink()
        write_report(folder)


def test_how_often_the_test_split_was_opened(make_study):
    twice = make_study(openings=2, runs=(("cnn-small", "done"),))
    page = Page(write_report(twice).read_text(encoding="utf-8"))

    assert "The test split was opened twice, by 2 different models." in page.one("main").text
    assert "The test split was opened twice; each further look" in page.one("main").text


def test_later_looks_at_the_same_model_take_nothing_from_its_figure(make_study):
    study = make_study(runs=(("cnn-small", "done"),))
    (first,) = read_ledger(study)
    later = {name: getattr(first, name) for name in ("run", "recipe", "model_sha256", "images")}
    record_opening(study, **later, predictions="cnn-small/inspection/x.parquet", reason="k-NN on the embedding")
    text = Page(write_report(study).read_text(encoding="utf-8")).one("main").text

    assert "a later look at the same model chose nothing" in text and "each further look" not in text


def test_a_ledger_that_was_touched_is_named(studies, tmp_path):
    folder = _copy(studies["three"][0], tmp_path)
    ledger = folder / "ledger.jsonl"
    ledger.write_text(ledger.read_text().replace("chosen on validation", "chosen by nobody"))

    assert "The ledger was changed after it was written: see its line 2." in write_report(folder).read_text(
        encoding="utf-8"
    )


def test_a_patient_in_two_splits_is_said_in_the_first_place(studies, tmp_path):
    folder = _copy(studies["three"][0], tmp_path)
    manifest = read_manifest(folder / "manifest.parquet")
    table = manifest.table.copy()
    table.loc[table["split"] == "test", "patient_id"] = "train-0-0"
    manifest.with_table(table).write(folder / "manifest.parquet")

    assert "1\u00a0patient stands in more than one split" in write_report(folder).read_text(encoding="utf-8")


def test_the_same_study_gives_the_same_page_wherever_it_lies(studies, tmp_path):
    folder = studies["three"][0]

    assert write_report(_copy(folder, tmp_path)).read_bytes() == (folder / "report.html").read_bytes()


def test_the_page_is_small_and_written_whole(studies, make_study):
    labels = tuple(f"class number {i} with a rather long name" for i in range(8))
    large = make_study(labels=labels, images={"train": 20, "val": 10, "test": 20}, skill=1.0)

    assert write_report(large).stat().st_size < 3e6
    assert not list(large.glob("*.partial"))
    assert all((folder / "report.html").stat().st_size < 1e6 for folder, _ in studies.values())


def test_a_folder_without_a_study_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"study\.json: expected .* found no such file"):
        write_report(tmp_path)
    assert not (tmp_path / "report.html").exists()


def _copy(study: Path, to: Path) -> Path:
    return shutil.copytree(study, to / "study")


def _look_up(folder: Path, key: str):
    """The estimate that a printed figure stands for, and the name of the figure."""
    run, split, rest = key.split("/", 2)
    evaluation = read_evaluations(folder / run / "metrics.json")[split]
    if rest in evaluation.overall:
        return evaluation.overall[rest], rest
    label, name = rest.rsplit("/", 1)
    return getattr(next(entry for entry in evaluation.per_class if entry.label == label), name), name


def _called(caption: str) -> str:
    return re.search(r"called\s+(.+?)\s+\d+\u00a0%", caption)[1]


def _is(caption: str) -> str:
    return re.search(r"\bis\s+(\S+)", caption)[1]
