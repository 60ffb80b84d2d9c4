"""Reading weights from files that may be damaged, foreign or hostile. No code in a file is ever run."""

import hashlib
import pickle
import re
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from direction_finder.errors import InputError

State = dict[str, Tensor]

# where published checkpoints nest the generator's state dict
NESTED = ("netG_state_dict", "avgG", "netG", "generator", "state_dict", "model_state_dict", "G")


def looks_like_html(head: bytes) -> bool:
    """True if a file's first bytes are those of a web page, as quota and error pages saved as weights are."""
    return head.lstrip()[:14].lower().startswith((b"<!doctype html", b"<html", b"<?xml", b"<head"))


def read_state(path: str | Path, stubs: Sequence[str] = ()) -> State:
    """Read a state dict from a `.safetensors` file or a torch file, unnested, with a common `module.` removed.

    Raises InputError as `read_tensors` does, if the file is not a state dict, or has NaN or infinite weights.
    """
    path = Path(path)
    state = _unnested(read_tensors(path, stubs), path)
    if all(key.startswith("module.") for key in state):
        state = {key.removeprefix("module."): tensor for key, tensor in state.items()}
    for key, tensor in state.items():
        if tensor.is_floating_point() and not torch.isfinite(tensor).all():
            raise InputError(f"{path}: weight {key} holds NaN or infinite values; the checkpoint is damaged")
    return state


def read_tensors(path: str | Path, stubs: Sequence[str] = ()) -> Any:
    """What a `.safetensors` file or a torch file holds: tensors, perhaps in plain containers.

    stubs: full names of classes whose objects may lie beside the weights; they are read as empty objects of a class of
    ours, whatever the file says that they do.
    Raises InputError if the file is missing, empty, a web page or damaged, or holds other objects, which are refused
    and not executed.
    """
    path = Path(path)
    if path.is_dir():
        raise InputError(f"{path}: a folder; expected a file of weights")
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    with open(path, "rb") as file:
        head = file.read(64)
    if not head:
        raise InputError(f"{path}: the file is empty; download it again")
    if looks_like_html(head):
        raise InputError(f"{path}: a web page, not weights (an expired link or a quota page?); download it again")
    return _read(path, stubs)


def _read(path: Path, stubs: Sequence[str]) -> Any:
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        allowed = [_stub(*name.rpartition(".")[::2]) for name in stubs]
        with warnings.catch_warnings(), torch.serialization.safe_globals(allowed):
            warnings.simplefilter("ignore")  # on pickle protocols; what cannot be read raises
            return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        if foreign := re.search(r"GLOBAL (\S+)", str(error)):
            raise InputError(
                f"{path}: holds Python objects other than tensors ({foreign[1]}), which could run code; refused "
                "without running any. Save its state_dict() and load that"
            ) from error
        raise InputError(f"{path}: not a torch file, or a damaged one; download it again") from error
    except (SafetensorError, RuntimeError, EOFError, ValueError, KeyError, OSError, AttributeError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InputError(f"{path}: damaged or cut short ({reason}); download it again") from error


def _stub(module: str, name: str) -> type:
    """An empty class that goes by another's name."""
    return type(name, (), {"__module__": module})


def _unnested(content: object, path: Path) -> State:
    if isinstance(content, Tensor):
        raise InputError(f"{path}: a single tensor {tuple(content.shape)}, not the state dict of a generator")
    while isinstance(content, Mapping):
        inner = next((content[key] for key in NESTED if isinstance(content.get(key), Mapping)), None)
        if inner is None:
            break
        content = inner
    if not isinstance(content, Mapping) or not content:
        raise InputError(f"{path}: a {type(content).__name__}, not a state dict; expected names and tensors")
    for key, value in content.items():
        if not isinstance(key, str) or not isinstance(value, Tensor):
            raise InputError(f"{path}: entry {key!r} is a {type(value).__name__}; a state dict holds tensors only")
    return dict(content)


def load_strict(module: nn.Module, state: State, source: str) -> None:
    """Load `state` into `module`; every name and shape must agree, or InputError names the first that does not."""
    expected = module.state_dict()
    missing = [key for key in expected if key not in state]
    unexpected = [key for key in state if key not in expected]
    if missing:
        raise InputError(f"{source}: weight {missing[0]} is missing (and {len(missing) - 1} more)")
    if unexpected:
        raise InputError(
            f"{source}: weight {unexpected[0]} is not part of this architecture (and {len(unexpected) - 1} more)"
        )
    for key, tensor in expected.items():
        if state[key].shape != tensor.shape:
            raise InputError(
                f"{source}: weight {key} has shape {tuple(state[key].shape)}, expected {tuple(tensor.shape)}"
            )
    module.load_state_dict(state, strict=True)


def tensor_hashes(state: Mapping[str, Any]) -> dict[str, str]:
    """Return a short hash of each tensor of a state dict, by which two states can be told apart tensor by tensor."""
    return {key: state_sha256({"": value})[:12] for key, value in state.items() if isinstance(value, Tensor)}


def state_sha256(state: Mapping[str, Tensor]) -> str:
    """SHA-256 over the names, types, shapes and bytes of a state dict, in the order of the names."""
    digest = hashlib.sha256()
    for key in sorted(state):
        tensor = state[key].detach().cpu().contiguous()
        digest.update(f"{key} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        digest.update(tensor.flatten().view(torch.uint8).numpy())
    return digest.hexdigest()
