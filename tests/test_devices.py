"""Where to compute."""

import pytest
import torch

from direction_finder.errors import InputError
from direction_finder.generators.devices import pick_device


@pytest.mark.parametrize(
    ("cuda", "mps", "expected"), [(True, True, "cuda"), (False, True, "mps"), (False, False, "cpu")]
)
def test_auto_is_the_fastest_there_is(cuda, mps, expected, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)
    assert pick_device() == pick_device("auto") == expected


def test_a_device_that_is_there_is_taken():
    assert pick_device("cpu") == "cpu"


NO_DEVICES = """
abacus cpu:x cuda:99 cpu:3 CPU cpu:² meta meta:0 vulkan xla mkldnn hpu ipu fpga ort lazy privateuseone maia ve
"""


@pytest.mark.parametrize("name", [*NO_DEVICES.split(), "", " cuda"])
def test_one_that_is_not_there_is_refused_in_one_line(name):
    with pytest.raises(InputError, match=f"device '{name}' cannot be used here .*try `device` cpu") as refusal:
        pick_device(name)
    assert "\n" not in str(refusal.value)


def test_products_are_exact(monkeypatch):
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", True)
    pick_device("cpu")
    assert not torch.backends.cudnn.allow_tf32
