"""The entry point of the command `hilum`."""

from __future__ import annotations

import difflib
import os
import sys
from collections.abc import Callable, Sequence

from hilum.cli.commands import answers, data, judging, listing, looking, pages, training
from hilum.cli.terminal import print_line
from hilum.errors import HilumError, UsageError
from hilum.version import __version__

ABOUT = (
    "From a folder of chest X-rays to a model that can be defended. For research and teaching; not a medical device."
)

COMMANDS: dict[str, Callable[..., int]] = {
    "study": training.study,
    "audit": data.audit,
    "train": training.train,
    "tune": training.tune,
    "augment": data.augment,
    "draw": data.draw,
    "evaluate": judging.evaluate,
    "predict": answers.predict,
    "export": answers.export,
    "serve": answers.serve,
    "explain": looking.explain,
    "anomaly": looking.anomaly,
    "embed": looking.embed,
    "neighbors": looking.neighbors,
    "project": looking.project,
    "compare": judging.compare,
    "replay": pages.replay,
    "plan": judging.plan,
    "checklist": pages.checklist,
    "report": pages.report,
    "verify": judging.verify,
    "autopsy": judging.autopsy,
    "recipes": listing.recipes,
    "models": listing.models,
    "doctor": listing.doctor,
}


def main(argv: Sequence[str] | None = None) -> None:
    """Runs one command and exits: 0 well, 2 wrong usage, 3 some inputs rejected, 4 nothing usable, 5 a check failed.

    Args:
        argv: arguments without the program's name; None takes those of the process.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    if arguments in (["--version"], ["-V"]):
        sys.stdout.write(f"hilum {__version__}\n")
        sys.exit(0)
    sys.exit(_run(arguments or ["--help"]))


def _run(arguments: list[str]) -> int:
    name, *rest = arguments
    if name in ("--help", "-h"):
        print_line(render_overview())
        return 0
    try:
        command = _command(name)
        return int(_parsed_call(name, command, rest) or 0)
    except HilumError as error:
        sys.stderr.write(f"hilum: {error}\n")
        return error.exit_code
    except OSError as error:
        if isinstance(error, BrokenPipeError):
            # Whoever read our output has gone; point stdout elsewhere so that the interpreter's last flush is quiet.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 0
        sys.stderr.write(f"hilum: {error.filename or 'the system'}: {error.strerror or error}\n")
        return HilumError.exit_code
    except KeyboardInterrupt:
        sys.stderr.write("hilum: interrupted; run the same command again to go on from the last finished part\n")
        return 130


def _parsed_call(name: str, command: Callable[..., int], arguments: list[str]) -> int:
    import tyro

    return tyro.cli(command, prog=f"hilum {name}", args=arguments, config=(tyro.conf.FlagCreatePairsOff,))


def _command(name: str) -> Callable[..., int]:
    if name in COMMANDS:
        return COMMANDS[name]
    near = difflib.get_close_matches(name, COMMANDS, n=1, cutoff=0.5)
    way_out = f"Did you mean `hilum {near[0]}`?" if near else "`hilum --help` lists them."
    raise UsageError("command", expected=f"one of {', '.join(COMMANDS)}", found=name, way_out=way_out)


def render_overview() -> str:
    """What `hilum --help` says: a line a command."""
    lines = [ABOUT, "", "usage: hilum COMMAND [OPTIONS]", ""]
    for name, command in COMMANDS.items():
        first, example = [line.strip() for line in (command.__doc__ or "").splitlines() if line.strip()][:2]
        lines += [f"  {name:<10}{first}", f"  {'':<10}  {example.removeprefix('Example: ')}"]
    return "\n".join([*lines, "", "`hilum COMMAND --help` shows the options of a command. Version: hilum --version"])
