"""The file of the network that reads factors: written, read, and refused if anything in it is wrong."""

import json
import math
import os

import pytest
import torch
from safetensors.torch import load_file, save_file

from direction_finder.datasets import Factor
from direction_finder.errors import InputError
from direction_finder.files import METADATA_KEY
from direction_finder.metrics.factor_network import KIND, FactorNetwork
from direction_finder.samples import Samples
from direction_finder.tensor_files import read_metadata

PLAIN = {"name": "x", "low": 0, "high": 1, "circular": False, "choices": []}
FACTORS = [Factor("x", -1.0, 1.0), Factor("hue", circular=True), Factor("kind", choices=("a", "b", "c"))]


@pytest.fixture
def path(tmp_path):
    FactorNetwork(FACTORS, 16, {"seed": 0}).eval().save(tmp_path / "network.safetensors")
    return tmp_path / "network.safetensors"


def test_what_is_written_is_read(path):
    network = FactorNetwork.load(path)
    assert network.factors == tuple(FACTORS) and network.resolution == 16 and network.about == {"seed": 0}
    assert {name: values.shape for name, values in network.read(torch.zeros(2, 3, 16, 16)).items()} == {
        "x": (2,), "hue": (2,), "kind": (2,),
    }  # fmt: skip
    network.save(path.with_stem("again"))
    assert path.with_stem("again").read_bytes() == path.read_bytes()


ABOUT = {
    "another kind": ({"kind": "samples"}, f"not a {KIND}"),
    "no kind": ({"kind": None}, f"not a {KIND}"),
    "no factors": ({"factors": []}, "at factors"),
    "factors that are text": ({"factors": "x"}, "expected array, got str, at factors"),
    "a factor without range": ({"factors": [PLAIN | {"low": 1}]}, "no range"),
    "a factor without name": ({"factors": [{"low": 0}]}, "missing required field name"),
    "a range that is not finite": ({"factors": [PLAIN | {"high": math.inf}]}, "at factors"),
    "other factors": ({"factors": [PLAIN]}, "out.weight has shape"),
    "another resolution": ({"resolution": 64}, "not those of a network for 64 pixels"),
    "a resolution that would need a terabyte": ({"resolution": 4096}, "not those of a network for 4096 pixels"),
    "an enormous resolution": ({"resolution": 10**12}, "at resolution"),
    "a negative resolution": ({"resolution": -16}, "at resolution"),
    "a resolution that is true": ({"resolution": True}, "at resolution"),
    "about nothing": ({"about": None}, "expected object, got null, at about"),
}  # fmt: skip


@pytest.mark.parametrize("kind", ABOUT)
def test_the_metadata_is_checked(kind, path):
    changes, words = ABOUT[kind]
    about = json.dumps({**read_metadata(path), **changes})
    save_file(load_file(path), path, metadata={METADATA_KEY: about})
    with pytest.raises(InputError, match=words) as error:
        FactorNetwork.load(path)
    assert str(path) in str(error.value)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"hidden.weight": None}, "not those of a network"),
        ({"out.bias": None}, "out.bias is missing"),
        ({"more": torch.ones(1)}, "more is not part"),
        ({"out.bias": torch.full((6,), math.nan)}, "NaN or infinite"),
        ({"convs.0.weight": torch.ones(32, 3, 5, 5)}, "convs.0.weight has shape"),
        ({"out.bias": torch.ones(6, dtype=torch.complex64)}, "out.bias is complex"),
    ],
)
def test_the_weights_are_checked(change, words, path):
    about = json.dumps(read_metadata(path))
    state = {name: tensor for name, tensor in {**load_file(path), **change}.items() if tensor is not None}
    save_file(state, path, metadata={METADATA_KEY: about})
    with pytest.raises(InputError, match=words):
        FactorNetwork.load(path)


def test_other_files_are_refused(tmp_path):
    Samples(torch.ones(1, 2)).save(tmp_path / "samples.safetensors")
    save_file({"a": torch.ones(1)}, tmp_path / "plain.safetensors")
    (tmp_path / "text.safetensors").write_text("text")
    os.mkfifo(tmp_path / "pipe.safetensors")
    for name, words in {
        "samples": f"not a {KIND}",
        "plain": f"not a {KIND}",
        "text": "not a readable safetensors file",
        "pipe": "not a file",
        "missing": "no such file",
    }.items():
        with pytest.raises(InputError, match=words):
            FactorNetwork.load(tmp_path / f"{name}.safetensors")
