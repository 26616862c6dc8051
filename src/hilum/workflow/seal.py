"""The seal of a folder: the SHA-256 of every file that hilum left in it, written last.

What cannot be computed again (seconds, times, histories, versions) can only be compared with what stood there when the
command ended. A command that works in a sealed folder looks first whether other hands changed something since, and
carries what it finds into the new seal, so that sealing again hides nothing. The seal carries its own digest. It is no
signature: who rewrites a file can write a new seal too.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

from hilum.evaluation.ledger import LEDGER
from hilum.models.weights import file_sha256
from hilum.version import __version__
from hilum.workflow.record import now

SEAL, SCHEMA = "seal.json", "hilum.seal/1"
EDITED = ("suspected-labels.csv", "answers.csv")
"""Files that people are asked to fill in."""

PASSED_OVER = ("cache", "checkpoints")
"""Folders that may be deleted and are made anew from pictures or by training."""

SEVERAL = "several"
"""Stands in place of a build's digest where files of more than one lie in a folder."""

GONE = ""
"""Stands in place of a digest where there is no file."""


@dataclass(frozen=True)
class Change:
    """A file that is not what was sealed.

    Args:
        file: relative to the folder.
        sealed, found: SHA-256; empty where there was, or is, no such file.
        noticed: the time at which a later command came upon it; empty where it is only seen now.
    """

    file: str
    sealed: str
    found: str
    noticed: str = ""


@dataclass(frozen=True)
class Seal:
    """What `seal.json` says.

    Args:
        files: path relative to the folder, with `/` -> SHA-256.
        nested: folders below that have a seal of their own.
        hilum: version of what sealed last.
        code: digest of the sources that wrote the files, `several` where more than one build did.
        history: one entry a command: `command, began, ended`.
        altered: changes by other hands that a later command came upon and that are still there.
        working: commands that began and have not ended.
    """

    files: Mapping[str, str] = field(default_factory=dict)
    nested: tuple[str, ...] = ()
    hilum: str = __version__
    code: str = ""
    history: tuple[Mapping[str, Any], ...] = ()
    altered: tuple[Change, ...] = ()
    working: tuple[Mapping[str, Any], ...] = ()

    def render(self) -> bytes:
        """The file's content: the same seal gives the same bytes."""
        content = {"schema": SCHEMA, **asdict(self)}
        digest = hashlib.sha256(_canonical(content)).hexdigest()
        return (json.dumps({**content, "sha256": digest}, indent=1, sort_keys=True) + "\n").encode()


class BrokenSeal(ValueError):
    """A `seal.json` that is not what hilum wrote."""


def read_seal(folder: Path) -> Seal | None:
    """The seal of a folder, None where there is none.

    Raises:
        BrokenSeal: it was changed.
    """
    try:
        content = (folder / SEAL).read_bytes()
    except FileNotFoundError:
        return None
    try:
        document = json.loads(content)
        names = Seal.__dataclass_fields__
        fields = {name: document[name] for name in names}
        fields |= {name: tuple(fields[name]) for name in ("nested", "history", "working")}
        seal = Seal(**{**fields, "altered": tuple(Change(**each) for each in fields["altered"])})
        sound = document["schema"] == SCHEMA and seal.render() == content
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise BrokenSeal(f"not a seal: {type(error).__name__}: {error}") from None
    if not sound:
        raise BrokenSeal("its content does not have the digest that it names")
    return seal


@contextmanager
def sealed(folder: Path, command: str) -> Iterator[None]:
    """Seals a folder when what is done in it has ended, well or not.

    Several processes may work in one folder: each seals what it finds when it ends.

    Args:
        command: words for the history.
    """
    entry = {"command": command, "began": now(), "id": os.urandom(6).hex()}
    with _held(folder):
        before, altered = _last(folder)
        if not before.working:
            altered = _merged(altered, find_changes(folder, before))
        _write(folder, replace(before, altered=altered, working=(*before.working, entry)))
    try:
        yield
    finally:
        with _held(folder):
            last, altered = _last(folder)
            working = tuple(each for each in last.working if each["id"] != entry["id"])
            done = {"command": command, "began": entry["began"], "ended": now()}
            files, nested = hash_files(folder)
            still = tuple(each for each in altered if _now(folder, each.file) == each.found)
            history = (*last.history, done)
            kept = any(files.get(name) == digest for name, digest in before.files.items())
            code = _code_of(before) if kept else build_digest()
            _write(folder, Seal(files, nested, __version__, code, history, still, working))


def extend_seal(folder: Path, names: Iterable[str], command: str) -> None:
    """Seals files anew that a command has just written into a finished folder, and no others."""
    with _held(folder):
        try:
            seal = read_seal(folder)
        except BrokenSeal:
            return  # stays broken, and is seen
        if seal is None:
            return
        files = {**seal.files, **{name: digest for name in names if (digest := _now(folder, name))}}
        still = tuple(each for each in seal.altered if _now(folder, each.file) == each.found)
        done = {"command": command, "began": now(), "ended": now()}
        seal = replace(seal, files=files, altered=still, history=(*seal.history, done))
        _write(folder, replace(seal, hilum=__version__, code=_code_of(seal)))


def is_worked_in(folder: Path) -> bool:
    """Whether a command that seals the whole folder when it ends began in it and has not ended."""
    try:
        seal = read_seal(folder)
    except BrokenSeal:
        return False
    return seal is not None and bool(seal.working)


def extend_ledger(folder: Path, command: str) -> None:
    """Seals the ledger anew after an opening, where the lines that were sealed before are still its first ones."""
    try:
        seal = read_seal(folder)
    except BrokenSeal:
        return
    if seal is not None and seal.files.get(LEDGER, GONE) in (GONE, *ledger_prefixes(folder)):
        extend_seal(folder, [LEDGER], command)


def ledger_prefixes(folder: Path) -> list[str]:
    """SHA-256 of the first 1, 2, ... lines of a ledger."""
    path, digests, so_far = folder / LEDGER, [], hashlib.sha256()
    for line in path.read_bytes().splitlines(keepends=True) if path.is_file() else ():
        so_far.update(line)
        digests.append(so_far.hexdigest())
    return digests


def find_changes(folder: Path, seal: Seal) -> tuple[Change, ...]:
    """Files of a seal that are other ones now, or gone; a ledger that has only grown is none."""
    changes = []
    for name, digest in seal.files.items():
        found = _now(folder, name)
        if found != digest and not (name == LEDGER and digest in ledger_prefixes(folder)):
            changes.append(Change(name, digest, found))
    return tuple(changes)


def hash_files(folder: Path) -> tuple[dict[str, str], tuple[str, ...]]:
    """SHA-256 of every file that belongs into the seal, and the folders below that have a seal of their own."""
    files, nested = dict[str, str](), list[str]()
    for place, folders, names in os.walk(folder):
        here = Path(place)
        if here != folder and SEAL in names:
            nested.append(here.relative_to(folder).as_posix())
            folders[:] = []
            continue
        folders[:] = sorted(each for each in folders if not each.startswith(".") and each not in PASSED_OVER)
        for name in sorted(names):
            path = here / name
            if not (name.startswith(".") or name == SEAL or name.endswith(".partial") or name in EDITED):
                files[path.relative_to(folder).as_posix()] = _digest(path)
    return files, tuple(nested)


@cache
def build_digest() -> str:
    """SHA-256 over hilum's own sources and templates: two builds of one version may print in two ways."""
    package, digest = Path(__file__).parents[1], hashlib.sha256()
    for path in sorted(each for each in package.rglob("*") if each.suffix in (".py", ".html", ".css", ".js")):
        digest.update(f"{path.relative_to(package).as_posix()}\n".encode() + path.read_bytes())
    return digest.hexdigest()


def _code_of(seal: Seal) -> str:
    """Digest of the sources that wrote what lies in a folder, `several` once more than one build did."""
    return build_digest() if seal.code in ("", build_digest()) else SEVERAL


def _last(folder: Path) -> tuple[Seal, tuple[Change, ...]]:
    """The seal that is there, and what other hands had changed as far as it says; a broken one is such a change."""
    try:
        seal = read_seal(folder) or Seal()
    except BrokenSeal:
        return Seal(), (Change(SEAL, "a whole seal", GONE, now()),)
    return seal, seal.altered


def _merged(known: tuple[Change, ...], new: tuple[Change, ...]) -> tuple[Change, ...]:
    names = {each.file for each in known}
    return (*known, *(replace(each, noticed=now()) for each in new if each.file not in names))


def _now(folder: Path, name: str) -> str:
    if name == SEAL:
        return GONE  # a broken seal stays an entry for good
    path = folder / name
    return _digest(path) if path.is_file() else GONE


def _digest(path: Path) -> str:
    try:
        return file_sha256(path)
    except OSError:
        return GONE


def _write(folder: Path, seal: Seal) -> None:
    partial = folder / f"{SEAL}.partial"
    partial.write_bytes(seal.render())
    partial.replace(folder / SEAL)


def _canonical(content: Mapping[str, Any]) -> bytes:
    return json.dumps(content, sort_keys=True, separators=(",", ":")).encode()


@contextmanager
def _held(folder: Path) -> Iterator[None]:
    """One process at a time between reading and writing a seal; the folder itself may be held by the same process."""
    with (folder / ".seal.lock").open("a") as file:
        try:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX)
        except ImportError:  # Windows: no such lock
            pass
        yield
