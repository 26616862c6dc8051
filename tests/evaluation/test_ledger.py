"""The one door to a test split: what went through it stays written down."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import datetime
from pathlib import Path

import pytest

from hilum.errors import DataError
from hilum.evaluation import find_broken_line, read_ledger, record_opening, record_predictions


def _open(study: Path, run: str = "cnn-small"):
    return record_opening(
        study,
        run=run,
        recipe="cnn-small",
        model_sha256="ab" * 32,
        predictions=f"{run}/predictions-test.parquet",
        images=624,
        reason="chosen on validation",
    )


OPEN_OFTEN = """
import sys, time; from pathlib import Path
from hilum.evaluation import record_opening, record_predictions
study, run, other = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
(study / f"{run}.ready").touch()
while not (study / f"{other}.ready").exists():
    time.sleep(0.001)
for _ in range(30):
    opening = record_opening(
        study, run=run, recipe="r", model_sha256="ab", predictions="p", images=1, reason="chosen on validation"
    )
    record_predictions(study, opening, run)
"""


def test_an_opening_is_on_the_disk_before_anything_is_predicted(tmp_path: Path) -> None:
    assert read_ledger(tmp_path) == ()
    opening = _open(tmp_path)
    assert read_ledger(tmp_path) == (opening,)
    assert opening.opening == 1 and opening.split == "test" and opening.predictions_sha256 == ""
    assert datetime.fromisoformat(opening.time).utcoffset() is not None
    done = record_predictions(tmp_path, opening, "cd" * 32)
    assert read_ledger(tmp_path) == (done,) and done.predictions_sha256 == "cd" * 32
    lines = [json.loads(line) for line in (tmp_path / "ledger.jsonl").read_text().splitlines()]
    assert [line["event"] for line in lines] == ["opened", "predicted"]


def test_two_processes_lose_nothing(tmp_path: Path) -> None:
    names = ("one", "two")
    commands = [[sys.executable, "-c", OPEN_OFTEN, str(tmp_path), run, other] for run, other in (names, names[::-1])]
    workers = [subprocess.Popen(command) for command in commands]
    assert [worker.wait(60) for worker in workers] == [0, 0]
    openings = read_ledger(tmp_path)
    assert [opening.opening for opening in openings] == list(range(1, 61))
    assert all(opening.predictions_sha256 == opening.run for opening in openings)
    assert find_broken_line(tmp_path) is None


def test_a_torn_line_is_no_opening_and_is_mended_by_the_next(tmp_path: Path) -> None:
    first = _open(tmp_path)
    with (tmp_path / "ledger.jsonl").open("a") as file:
        file.write('{"event": "opened", "op')
    assert read_ledger(tmp_path) == (first,)
    second = _open(tmp_path, "vit")
    assert read_ledger(tmp_path) == (first, second) and second.opening == 2
    assert find_broken_line(tmp_path) is None


@pytest.mark.parametrize("change", ["digit", "removed", "added"])
def test_a_change_shows(tmp_path: Path, change: str) -> None:
    for run in ("a", "b", "c"):
        _open(tmp_path, run)
    path = tmp_path / "ledger.jsonl"
    lines = path.read_text().splitlines(keepends=True)
    if change == "digit":
        lines[1] = lines[1].replace('"images": 624', '"images": 625')
    elif change == "removed":
        del lines[1]
    else:
        lines.insert(1, lines[0])
    path.write_text("".join(lines))
    assert find_broken_line(tmp_path) in (2, 3)


def test_lines_written_by_hand_are_read(tmp_path: Path) -> None:
    opening = _open(tmp_path)
    kept = json.loads((tmp_path / "ledger.jsonl").read_text())
    for name in ("event", "opening", "previous"):
        del kept[name]
    (tmp_path / "ledger.jsonl").write_text(json.dumps(kept) + "\n")
    assert read_ledger(tmp_path) == (opening,)


def test_what_is_no_ledger_is_refused_with_its_line(tmp_path: Path) -> None:
    opening = _open(tmp_path)
    with (tmp_path / "ledger.jsonl").open("a") as file:
        file.write("not json\n")
    with pytest.raises(DataError, match="line 2"):
        read_ledger(tmp_path)
    with pytest.raises(DataError, match="line 2"):
        _open(tmp_path)
    (tmp_path / "ledger.jsonl").write_text('{"run": "a"}\n')
    with pytest.raises(DataError, match="line 1"):
        read_ledger(tmp_path)
    (tmp_path / "ledger.jsonl").unlink()
    with pytest.raises(DataError, match="no such opening"):
        record_predictions(tmp_path, opening, "ef")
