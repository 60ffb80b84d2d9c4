"""The words of the code, the help and the pages: plain English, and one name for one thing."""

import re
from pathlib import Path

import click
import pytest

from direction_finder.commands import VERBS, main

ROOT = Path(__file__).parent.parent
TEXTS = {
    path.relative_to(ROOT): path.read_text(encoding="utf-8")
    for path in [
        *(ROOT / "direction_finder").rglob("*.py"),
        *(ROOT / "docs").glob("*.md"),
        *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "checkpoints/README.md", "benchmarks/README.md")),
    ]
}
AVOIDED = {
    r"as one that never was": "exactly the same file as an uninterrupted run",
    r"\bwants? a GPU": "needs a GPU",
    r"to bear it": "accuracy does not suffer",
    r"forgotten when": "discarded when",
    r"bound to nothing": "can be used with any generator of that size",
    r"such as random z": "the normal range",
    r"user's to mend": "user errors",
    r"\bshall\b": "must, will",
    r"\bthereof\b": "of it",
    r"\b[Ff]ilms?\b": "video",
    r"\b[Pp]ictures?\b": "image",
}
DATA = {
    'purpose: str = "pictures"',
    '"film": {',
    "| picture, film |",
}  # a stream of random numbers, and a word of Mitsuba's
LONGEST = 35  # words in a sentence of README.md and of --help


@pytest.mark.parametrize("phrase", AVOIDED)
def test_the_words_are_plain(phrase):
    for path, text in TEXTS.items():
        for line in text.splitlines():
            if not any(each in line for each in DATA):
                assert not re.search(phrase, line), f"{path}: {line.strip()!r}; write: {AVOIDED[phrase]}"


def commands() -> list[tuple[str, click.Command]]:
    found = []
    for verb in VERBS:
        command = main.get_command(click.Context(main), verb)
        found.append((verb, command))
        if isinstance(command, click.Group):
            found += [(f"{verb} {name}", each) for name, each in command.commands.items()]
    return found


def sentences(text: str) -> list[str]:
    return re.split(r"(?<=[.:;!?])\s+", " ".join(text.split()))


@pytest.mark.parametrize(("name", "command"), commands())
def test_help_is_short_sentences(name, command):
    texts = [command.help or "", *(each.help or "" for each in command.params if isinstance(each, click.Option))]
    for text in texts:
        lines = "\n".join(block.replace("\n", ". ") if "\b" in block else block for block in text.split("\n\n"))
        for sentence in sentences(lines.replace("\b", "")):
            assert len(sentence.split()) <= LONGEST, f"{name}: {sentence}"


def test_the_readme_is_short():
    text = re.sub(r"```.*?```", "", (ROOT / "README.md").read_text(encoding="utf-8"), flags=re.DOTALL)
    assert len((ROOT / "README.md").read_text(encoding="utf-8").split()) <= 900
    prose = [block for block in text.split("\n\n") if not block.lstrip().startswith(("|", "#", "!["))]
    for block in prose:
        for sentence in sentences(re.sub(r"\]\([^)]*\)", "]", block)):
            assert len(sentence.split()) <= LONGEST, sentence
