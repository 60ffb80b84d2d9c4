"""What goes wrong, by what has to be done about it."""

import pytest
import torch

from direction_finder.errors import (
    DirectionFinderError,
    Diverged,
    InputError,
    MissingExtra,
    Unfinished,
    out_of_memory,
)


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (InputError("a"), ValueError),
        (MissingExtra("a figure", "measure"), ImportError),
        (Diverged("a"), ArithmeticError),
        (Unfinished("a"), DirectionFinderError),
    ],
)
def test_all_are_one_kind_and_what_python_calls_them(error, kind):
    assert isinstance(error, DirectionFinderError) and isinstance(error, kind)


def test_a_missing_extra_says_what_to_install():
    assert str(MissingExtra("a figure", "measure")) == "a figure needs pip install 'direction-finder[measure]'"


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"), True),
        (RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried"), True),
        (RuntimeError("not enough memory: you tried to allocate"), True),
        (RuntimeError("sizes do not match"), False),
        (ValueError("out of memory"), False),
        (MemoryError(), True),
    ],
)
def test_a_lack_of_memory_is_known_by_its_words(error, expected):
    assert out_of_memory(error) is expected


def test_what_torch_says_when_memory_runs_out():
    with pytest.raises(RuntimeError) as caught:
        torch.empty(1 << 60)
    assert out_of_memory(caught.value)


def test_a_message_is_one_printable_line_whatever_a_name_is_made_of():
    assert str(InputError("a\nb\x1b[2J\0\udc80 \u202e\u00e9")) == r"a b\x1b[2J\x00\udc80 \u202eé"
    message = str(MissingExtra("x" * 10_000 + "\n", "measure"))
    assert len(message) < 4100 and message.startswith("xxx") and message.endswith("'direction-finder[measure]'")
