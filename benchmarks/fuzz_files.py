"""Damaged files by the thousand: each must be read, or rejected with a code, in time and within its memory.

    python benchmarks/fuzz_files.py [--count 50000] [--seed 8] [--sandbox 0.05]

Mutant n of a seed is the same in every run. They are read in this process, a share of them through a sandbox as well,
and in stretches of 2,000 that run in processes of their own, so that an abort of a library costs one file and is
counted. What breaks the contract is written to `fuzz-findings/` as a file that can be read again.
"""

import argparse
import json
import resource
import signal
import subprocess
import sys
import tempfile
import time
import zlib
from collections import Counter
from pathlib import Path

import numpy as np
from fuzz_seeds import seeds

from hilum.errors import ImageRejected
from hilum.images import REJECTIONS, WARNINGS, Limits, Sandbox, read_archive, read_image

STRETCH, HANG_SECONDS, SLOW_SECONDS = 2000, 30, 10.0
MOST_MEMORY = 1_000_000_000
LIMITS = Limits()
NASTY = (
    *(value.to_bytes(4, order) for value in (0, 1, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF) for order in ("little", "big")),
    *(value.to_bytes(2, "little") for value in (0, 1, 7, 0x7FFF, 0x8000, 0xFFFF)),
    *(b"\xff\xd9", b"\xff\xda", b"\xff\xd8", b"IEND", b"\xfe\xff\x00\xe0", b"\xfe\xff\xdd\xe0", b"PK\x05\x06"),
    *(b"NaN ", b"-1", b"1e99", b"inf ", b"SQ", b"UN", b"OB", b"\x1b$B", b"\\\\\\\\"),
)


def mutant(data: bytes, other: bytes, rng: np.random.Generator) -> bytes:
    """The file with one to five blows; half of them fall on its first 700 bytes, where headers lie.

    Most mutants keep their length, so that what follows the blow is still read; half of the PNG get new checksums.
    """
    hurt, kinds = bytearray(data), 4 if rng.random() < 0.6 else 8
    for _ in range(rng.integers(1, 6)):
        end = min(len(hurt), 700) if rng.random() < 0.5 else len(hurt)
        _strike(hurt, int(rng.integers(0, max(end, 1))), other, int(rng.integers(0, kinds)), rng)
    if rng.random() < 0.08:
        del hurt[int(rng.integers(0, len(hurt) + 1)) :]
    if hurt.startswith(b"\x89PNG") and rng.random() < 0.5:
        _sum_up(hurt)
    return bytes(hurt)


def _sum_up(png: bytearray) -> None:
    """Makes the checksum of every chunk right again."""
    at = 8
    while at + 12 <= len(png):
        end = at + 8 + int.from_bytes(png[at : at + 4], "big")
        if end + 4 > len(png):
            return
        png[end : end + 4] = zlib.crc32(png[at + 4 : end]).to_bytes(4, "big")
        at = end + 4


def _strike(hurt: bytearray, at: int, other: bytes, kind: int, rng: np.random.Generator) -> None:
    match kind:
        case 0:
            hurt[at : at + 1] = rng.bytes(1)
        case 1:
            if at < len(hurt):
                hurt[at] ^= 1 << int(rng.integers(0, 8))
        case 2 | 3:
            blow = NASTY[rng.integers(0, len(NASTY))]
            hurt[at : at + len(blow)] = blow
        case 4:
            del hurt[at : at + int(rng.integers(1, 60))]
        case 5:
            hurt[at:at] = rng.bytes(int(rng.integers(1, 60)))
        case 6:  # a piece of the same file, elsewhere
            start = int(rng.integers(0, len(hurt) + 1))
            hurt[at:at] = hurt[start : start + int(rng.integers(1, 400))]
        case 7:  # a piece of another file
            start = int(rng.integers(0, len(other)))
            hurt[at : at + 40] = other[start : start + 40]


def numbered(number: int, seed: int, kinds: dict[str, list[bytes]]) -> tuple[str, bytes]:
    """Kind and bytes of a mutant."""
    rng = np.random.default_rng([seed, number])
    names = list(kinds)
    kind = names[number % len(names)]
    if kind == "JPEG lossless DICOM" and number // len(names) % 10:
        kind = "DICOM"  # each abort of its codec costs the start of a child
    files = kinds[kind]
    everything = kinds[names[int(rng.integers(0, len(names)))]]
    return kind, mutant(files[int(rng.integers(0, len(files)))], everything[0], rng)


def outcome(data: bytes, read=read_image) -> str:
    """`ok`, `ok with warnings` or a code; anything else that comes out of reading is raised."""
    try:
        image = read(data, limits=LIMITS)
    except ImageRejected as error:
        if error.code not in REJECTIONS or "\n" in str(error) or not str(error).isprintable():
            raise AssertionError("a rejection outside the table") from error
        return error.code
    if image.pixels.ndim != 2 or image.pixels.dtype not in (np.uint8, np.uint16):
        raise AssertionError("pixels of another kind")
    if not set(image.warnings) <= set(WARNINGS):
        raise AssertionError("a warning outside the table")
    return "ok with warnings" if image.warnings else "ok"


def outcome_of_archive(data: bytes, read=read_image) -> str:
    """The worst that became of the archive's entries."""
    try:
        found = [
            member.rejected.code if member.rejected else outcome(member.data, read) for member in read_archive(data)
        ]
    except ImageRejected as error:
        return error.code
    return max(found, default="empty", key=lambda code: (not code.startswith("ok"), code))


def judge(kind: str, data: bytes, read=read_image) -> str:
    return outcome_of_archive(data, read) if kind == "zip" else outcome(data, read)


def stretch(first: int, count: int, seed: int, share: float, mark: Path) -> dict:
    """Reads some mutants; the number under way stands in `mark`, should the process end over it."""
    kinds, counts, findings = seeds(), Counter(), []
    slowest, memory = (0.0, -1), _memory()
    start_memory = memory
    with Sandbox(limits=LIMITS) as sandbox:
        for number in range(first, first + count):
            mark.write_text(str(number))
            kind, data = numbered(number, seed, kinds)
            signal.alarm(HANG_SECONDS)
            start = time.perf_counter()
            try:
                code = judge(kind, data)
                if share and number % (round(1 / share) | 1) == 0:
                    counts[kind, "sandbox: " + judge(kind, data, sandbox.read)] += 1
            except Exception as error:
                findings.append([number, kind, f"{type(error).__name__}: {error}"])
                code = "broken"
            seconds = time.perf_counter() - start
            if seconds > SLOW_SECONDS:
                findings.append([number, kind, f"{seconds:.1f} s"])
            if _memory() - start_memory > MOST_MEMORY > memory - start_memory:
                findings.append([number, kind, f"{(_memory() - start_memory) / 1e6:.0f} MB"])
            slowest, memory = max(slowest, (seconds, number)), _memory()
            counts[kind, code] += 1
    signal.alarm(0)
    growth = (memory - start_memory) / 1e6
    return {"counts": [[*key, n] for key, n in counts.items()], "findings": findings, "slowest": slowest, "MB": growth}


def _memory() -> int:
    """The most that this process ever held, bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def drive(count: int, seed: int, share: float) -> dict:
    """All stretches, each in a process; goes on behind a mutant that ended one."""
    total, findings, slowest, most, number = Counter(), [], (0.0, -1), 0.0, 0
    with tempfile.TemporaryDirectory() as folder:
        mark = Path(folder) / "mark"
        while number < count:
            size = min(STRETCH, count - number)
            call = [sys.executable, __file__, "--stretch", str(number), "--count", str(size), "--mark", str(mark)]
            done = subprocess.run(
                [*call, "--seed", str(seed), "--sandbox", str(share)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
            )
            if done.returncode:
                died = int(mark.read_text())
                findings.append([died, numbered(died, seed, seeds())[0], f"the process ended with {done.returncode}"])
                number = died + 1
                continue
            result = json.loads(done.stdout)
            total.update({(kind, code): n for kind, code, n in result["counts"]})
            findings += result["findings"]
            slowest, most = max(slowest, tuple(result["slowest"])), max(most, result["MB"])
            number += size
            sys.stderr.write(f"{number} mutants, {len(findings)} findings, slowest {slowest[0]:.2f} s, {most:.0f} MB\n")
    return {"counts": total, "findings": findings, "slowest": slowest, "MB": most}


def report(result: dict, seed: int) -> str:
    lines, kinds = [], sorted({kind for kind, _ in result["counts"]})
    for kind in kinds:
        found = sorted(((n, code) for (k, code), n in result["counts"].items() if k == kind), reverse=True)
        lines.append(f"{kind}: " + ", ".join(f"{code} {n}" for n, code in found))
    lines.append(
        f"slowest: {result['slowest'][0]:.2f} s (mutant {result['slowest'][1]}); memory: +{result['MB']:.0f} MB"
    )
    for number, kind, what in result["findings"]:
        folder = Path("fuzz-findings")
        folder.mkdir(exist_ok=True)
        (folder / f"{seed}-{number}").write_bytes(numbered(number, seed, seeds())[1])
        lines.append(f"FINDING {number} ({kind}): {what}")
    return "\n".join([*lines, f"{len(result['findings'])} findings"])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=50_000)
    parser.add_argument("--seed", type=int, default=8)
    parser.add_argument("--sandbox", type=float, default=0.05, help="share that is read through a sandbox too")
    parser.add_argument("--stretch", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--mark", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.stretch is not None:
        result = stretch(options.stretch, options.count, options.seed, options.sandbox, options.mark)
        sys.stdout.write(json.dumps(result))
        return 0
    result = drive(options.count, options.seed, options.sandbox)
    sys.stdout.write(report(result, options.seed) + "\n")
    return 1 if result["findings"] else 0


if __name__ == "__main__":
    sys.exit(main())
