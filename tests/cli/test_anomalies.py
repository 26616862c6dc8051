"""`hilum anomaly` as it is typed."""

import json

import cv2
import numpy as np
import pytest

from hilum.cli.main import main
from hilum.recipes.convert import to_json
from hilum.recipes.schema import Anomaly, Model, Phase, Preprocessing, Recipe

SMALL = Recipe(
    "small-anomaly",
    model=Model("autoencoder"),
    preprocessing=Preprocessing(image_size=32, fit="stretch", normalisation="zero-one", channels=1),
    phases=(Phase(max_epochs=2, lr=3e-3),),
    batch_size=16,
    anomaly=Anomaly(quantile=0.8),
)


@pytest.fixture
def typed(tmp_path, capsys):
    generator = np.random.default_rng(0)
    for number, label in enumerate(("normal", "viral")):
        (tmp_path / "data" / label).mkdir(parents=True)
        for image in range(60):
            picture = generator.integers(0, 90, (40, 36)).astype(np.uint8)
            picture[8:20, 8:20] += 130 * number
            cv2.imwrite(str(tmp_path / "data" / label / f"p{number}{image:03}_1.png"), picture)
    (tmp_path / "small.json").write_text(json.dumps(to_json(SMALL)))

    def run(*words):
        given = [str(tmp_path / word[1:]) if word.startswith("@") else word for word in words]
        with pytest.raises(SystemExit) as ended:
            main(["anomaly", *given])
        return ended.value.code, *capsys.readouterr()

    return run


def test_it_prints_a_table_and_writes_a_page(typed, tmp_path):
    code, said, _ = typed("@small.json", "@data", "--out", "@out", "--replicates", "20")
    assert code == 0 and "Autoencoder: reconstruction error" in said and "at 20 % false alarms" in said
    assert "the test split was not opened" in said and said.strip().endswith("anomaly.html")
    page = (tmp_path / "out/small-anomaly/anomaly.html").read_text()
    assert "What the autoencoder draws" in page and "not a medical device" in page


def test_json_is_one_document_with_test_where_it_was_asked_for(typed, tmp_path):
    code, said, _ = typed("@small.json", "@data", "--out", "@out", "--replicates", "20", "--test", "--json")
    document = json.loads(said)
    assert code == 0 and set(document["detectors"][0]["splits"]) == {"val", "test"} and document["rejected"] == 0
    assert "hilum anomaly" in (tmp_path / "out/ledger.jsonl").read_text()


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("@nothing.safetensors", "@data", "--out", "@out"), "model file"),
        (("cnn-smal", "@data"), "recipe"),
        (("@small.json", "@nowhere"), "nowhere"),
        (("@small.json", "@data", "--out", "@out", "--rate", "0"), "--rate"),
        (("@small.json", "@data", "--out", "@out", "--rate", "0.01"), "normal validation images"),
        (("@small.json", "@data", "--out", "@out", "--normal", "healthy"), "healthy"),
        (("@small.json", "@data", "--out", "@out", "--beside", "e-anomaly"), "one of each"),
    ],
)
def test_what_cannot_be_done_is_one_line(typed, words, expected):
    code, said, error = typed(*words, "--json")
    last = error.strip().splitlines()[-1]  # before it stand the stages that were done
    assert code in (2, 4) and not said and last.startswith("hilum: ") and expected in last and "Traceback" not in error
