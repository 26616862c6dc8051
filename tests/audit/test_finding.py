import math

import numpy as np
import pytest

from hilum.audit import Audit, Finding, read_audit
from hilum.errors import DataError
from hilum.evaluation.values import Estimate

FINDING = Finding(
    code="same-picture-two-labels",
    severity="error",
    title="One picture, two labels",
    sentence="2 pictures are filed under two classes.",
    way_out="Decide on one label each.",
    files=("a/1.png", "b/2.png"),
    groups=(("a/1.png", "b/2.png"),),
    figures={"share": Estimate(0.5, math.nan, 0.9, k=1, n=2)},
    table=({"class": "a", "images": 3},),
    count=2,
)
NOTE = Finding("size", "note", "Size", "There are few.", "Collect more.")


def test_round_trip_through_a_file(tmp_path):
    Audit((NOTE, FINDING), {"images": np.int64(2), "seconds": np.float32(0.5)}).write(tmp_path / "audit.json")
    audit = read_audit(tmp_path / "audit.json")
    back, note = audit.findings
    assert note == NOTE
    assert math.isnan(back.figures["share"].ci_low)
    assert (back.code, back.files, back.groups, back.table) == (
        FINDING.code,
        FINDING.files,
        FINDING.groups,
        FINDING.table,
    )
    assert back.figures["share"].n == 2
    assert audit.facts == {"images": 2, "seconds": 0.5}


def test_errors_come_first():
    audit = Audit((NOTE, FINDING))
    assert [each.severity for each in audit.findings] == ["error", "note"]
    assert audit.errors == (FINDING,)
    assert audit.counts() == {"error": 1, "warning": 0, "note": 1}


def test_names_two_hundred_files_at_most_and_counts_all():
    finding = Finding("x", "note", "", "", "", files=tuple(map(str, range(500))), count=500)
    assert len(finding.files) == 200
    assert finding.count == 500


def test_unknown_severity_is_refused():
    with pytest.raises(DataError, match="warning"):
        Finding("x", "fatal", "", "", "")


def test_another_file_is_refused(tmp_path):
    path = tmp_path / "audit.json"
    with pytest.raises(DataError, match="hilum audit"):
        read_audit(path)
    path.write_text('{"schema": "other/1"}')
    with pytest.raises(DataError, match="other/1"):
        read_audit(path)
