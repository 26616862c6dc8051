"""The random changes of `augment` for a whole batch at once, in torch, on whatever device the batch lies.

An image's draws are those of `augment` for the same seed, so both make the same picture up to the rounding of OpenCV's
fixed-point interpolation (about one grey level); only its noise is another sample.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from hilum.transforms.augmentation import Augmentation, Draws, affine_matrix, draw_numbers, store_as_jpeg, tone_table


def augment_on_device(canvases: Tensor, augmentation: Augmentation, seeds: Sequence[Sequence[int]]) -> Tensor:
    """Changes each image of a batch by draws of its own.

    Args:
        canvases: uint8 `[B, S, S]` on any device; not altered.
        seeds: as in `augment`.

    Returns:
        uint8 `[B, S, S]` on the same device.
    """
    if augmentation.is_off or not len(canvases):
        return canvases
    draws = [draw_numbers(seed) for seed in seeds]
    changed = _warp(canvases, augmentation, draws)
    changed = _tone(changed, augmentation, draws)
    changed = _shade(changed, augmentation, draws)
    changed = _blur(changed, augmentation, draws)
    changed = _sharpen(changed, augmentation, draws)
    changed = _add_noise(changed, augmentation, draws, seeds)
    changed = _store(changed, augmentation, draws)
    changed = _erase(changed, augmentation, draws)
    return _collimate(changed, augmentation, draws)


def _on(canvases: Tensor, numbers: Sequence[float] | Sequence[Sequence[float]] | np.ndarray) -> Tensor:
    return torch.as_tensor(np.asarray(numbers, np.float32)).to(canvases.device, non_blocking=True)


def _rounded(values: Tensor) -> Tensor:
    return values.round().clamp(0, 255).to(torch.uint8)


def _warp(canvases: Tensor, augmentation: Augmentation, draws: Sequence[Draws]) -> Tensor:
    if not any(getattr(augmentation, name) for name in ("rotation", "shift", "zoom", "shear", "flip", "crop")):
        return canvases
    side, back = canvases.shape[-1], np.empty((len(draws), 2, 3))
    for number, draw in enumerate(draws):
        matrix = affine_matrix(side, **draw.geometry(augmentation))
        whole = np.linalg.inv(np.vstack([matrix, (0, 0, 1)]))[:2]
        # From pixels to what grid_sample counts in: -1 and 1 are the centres of the outermost pixels.
        half = (side - 1) / 2
        back[number, :, :2], back[number, :, 2] = whole[:, :2], whole @ (half, half, 1) / half - 1
    grid = functional.affine_grid(_on(canvases, back), [len(draws), 1, side, side], align_corners=True)
    pixels = canvases.unsqueeze(1).float()
    return _rounded(functional.grid_sample(pixels, grid, padding_mode="zeros", align_corners=True)[:, 0])


def _tone(canvases: Tensor, augmentation: Augmentation, draws: Sequence[Draws]) -> Tensor:
    if augmentation.equalise:
        chosen = _on(canvases, [draw.chances[1] < augmentation.equalise for draw in draws]) > 0
        canvases = torch.where(chosen[:, None, None], _looked_up(canvases, _equalising(canvases)), canvases)
    if augmentation.gamma or augmentation.contrast or augmentation.brightness:
        tables = np.stack([tone_table(augmentation, draw.draws[5:8]) for draw in draws])
        canvases = _looked_up(canvases, torch.as_tensor(tables).to(canvases.device, non_blocking=True))
    return canvases


def _looked_up(canvases: Tensor, tables: Tensor) -> Tensor:
    """Each image through its own table `[B, 256]`."""
    return tables.gather(1, canvases.flatten(1).long()).view(canvases.shape)


def _equalising(canvases: Tensor) -> Tensor:
    """Tables of histogram equalisation as OpenCV's `equalizeHist` makes them, uint8 `[B, 256]`."""
    flat = canvases.flatten(1).long()
    counts = torch.zeros((len(flat), 256), device=flat.device).scatter_add_(
        1, flat, torch.ones_like(flat, dtype=torch.float32)
    )
    first = flat.amin(1, keepdim=True)
    lowest, total = counts.gather(1, first), flat.shape[1]
    table = (counts.cumsum(1) - lowest) * (255 / (total - lowest).clamp(min=1))
    same = torch.arange(256, device=flat.device).float().expand_as(table)  # one grey only: it stays
    return _rounded(torch.where(lowest == total, same, table))


def _shade(canvases: Tensor, augmentation: Augmentation, draws: Sequence[Draws]) -> Tensor:
    if not augmentation.shade:
        return canvases
    right, down = _on(canvases, [draw.ramp() for draw in draws]).T[:, :, None]
    reach, side = 255 * augmentation.shade, canvases.shape[-1]
    place = torch.linspace(-reach, reach, side, device=canvases.device)
    return _rounded(canvases + (down * place)[:, :, None] + (right * place)[:, None, :])


def _sharpen(canvases: Tensor, augmentation: Augmentation, draws: Sequence[Draws]) -> Tensor:
    if not augmentation.sharpen:
        return canvases
    amounts = _on(canvases, [augmentation.sharpen * draw.more[6] for draw in draws])[:, None, None]
    steps = np.exp(-(np.arange(-3, 4) ** 2) / 2)
    weights = _on(canvases, steps / steps.sum())[None, None, None]
    pixels = functional.pad(canvases.float()[:, None], (3,) * 4, mode="reflect")
    blurred = _rounded(functional.conv2d(functional.conv2d(pixels, weights), weights.transpose(2, 3))[:, 0]).float()
    return _rounded(canvases + amounts * (canvases - blurred))


def _store(canvases: Tensor, augmentation: Augmentation, draws: Sequence[Draws]) -> Tensor:
    """No JPEG is written on the device: the chosen pictures go to the CPU and back."""
    chosen = [number for number, draw in enumerate(draws) if augmentation.jpeg and draw.more[7] < augmentation.jpeg]
    if not chosen:
        return canvases
    met = zip(canvases[chosen].cpu().numpy(), chosen, strict=True)
    stored = np.stack([store_as_jpeg(canvas, draws[number]) for canvas, number in met])
    changed = canvases.clone()
    changed[chosen] = torch.from_numpy(stored).to(canvases.device)
    return changed


def _blur(canvases: Tensor, augmentation: Augmentation, draws: Sequence[Draws]) -> Tensor:
    sigmas = np.array([augmentation.blur * draw.chances[2] for draw in draws])
    if not (sigmas > 0.1).any():
        return canvases
    reach = int(round(3 * sigmas.max() * 2 + 1) | 1) // 2
    steps, kernels = np.arange(-reach, reach + 1), np.zeros((len(draws), 2 * reach + 1))
    for kernel, sigma in zip(kernels, sigmas, strict=True):
        own = int(round(3 * sigma * 2 + 1) | 1) // 2 if sigma > 0.1 else 0  # the size that OpenCV takes for bytes
        kernel[:] = np.where(np.abs(steps) <= own, np.exp(-(steps**2) / (2 * max(sigma, 1e-6) ** 2)), 0)
    weights = _on(canvases, kernels / kernels.sum(1, keepdims=True))[:, None, None]
    pixels = functional.pad(canvases.float()[None], (reach,) * 4, mode="reflect")
    across = functional.conv2d(pixels, weights, groups=len(draws))
    return _rounded(functional.conv2d(across, weights.transpose(2, 3), groups=len(draws))[0])


def _add_noise(
    canvases: Tensor, augmentation: Augmentation, draws: Sequence[Draws], seeds: Sequence[Sequence[int]]
) -> Tensor:
    if not augmentation.noise:
        return canvases
    sigma = _on(canvases, [255 * augmentation.noise * draw.chances[3] for draw in draws])[:, None, None]
    keys = [int(np.random.SeedSequence(list(seed)).generate_state(1, np.uint64)[0].view(np.int64)) for seed in seeds]
    noise = _normal(torch.tensor(keys, device=canvases.device), canvases.shape[1:])
    return (canvases + noise * sigma + 0.5).clamp(0, 255).to(torch.uint8)


def _normal(keys: Tensor, shape: Sequence[int]) -> Tensor:
    """Normal numbers that depend on an image's key and a pixel's place alone, in any batch: SplitMix64 (Steele and
    others 2014, Fast splittable pseudorandom number generators), then Box and Muller's transform."""
    places = torch.arange(int(np.prod(shape)), device=keys.device) * -7046029254386353131
    bits = keys[:, None] + places
    for shift, factor in ((30, -4658895280553007687), (27, -7723592293110705685)):
        bits = (bits ^ ((bits >> shift) & ((1 << (64 - shift)) - 1))) * factor
    bits = bits ^ ((bits >> 31) & ((1 << 33) - 1))
    first, second = ((((bits >> shift) & 0xFFFFFF).float() + 0.5) / (1 << 24) for shift in (0, 32))
    return ((-2 * first.log()).sqrt() * (2 * torch.pi * second).cos()).view(len(keys), *shape)


def _erase(canvases: Tensor, augmentation: Augmentation, draws: Sequence[Draws]) -> Tensor:
    side = canvases.shape[-1]
    boxes = [draw.erased(side) if draw.chances[4] < augmentation.erase else (0, 0, 0) for draw in draws]
    if not augmentation.erase:
        return canvases
    top, left, length = _on(canvases, boxes).T[:, :, None]
    place = torch.arange(side, device=canvases.device)
    rows, columns = ((place >= start) & (place < start + length) for start in (top, left))
    return canvases.masked_fill(rows[:, :, None] & columns[:, None, :], 128)


def _collimate(canvases: Tensor, augmentation: Augmentation, draws: Sequence[Draws]) -> Tensor:
    if not augmentation.collimate:
        return canvases
    side = canvases.shape[-1]
    borders = [draw.covered(side) if draw.edges[0] < augmentation.collimate else (0, 0, 0, 0, 0) for draw in draws]
    top, left, bottom, right, grey = _on(canvases, borders).T[:, :, None]
    place = torch.arange(side, device=canvases.device)
    rows, columns = (place >= top) & (place < side - bottom), (place >= left) & (place < side - right)
    return torch.where(rows[:, :, None] & columns[:, None, :], canvases, grey[:, :, None].to(torch.uint8))
