"""Print results and messages so that a terminal shows all of them and obeys none of them."""

import json
import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import click

from direction_finder.commands.verbs import VERBS
from direction_finder.errors import one_line

# control characters except tabs, line breaks of Unicode, half characters, and those that reverse the direction of text
UNSAFE = re.compile("[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


_silent: list[bool] = []  # True while nothing is printed


@contextmanager
def silent() -> Iterator[None]:
    """Print nothing, because another process prints the same."""
    _silent.append(True)
    try:
        yield
    finally:
        _silent.pop()


def say(*lines: object, err: bool = False) -> None:
    r"""Print lines, with control characters in them escaped, for example as \x1b."""
    _print("\n".join(escaped(str(line)) for line in lines), err)


def say_json(value: Any) -> None:
    """Print a value as JSON."""
    _print(json.dumps(value, indent=2, sort_keys=True).replace("\x7f", "\\u007f"), False)


def tell(note: object) -> None:
    """Print a note, which is not the result, on stderr."""
    say(note, err=True)


def complain(message: str) -> None:
    """Print an error as one line on stderr. message: from the library, with settings in backticks."""
    tell(f"Error: {as_options(one_line(' '.join(message.split())))}")


def escaped(text: str) -> str:
    """Return a text with its unsafe characters escaped."""
    return UNSAFE.sub(lambda match: match[0].encode("unicode_escape").decode(), text)


def as_options(message: str) -> str:
    """Return a message of the library with settings, which are in backticks, written as options."""

    def option(match: re.Match) -> str:
        return match[0] if match[1] in VERBS else f"--{match[1].replace('_', '-')}"

    return re.sub(r"`([a-z]+(?:_[a-z]+)*)`", option, message)


def prepare() -> None:
    """Make all standard streams writable: closed ones write nowhere, and all can encode every character."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:  # a file that is opened next would take its number
            setattr(sys, name, os.fdopen(os.open(os.devnull, os.O_RDWR), "w" if number else "r"))
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


def let_go() -> None:
    """Let everything that is still printed go nowhere, because a stream takes no more."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _print(text: str, err: bool) -> None:
    if _silent:
        return
    try:
        click.echo(text, err=err)
    except BrokenPipeError:
        raise
    except OSError as error:  # e.g. a full disk
        error.filename = f"standard {'error' if err else 'output'}"
        raise
