"""Numbers of the environment and the command line: what is none is refused in a sentence, not with a traceback."""

import argparse
import math
import os
import re
import sys
from collections.abc import Callable, Mapping

PORTS = (1, 65_535)
MOST_PROCESSES = 100_000  # of one training or evaluation that torchrun starts
PACKAGES = {"zoo", "evaluation", "training"}
SCRIPTS = {"fcn-page", "fcn-zoo", "fcn-evaluate", "fcn-datasets", "fcn-leaderboard", "fcn-train"}  # of pyproject.toml
# What huggingface_hub, and what Gradio reads, most of it as soon as they are imported: {variable: (least, most)}.
HUB = {"HF_HUB_ETAG_TIMEOUT": (1, 86_400), "HF_HUB_DOWNLOAD_TIMEOUT": (1, 86_400)}
PAGE = {
    "GRADIO_SERVER_PORT": PORTS,
    "GRADIO_NUM_PORTS": PORTS,
    "GRADIO_NODE_SERVER_PORT": PORTS,
    "GRADIO_NODE_NUM_PORTS": PORTS,
    "GRADIO_DEBUG": (0, 1),
    "GRADIO_ANALYTICS_MAX_EVENTS": (1, 999_999_999),
    "GRADIO_ANALYTICS_CACHE_FREQUENCY": (1, 999_999_999),
}


def whole_number(variable: str, least: int, most: int, environment: Mapping[str, str] | None = None) -> int | None:
    """The number that a variable names, None where it is not set. Raises ValueError, a sentence that names it."""
    text = (os.environ if environment is None else environment).get(variable)
    if text is None:
        return None
    if not re.fullmatch(r"\d{1,9}", text.strip(), re.ASCII) or not least <= int(text) <= most:
        raise ValueError(
            f"{variable}: {text!r} is no whole number from {least} to {most}; write one, or leave the variable out"
        )
    return int(text)


def unreadable_number(
    variables: Mapping[str, tuple[int, int]], environment: Mapping[str, str] | None = None
) -> str | None:
    """What is wrong with the first of `variables`, {name: (least, most)}, that is no number; None where nothing is."""
    try:
        for variable, (least, most) in variables.items():
            whole_number(variable, least, most, environment)
    except ValueError as error:
        return str(error)
    return None


def end_if_unreadable(command: str | None = None) -> None:
    """End a command of ours in a sentence where importing huggingface_hub would end it with a traceback.

    Our packages call it before anything else; it does nothing in programs that only import them. `command` is what
    was typed, where that cannot be seen. Raises SystemExit.
    """
    command = command or _command()
    reason = unreadable_number(HUB) if command else None
    if reason:  # of several processes the first says it
        sys.exit(f"{command}: error: {reason}" if os.environ.get("RANK", "0") == "0" else 1)


def _command() -> str | None:
    """How the running command of ours was typed, None where this process is another program."""
    started = sys.argv[0] if sys.argv else ""
    if started == "-m" and "-m" in sys.orig_argv:  # as long as Python looks for the module that it was asked to run
        module = sys.orig_argv[sys.orig_argv.index("-m") + 1]
        return f"python -m {module}" if module.split(".")[0] in PACKAGES else None
    name = os.path.basename(started).removesuffix(".exe")
    return name if name in SCRIPTS else None


def more_than_zero(text: str) -> float:
    """A `type` for argparse: finite numbers above 0; others end the command with a sentence and status 2."""
    try:
        number = float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number") from None
    if not (number > 0 and math.isfinite(number)):
        raise argparse.ArgumentTypeError(f"must be a number above 0, not {text}")
    return number


def at_least(least: int) -> Callable[[str], int]:
    """A `type` for argparse: whole numbers from `least` on; others end the command with a sentence and status 2."""

    def number(text: str) -> int:
        try:
            found = int(text)
        except ValueError:
            raise argparse.ArgumentTypeError(f"{text!r} is not a whole number") from None
        if found < least:
            raise argparse.ArgumentTypeError(f"must be at least {least}, not {found}")
        return found

    return number
