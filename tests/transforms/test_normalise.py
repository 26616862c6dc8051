"""Normalising a batch: every figure is grey x scale + offset, whatever the batch's shape and the number of threads."""

import numpy as np
import pytest
import torch

from hilum.transforms.normalise import normalise, scale_and_offset


@pytest.mark.parametrize("shape", [(40, 64, 64), (1, 24, 24), (3, 100, 100), (2, 300, 300), (0, 64, 64)])
@pytest.mark.parametrize("channels", [1, 3])
def test_each_channel_is_scaled_and_moved(shape, channels):
    grey = torch.from_numpy(np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8))
    scale, offset = scale_and_offset("imagenet", channels)
    made = normalise(grey, normalisation="imagenet", channels=channels)
    assert made.shape == (shape[0], channels, *shape[1:])
    for channel in range(channels):
        wanted = grey.double() * scale[channel].double() + offset[channel].double()
        assert torch.allclose(made[:, channel].double(), wanted, rtol=0, atol=1e-6)


def test_a_batch_is_what_its_images_are_by_themselves_and_lies_channels_last():
    grey = torch.from_numpy(np.random.default_rng(1).integers(0, 256, (64, 48, 48), dtype=np.uint8))
    together = normalise(grey, normalisation="zero-one", channels=3)
    assert together.is_contiguous(memory_format=torch.channels_last)
    for position in (0, 31, 63):
        alone = normalise(grey[position : position + 1], normalisation="zero-one", channels=3)
        assert torch.equal(together[position : position + 1], alone)


def test_a_view_that_is_not_contiguous_is_read_right():
    grey = torch.from_numpy(np.random.default_rng(2).integers(0, 256, (4, 32, 64), dtype=np.uint8))[:, :, ::2]
    wanted = normalise(grey.clone(), normalisation="half", channels=3)
    assert torch.equal(normalise(grey, normalisation="half", channels=3), wanted)
