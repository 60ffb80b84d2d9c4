"""What is printed: control characters escaped, JSON that stays JSON, streams that are closed or narrow."""

import json
import subprocess
import sys

import pytest

from direction_finder.commands.printing import complain, escaped, say, say_json, tell
from tests.conftest import call


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain é 日本 🎉\t.", "plain é 日本 🎉\t."),
        ("\x1b[31mred", r"\x1b[31mred"),
        ("\x9b31m \x07 \x7f \x00", r"\x9b31m \x07 \x7f \x00"),
        ("two\nlines\r", r"two\nlines\r"),
        ("\u202egnp.exe\u2028", r"\u202egnp.exe\u2028"),
        ("\udcff", r"\udcff"),
    ],
)
def test_a_terminal_obeys_nothing(text, shown, capsys):
    assert escaped(text) == shown
    say(text)
    tell(text)
    assert tuple(capsys.readouterr()) == (shown + "\n", shown + "\n")


def test_lines_are_printed_one_by_one(capsys):
    say("a", 2, "b\nc")
    assert capsys.readouterr().out == "a\n2\nb\\nc\n"


def test_an_error_is_one_line_with_options(capsys):
    complain("first\n  second `max_batch` \x1b[2J")
    assert capsys.readouterr().err == "Error: first second --max-batch \\x1b[2J\n"
    complain("9" * 100_000)
    assert len(capsys.readouterr().err) < 5000


def test_json_is_json_whatever_a_text_is_made_of(capsys):
    value = {"name": "\x1b[31m\x7f\n\u2028é"}
    say_json(value)
    printed = capsys.readouterr().out
    assert json.loads(printed) == value and "\x1b" not in printed and "\x7f" not in printed


def test_names_in_files_are_escaped(tmp_path):
    """Class names that a generator brings."""
    module = tmp_path / "own.py"
    module.write_text(
        "import torch\nfrom direction_finder import wrap\n"
        "class Net(torch.nn.Module):\n"
        "    def forward(self, z, y): return z.sum(1).view(-1, 1, 1, 1).expand(-1, 3, 8, 8) + y.view(-1, 1, 1, 1)\n"
        "def make(): return wrap(Net(), 2, 2, class_names=['a\\x1b[31m', 'b\\nc'])\n"
    )
    result = call("classes", "--generator", f"python:{module}:make")
    assert result.exit_code == 0, result.stderr
    assert result.stdout == "   0  a\\x1b[31m\n   1  b\\nc\n"


MAIN = "from direction_finder.commands import main; main()"


def run(redirections: str, *words: str) -> subprocess.CompletedProcess:
    command = f'exec {sys.executable} -c "{MAIN}" "$@" {redirections}'
    return subprocess.run(["sh", "-c", command, "sh", *words], capture_output=True, text=True, check=False)


@pytest.mark.parametrize("redirections", [">&-", ">&- 2>&-", "<&- >&- 2>&-"])
def test_closed_streams_are_no_error(redirections):
    result = run(redirections, "classes", "golden")
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")


@pytest.mark.parametrize("words", [("classes", "golden"), ("learn", "--help")])
def test_a_full_disk_under_the_output_is_one_line(words):
    result = run(">/dev/full", *words)
    assert result.returncode == 2
    (line,) = result.stderr.splitlines()
    assert line.startswith("Error: ") and "No space left on device" in line


def test_a_reader_that_has_gone_is_no_error():
    result = run("| true", "classes")
    assert result.stderr == ""


def test_an_encoding_that_lacks_letters_escapes_them():
    code = "from direction_finder.commands.printing import prepare, say; prepare(); say('cafe', chr(0x65e5))"
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, check=True, env={"PYTHONIOENCODING": "latin-1"}
    )
    assert result.stdout == b"cafe\n\\u65e5\n"
