import pickle
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from direction_finder.errors import InputError
from direction_finder.generators.weights import load_strict, read_state, state_sha256
from direction_finder.generators.weights.norms import folded

STATE = {"a.weight": torch.ones(2, 3), "a.bias": torch.zeros(2)}


class Bomb:
    """Unpickling this would make a file: proof that code in a checkpoint ran."""

    def __init__(self, target: Path):
        self.target = target

    def __reduce__(self):
        return (Path.touch, (self.target,))


def same(state: dict) -> bool:
    return state.keys() == STATE.keys() and all(torch.equal(state[key], STATE[key]) for key in STATE)


@pytest.mark.parametrize(
    "content",
    [
        STATE,
        {"netG_state_dict": STATE, "epoch": 3},
        {"state_dict": STATE},
        {f"module.{key}": tensor for key, tensor in STATE.items()},
        {"netG": {f"module.{key}": tensor for key, tensor in STATE.items()}},
    ],
)
def test_the_ways_people_save_a_state_dict(content, tmp_path):
    torch.save(content, tmp_path / "g.pth")
    assert same(read_state(tmp_path / "g.pth"))


def test_safetensors(tmp_path):
    save_file(STATE, tmp_path / "g.safetensors")
    assert same(read_state(tmp_path / "g.safetensors"))


def test_code_in_a_file_is_never_run(tmp_path):
    target = tmp_path / "ran"
    torch.save({"a": torch.ones(1), "bomb": Bomb(target)}, tmp_path / "zip.pth")
    torch.save({"bomb": Bomb(target)}, tmp_path / "old.pth", _use_new_zipfile_serialization=False)
    (tmp_path / "plain.pkl").write_bytes(pickle.dumps(Bomb(target)))
    for name in ("zip.pth", "old.pth", "plain.pkl"):
        with pytest.raises(
            InputError, match=r"refused without running|not a torch file|could run code and is not opened"
        ):
            read_state(tmp_path / name)
        assert not target.exists()
    with pytest.raises(InputError, match="refused without running"):
        read_state(tmp_path / "zip.pth")
    pickle.loads((tmp_path / "plain.pkl").read_bytes())
    assert target.exists()  # the bomb does go off in the hands of plain pickle


def test_files_that_are_no_weights(tmp_path):
    whole = tmp_path / "whole.pth"
    torch.save(STATE, whole)
    (tmp_path / "cut.pth").write_bytes(whole.read_bytes()[:-300])
    (tmp_path / "empty.pth").touch()
    (tmp_path / "page.pth").write_text("\n<!DOCTYPE html><html>Quota exceeded</html>")
    (tmp_path / "noise.pth").write_bytes(bytes(range(256)) * 4)
    (tmp_path / "noise.safetensors").write_bytes(bytes(range(256)) * 4)
    torch.save(torch.ones(3), tmp_path / "tensor.pth")
    torch.save([1, 2], tmp_path / "list.pth")
    torch.save({"a": torch.ones(2), "lr": 0.1}, tmp_path / "mixed.pth")
    torch.save({"a": torch.tensor([1.0, float("nan")])}, tmp_path / "nan.pth")
    for name, words in {
        "missing.pth": "no such file",
        "cut.pth": "damaged",
        "empty.pth": "empty",
        "page.pth": "web page",
        "noise.pth": "not a torch file|damaged",
        "noise.safetensors": "damaged",
        "tensor.pth": "single tensor",
        "list.pth": "a list",
        "mixed.pth": "'lr' is a float",
        "nan.pth": "weight a holds NaN",
        ".": "a folder",
    }.items():
        with pytest.raises(InputError, match=words) as caught:
            read_state(tmp_path / name)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"weight": None}, "weight is missing"),
        ({"extra": torch.ones(1)}, "extra is not part"),
        ({"weight": torch.ones(3, 2)}, r"\(3, 2\), expected \(2, 3\)"),
    ],
)
def test_strict_loading_names_the_first_wrong_weight(change, words):
    state = {"weight": torch.ones(2, 3), "bias": torch.ones(2), **change}
    with pytest.raises(InputError, match=words):
        load_strict(nn.Linear(3, 2), {key: tensor for key, tensor in state.items() if tensor is not None}, "file")


def test_strict_loading_refuses_complex_weights():
    with pytest.raises(InputError, match="weight bias is complex"):
        load_strict(nn.Linear(3, 2), {"weight": torch.ones(2, 3), "bias": torch.ones(2, dtype=torch.cfloat)}, "file")


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ({"a_orig": torch.ones(2, 3), "a_u": torch.ones(5)}, "vectors of the spectral norm of a do not fit"),
        ({"a_orig": torch.ones(2, 3), "a_u": torch.ones(2), "a_v": torch.ones(4)}, "vectors of the spectral norm"),
        ({"a_orig": torch.tensor(1.0), "a_u": torch.ones(1)}, "vectors of the spectral norm"),
        ({"a_orig": torch.ones(2, 3), "a_u": torch.zeros(2)}, "the norm of a is zero or not finite"),
        ({"a_g": torch.ones(4), "a_v": torch.ones(2, 3)}, "lengths of the weight norm of a do not fit"),
        ({"a_g": torch.ones(2, 1), "a_v": torch.zeros(2, 3)}, "the norm of a is zero or not finite"),
        ({"b.parametrizations.a.original0": torch.ones(1)}, "b.a has an unknown parametrisation"),
        ({"b.parametrizations.a.original": torch.ones(1)}, "b.a has an unknown parametrisation"),
    ],
)
def test_norms_that_do_not_fit_are_refused(state, words):
    with pytest.raises(InputError, match=f"file: .*{words}"):
        folded(state, "file")


def test_the_hash_depends_on_names_shapes_types_and_values_only():
    reference = state_sha256(STATE)
    assert state_sha256(dict(reversed(STATE.items()))) == reference
    others = [
        {**STATE, "a.bias": torch.ones(2)},
        {**STATE, "a.bias": torch.zeros(1, 2)},
        {**STATE, "a.bias": torch.zeros(2).half()},
        {"b.weight": STATE["a.weight"], "a.bias": STATE["a.bias"]},
    ]
    assert len({state_sha256(state) for state in others} | {reference}) == 5
