"""`hilum predict --dicom-out`, and the options of `hilum serve` that belong together."""

import json

import pytest
from pydicom import dcmread

from hilum.cli.main import main
from hilum.errors import UsageError
from hilum.serving.dicom_out.front import dicom_node, serve_dicom


@pytest.fixture
def folder(tmp_path, dicom, pictures):
    """Two DICOM images, one without a study, a PNG, and rubbish."""
    place = tmp_path / "in"
    place.mkdir()
    for number in (1, 2):
        (place / f"{number}.dcm").write_bytes(dicom(number))
    (place / "3.dcm").write_bytes(dicom(3, StudyInstanceUID=None))
    (place / "4.png").write_bytes((pictures / "00.png").read_bytes())
    (place / "5.dcm").write_bytes(b"rubbish")
    return place


def run(*arguments: object) -> int:
    """The exit code of a command."""
    with pytest.raises(SystemExit) as ended:
        main([str(each) for each in arguments])
    return ended.value.code


@pytest.mark.parametrize("more", [[], ["--untrusted"]])
def test_predict_writes_two_objects_an_image(more, folder, model_file, tmp_path, capsys):
    out = tmp_path / "answers"
    code = run("predict", model_file, folder, "--dicom-out", out, "--device", "cpu", *more)
    assert code == 3  # the rubbish
    told = capsys.readouterr().err
    assert "DICOM answers for 2" in told and "1 no-dicom" in told and "1 no-study" in told
    found = [dcmread(path) for path in sorted(out.iterdir())]
    assert sorted(each.Modality for each in found) == ["OT", "OT", "SR", "SR"]
    assert {each.PatientID for each in found} == {"P-1", "P-2"}


def test_the_answers_do_not_depend_on_the_way(folder, model_file, tmp_path, answer):
    assert run("predict", model_file, folder / "1.dcm", "--dicom-out", tmp_path / "a", "--device", "cpu") == 0
    expected = answer((folder / "1.dcm").read_bytes()).files()
    assert {path.name: path.read_bytes() for path in (tmp_path / "a").iterdir()} == expected


def test_an_exported_model_is_told_of_first(folder, exports, tmp_path, capsys):
    assert run("predict", exports["onnx"], folder, "--dicom-out", tmp_path / "a") == 2
    assert "--dicom-out" in capsys.readouterr().err and not (tmp_path / "a").exists()


def test_a_missing_package_is_a_line(monkeypatch, model_file, tmp_path):
    monkeypatch.setattr("hilum.serving.dicom_out.front.find_spec", lambda name: None)
    with pytest.raises(UsageError, match="dicom-net"), serve_dicom(model_file, port=0, node="A@b:1", outbox=tmp_path):
        pass


def test_the_options_of_the_node_belong_together(model_file, tmp_path, capfd):
    with dicom_node(model_file, {"port": None, "node": None, "outbox": None}) as node:
        assert node is None
    with pytest.raises(UsageError, match="no --dicom-outbox"):
        dicom_node(model_file, {"port": 0, "node": "A@127.0.0.1:104", "outbox": None})
    wishes = {"port": 0, "node": "A@127.0.0.1:104", "outbox": tmp_path / "outbox", "title": "ME", "host": "127.0.0.1"}
    with dicom_node(model_file, wishes, device="cpu") as node:
        assert node.port > 0
    lines = [json.loads(line) for line in capfd.readouterr().err.splitlines()]
    assert [line["dicom"] for line in lines] == ["listening", "closed"] and lines[0]["title"] == "ME"
