"""How many X-rays a second one core draws: `python benchmarks/phantom.py [--images 400] [--size 224]`."""

import argparse
import sys
import time

import cv2

from hilum.data.phantom import FINDINGS, draw_dataset
from hilum.data.phantom.files import encode_jpeg

REPEATS = 5


def best_rate(draw, images: int) -> float:
    """Images a second of processor time, the best of a few stretches: what others do on the machine counts less."""
    share = max(images // REPEATS, 1)
    times = []
    for part in range(REPEATS):
        start = time.process_time()
        for index in range(part * share, (part + 1) * share):
            draw(index)
        times.append(time.process_time() - start)
    return share / min(times)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=400)
    parser.add_argument("--size", type=int, default=224)
    options = parser.parse_args()
    cv2.setNumThreads(1)
    sys.stdout.write(f"{options.size} pixels, one core, images a second\n")
    for finding in FINDINGS:
        dataset = draw_dataset(images=max(options.images, REPEATS), classes=[finding], size=options.size, seed=1)
        drawn = best_rate(lambda index, dataset=dataset: dataset[index].pixels, options.images)
        stored = best_rate(lambda index, dataset=dataset: encode_jpeg(dataset[index].pixels, 85), options.images)
        sys.stdout.write(f"{finding:10s} drawn {drawn:5.0f}   drawn and stored as JPEG {stored:5.0f}\n")


if __name__ == "__main__":
    main()
