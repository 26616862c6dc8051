"""Many inputs through one model: nothing stops them, nothing is lost, nothing comes twice."""

import csv
import json
import signal
import subprocess
import sys
import time
import zipfile

import numpy as np
import pytest

import hilum
from hilum.errors import DataError, ImageRejected, ModelFileError, UsageError
from hilum.serving import box, stream
from hilum.serving.inputs import find_sources, open_sources
from hilum.serving.predictor import Predictor


def cli(*arguments, **kwargs):
    command = [sys.executable, "-m", "hilum", "predict", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, **kwargs)


@pytest.mark.parametrize("kind", ["safetensors", "onnx", "openvino"])
def test_a_folder_gives_an_outcome_an_image_in_order(model_file, exports, pictures, kind):
    model = exports.get(kind, model_file)
    outcomes = list(hilum.predict(pictures, model=model))
    assert [outcome.name for outcome in outcomes] == [str(each) for each in sorted(pictures.iterdir())]
    assert [each.rejected.code for each in outcomes if each.rejected] == ["not-an-image", "empty"]
    predictor = Predictor.load(model_file)
    for outcome in outcomes[:38:7]:
        alone = predictor.predict(outcome.name)
        np.testing.assert_allclose(list(outcome.prediction.probs.values()), list(alone.probs.values()), atol=1e-5)


def test_batch_size_and_threads_change_nothing(model_file, pictures):
    predictor = Predictor.load(model_file)
    files, _ = find_sources([pictures])

    def rows(**options):
        found = stream.predict_many(predictor, open_sources(files), **options)
        return [
            (each.name, each.prediction and [round(p, 5) for p in each.prediction.probs.values()]) for each in found
        ]

    expected = rows(batch_size=1, threads=1)
    assert rows(batch_size=7, threads=4) == expected and rows(batch_size=500) == expected


def test_only_a_few_images_are_open_at_a_time(model_file, pictures):
    predictor = Predictor.load(model_file)
    files, _ = find_sources([pictures])
    asked = []

    def sources():
        for source in open_sources(list(files) * 1):
            asked.append(source.name)
            yield source

    outcomes = stream.predict_many(predictor, sources(), batch_size=2, threads=1)
    next(outcomes)
    assert len(asked) <= stream.AHEAD * 2
    outcomes.close()


def test_archives_are_taken_apart(model_file, pictures, tmp_path):
    with zipfile.ZipFile(tmp_path / "some.zip", "w") as archive:
        for name in ("03.png", "38.jpg"):
            archive.write(pictures / name, f"inside/{name}")
    outcomes = list(hilum.predict(tmp_path, model=model_file))
    assert [each.name for each in outcomes] == [f"{tmp_path / 'some.zip'}!inside/{n}" for n in ("03.png", "38.jpg")]
    plain = Predictor.load(model_file).predict(pictures / "03.png")
    assert outcomes[0].prediction.probs == pytest.approx(plain.probs) and outcomes[1].rejected.code == "not-an-image"


def test_untrusted_files_decode_elsewhere_with_the_same_result(model_file, pictures):
    trusted = [each.to_json() for each in hilum.predict(pictures, model=model_file)]
    untrusted = [each.to_json() for each in hilum.predict(pictures, model=model_file, untrusted=True)]
    assert [each["code"] for each in untrusted] == [each["code"] for each in trusted]
    assert [each["label"] for each in untrusted] == [each["label"] for each in trusted]


def test_what_the_gate_refuses_is_rejected_unless_forced(model_file, pictures):
    class Gate:
        threshold = 0.5

        def score(self, embedding, canvas):
            assert embedding.shape[0] == len(canvas)
            return np.array([each.mean() > 0 for each in canvas], float)

    predictor = Predictor.load(model_file)
    predictor.gate = Gate()
    with pytest.raises(
        ImageRejected, match=r"a picture unlike them \(score 1.00, refused above 0.50\).*--force"
    ) as caught:
        predictor.predict(pictures / "00.png")
    assert caught.value.code == "not-a-chest-xray"
    forced = predictor.predict(pictures / "00.png", force=True)
    assert "not-a-chest-xray" in forced.warnings and forced.gate_score == 1.0
    dark = predictor.predict(np.zeros((40, 40), np.uint8))
    assert dark.gate_score == 0.0 and dark.gate_threshold == 0.5 and dark.label


def test_what_a_header_speaks_against_is_rejected_unless_forced(model_file):
    from dataclasses import replace

    from hilum.images import read_image, to_png

    image = read_image(to_png(np.tile(np.arange(64, dtype=np.uint8), (64, 1))))
    ct = replace(image, acquisition=replace(image.acquisition, modality="CT"))
    predictor = Predictor.load(model_file)
    with pytest.raises(ImageRejected, match="computed tomography"):
        predictor.predict(ct)
    assert "modality" in predictor.predict(ct, force=True).warnings


def test_a_pydicom_dataset_is_an_image(model_file, tmp_path):
    from pydicom import dcmread

    from hilum.data.phantom import draw_dataset, write_dataset

    write_dataset(draw_dataset(images=2, size=64), tmp_path / "d", format="dicom")
    path = next((tmp_path / "d").rglob("*.dcm"))
    predictor = Predictor.load(model_file)
    assert predictor.predict(dcmread(path)).probs == pytest.approx(predictor.predict(path).probs)


def test_decisions_follow_the_thresholds(model_file, pictures):
    found = Predictor.load(model_file).predict(pictures / "01.png")
    assert [(each.point, each.label, each.called) for each in found.decisions] == [
        ("youden", "viral", found.probs["viral"] >= 0.2),
        ("youden", "bacterial", found.probs["bacterial"] >= 0.9),
    ]
    shown = found._repr_html_()
    assert "called viral" in shown and "not a medical device" in shown


@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".parquet"])
def test_answers_go_into_a_table(exports, pictures, tmp_path, suffix):
    out = tmp_path / f"answers{suffix}"
    result = cli(exports["onnx"], pictures, "--out", out)
    assert result.returncode == 3 and "38 predicted; 2 rejected (1 empty, 1 not-an-image)" in result.stderr
    if suffix == ".csv":
        rows = list(csv.DictReader(out.read_text().splitlines()))
        assert float(rows[0]["prob_normal"]) > 0 and rows[0]["called_youden viral"] in ("True", "False")
    elif suffix == ".jsonl":
        rows = [json.loads(line) for line in out.read_text().splitlines()]
    else:
        import pandas as pd

        rows = pd.read_parquet(out).to_dict("records")
    assert [row["image"] for row in rows] == [str(each) for each in sorted(pictures.iterdir())]
    assert [row["status"] for row in rows] == ["ok"] * 38 + ["rejected"] * 2
    assert list(tmp_path.iterdir()) == [out]


def test_a_killed_call_goes_on_and_answers_each_image_once(exports, pictures, tmp_path):
    many = tmp_path / "many"
    many.mkdir()
    for number in range(3000):
        (many / f"{number:04}.png").symlink_to(pictures / f"{number % 38:02}.png")
    out, journal = tmp_path / "a.csv", tmp_path / ".a.csv.progress"
    command = [sys.executable, "-m", "hilum", "predict", str(exports["onnx"]), str(many), "--out", str(out)]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    ends = time.monotonic() + 60
    while time.monotonic() < ends and not (journal.exists() and journal.stat().st_size > 20_000):
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL and not out.exists()
    with journal.open("ab") as file:
        file.write(b'{"image": "half a li')
    before = journal.read_bytes().count(b"\n") - 1
    assert 0 < before < 3000
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode == 0 and f"going on: {before:,} images" in result.stderr, result.stderr
    names = [row["image"] for row in csv.DictReader(out.read_text().splitlines())]
    assert sorted(names) == [str(many / f"{number:04}.png") for number in range(3000)]
    assert not journal.exists()


def test_the_journal_of_another_model_is_left(model_file, exports, pictures, tmp_path):
    from hilum.serving.journal import Journal

    with Journal(tmp_path / "a.csv", {"model": "one"}, ("a", "b"), ()) as journal:
        journal.add(next(iter(hilum.predict(pictures, model=model_file))))
    with Journal(tmp_path / "a.csv", {"model": "one"}, ("a", "b"), ()) as journal:
        assert len(journal.done) == 1
    with Journal(tmp_path / "a.csv", {"model": "two"}, ("a", "b"), ()) as journal:
        assert not journal.done


def test_exit_codes_and_json_lines(exports, pictures, tmp_path):
    good = cli(exports["onnx"], pictures / "00.png", "--json")
    assert good.returncode == 0 and json.loads(good.stdout)["status"] == "ok"
    bad = cli(exports["onnx"], pictures / "38.jpg", "--json")
    assert bad.returncode == 4 and json.loads(bad.stdout)["code"] == "not-an-image"
    table = cli(exports["onnx"], pictures)
    assert table.returncode == 3 and len(table.stdout.splitlines()) == 41
    assert max(map(len, table.stdout.splitlines())) <= 100 and "not a medical device" in table.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["{model}"], "no image, folder or archive"),
        (["{model}", "nowhere.png"], "nothing there"),
        (["{model}", "{pictures}", "--threads", "0"], "1 or more"),
        (["{model}", "{pictures}", "--out", "a.txt"], "a name that ends in .csv"),
        (["{model}", "{pictures}", "--out", "no/such/a.csv"], "expected a folder"),
        (["{onnx}", "{pictures}", "--heatmap", "maps"], "a .safetensors model"),
        (["{onnx}", "{pictures}", "--device", "cuda"], "cpu for an exported model"),
    ],
)
def test_wrong_usage_is_one_line(model_file, exports, pictures, arguments, words, tmp_path):
    places = {"model": model_file, "pictures": pictures, "onnx": exports["onnx"]}
    result = cli(*(each.format(**places) for each in arguments), cwd=tmp_path)
    assert result.returncode in (2, 4) and words in result.stderr and "Traceback" not in result.stderr


def test_without_a_model_the_one_in_the_box_is_taken(model_file, tmp_path):
    with pytest.raises(ModelFileError, match=r"no model in the box.*hilum study"):
        box.bundled_model(tmp_path)
    (tmp_path / "m.safetensors").write_bytes(model_file.read_bytes())
    assert box.bundled_model(tmp_path) == tmp_path / "m.safetensors"


def test_heat_maps_lie_in_their_folder_under_the_image_s_name(model_file, pictures, tmp_path):
    import cv2

    maps = tmp_path / "maps"
    result = cli(model_file, pictures / "00.png", pictures / "38.jpg", "--heatmap", maps)
    assert result.returncode == 3, result.stderr
    (found,) = maps.iterdir()
    assert found.name.startswith("00-") and cv2.imread(str(found)).ndim == 3


def test_nothing_of_a_dicom_header_is_printed_or_written(exports, tmp_path):
    from pydicom import dcmread

    from hilum.data.phantom import draw_dataset, write_dataset

    write_dataset(draw_dataset(images=3, size=64), tmp_path / "d", format="dicom")
    for number, path in enumerate(sorted((tmp_path / "d").rglob("*.dcm"))):
        dataset = dcmread(path)
        for keyword in ("PatientName", "PatientID", "StudyDescription", "InstitutionName", "ReferringPhysicianName"):
            setattr(dataset, keyword, "SENTINEL")
        if number == 0:
            dataset.PhotometricInterpretation = "SENTINEL"
        dataset.save_as(path)
    for more in ([], ["--json"], ["--out", str(tmp_path / "a.csv")], ["--untrusted", "--json"]):
        result = cli(exports["onnx"], tmp_path / "d", *more)
        assert result.returncode in (0, 3)
        assert "SENTINEL" not in result.stdout + result.stderr
    assert "SENTINEL" not in (tmp_path / "a.csv").read_text()


def test_a_path_that_is_not_there_stops_nothing(model_file, pictures, tmp_path):
    outcomes = list(hilum.predict([tmp_path / "gone.png", pictures / "00.png"], model=model_file))
    assert [each.rejected.code if each.rejected else "ok" for each in outcomes] == ["unreadable", "ok"]


def test_nothing_to_predict(tmp_path):
    with pytest.raises(DataError, match="expected X-rays"):
        find_sources([tmp_path])
    with pytest.raises(UsageError, match="engine"):
        hilum.load(tmp_path / "x.onnx", engine="tpu")
