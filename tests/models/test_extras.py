"""What is added to a model file after training."""

import pytest

from hilum.errors import ModelFileError
from hilum.models import create_model, load_model, save_model
from hilum.models.extras import add_extras


def test_extras_are_added_and_the_weights_stay(tmp_path):
    model = create_model("cnn-tiny", num_classes=2, in_channels=1, image_size=32, seed=0)
    path = tmp_path / "m.safetensors"
    facts = {"labels": ["a", "b"], "preprocessing": {}, "recipe": {}, "fingerprint": "f"}
    before = save_model(path, model, **facts, extras={"tta": ["plain"], "temperature": 2.0})
    after = add_extras(path, {"temperature": 1.5, "more": [1]})
    again, header = load_model(path)
    assert header.extras == {"tta": ["plain"], "temperature": 1.5, "more": [1]} and header.sha256 == after != before
    ours, theirs = model.state_dict(), again.state_dict()
    assert all(bool((ours[name] == theirs[name]).all()) for name in ours)
    # The same file as if it had been saved with them at once.
    other = tmp_path / "n.safetensors"
    assert save_model(other, model, **facts, extras=dict(header.extras)) == after
    assert other.read_bytes() == path.read_bytes()


def test_a_damaged_file_is_refused(tmp_path):
    path = tmp_path / "m.safetensors"
    path.write_bytes(b"something else")
    with pytest.raises(ModelFileError):
        add_extras(path, {"a": 1})
