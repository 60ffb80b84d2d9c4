"""Choose the network to take from a checkpoint: averages before raw weights, generators before others; no prefixes."""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from direction_finder.errors import InputError
from direction_finder.generators.weights.files import read_tensors
from direction_finder.generators.weights.states import State

AVERAGES = {"ema", "smooth", "avg", "average", "averaged", "shadow", "swa", "running"}
GENERATORS = {"generator", "gen", "g"}
CRITICS = {"discriminator", "disc", "dis", "d", "critic"}
OPTIMISERS = {"optim", "optimizer", "opt", "scheduler"}
WRAPPERS = {"module", "_orig_mod"}  # of DataParallel and torch.compile
CONTAINERS = {"model", "net", "network"}  # removed if several networks are in them
ROLES = ("average", "generator", "plain")  # in order of preference


class Weights(NamedTuple):
    """Hold a network's state dict, and what was chosen among several networks, in words."""

    state: State
    notes: tuple[str, ...] = ()


def read_state(path: str | Path, stubs: Sequence[str] = ()) -> State:
    """Return the state dict that `read_weights` chooses."""
    return read_weights(path, stubs=stubs).state


def read_whole(path: str | Path) -> State:
    """Return all tensors of a state dict, of whatever networks. Raises InputError if the file is not one state dict."""
    content = read_tensors(path)
    if not isinstance(content, Mapping) or not all(isinstance(value, Tensor) for value in content.values()):
        raise InputError(f"{path}: expected one state dict of tensors")
    return dict(content)


def read_weights(path: str | Path, key: str | None = None, stubs: Sequence[str] = ()) -> Weights:
    """Return the state dict of a generator from a checkpoint, with the prefixes of wrappers removed.

    key: the name of the network to take, if there are several; None: the generator's moving average, otherwise the
    generator, otherwise the only network. stubs: see `read_tensors`.

    Raises InputError as `read_tensors` does, and if none or more than one network fits, or weights are not finite.
    """
    path = Path(path)
    content = read_tensors(path, stubs)
    if isinstance(content, Tensor):
        raise InputError(f"{path}: a single tensor {tuple(content.shape)}, not the state dict of a generator")
    if not isinstance(content, Mapping) or not content:
        raise InputError(f"{path}: a {type(content).__name__}, not a state dict; expected names and tensors")
    networks = {name: state for name, state in _networks(content, path) if state}
    chosen = _chosen(networks, key, path)
    for name, tensor in networks[chosen].items():
        if tensor.is_floating_point() and not torch.isfinite(tensor).all():
            raise InputError(f"{path}: weight {name} holds NaN or infinite values; the checkpoint is damaged")
    return Weights(networks[chosen], _notes(networks, chosen, content))


def _chosen(networks: Mapping[str, State], key: str | None, path: Path) -> str:
    """Return the name of the network to take."""
    if key is not None:
        fitting = [name for name in networks if key in (name, name.rpartition("/")[2])]
        if len(fitting) != 1:
            raise InputError(f"{path}: key {key!r}: expected one of {', '.join(filter(None, networks)) or 'none'}")
        return fitting[0]
    for role in ROLES:
        fitting = [name for name in networks if _role(name) == role]
        if len(fitting) == 1:
            return fitting[0]
        if fitting:
            raise InputError(f"{path}: holds several networks, {', '.join(fitting)}; choose one with `key`")
    raise InputError(f"{path}: holds {', '.join(networks) or 'no tensors'}; expected a generator, or its name as `key`")


def _notes(networks: Mapping[str, State], chosen: str, content: Mapping[str, Any]) -> tuple[str, ...]:
    others = [name for name in networks if name != chosen]
    unnamed = [str(key) for key, value in content.items() if _role(str(key)) == "average" and isinstance(value, list)]
    if unnamed and _role(chosen) != "average":
        return (f"{chosen or 'the weights'} used, because the moving average {unnamed[0]} is a list without names",)
    if not others:
        return ()
    kind = ", a moving average," if _role(chosen) == "average" else ""
    return (f"{chosen}{kind} used; the file also holds {', '.join(others)} (`key` chooses another)",)


def _networks(content: Mapping[Any, Any], path: Path, name: str = "") -> Iterator[tuple[str, State]]:
    """Yield the name and the state dict of every network in nested mappings."""
    tensors = {key: value for key, value in content.items() if isinstance(value, Tensor)}
    nested = {key: value for key, value in content.items() if isinstance(value, Mapping)}
    if tensors and all(_role(str(key)) == "other" for key in nested):
        for key, value in content.items():
            if not isinstance(key, str) or not isinstance(value, Tensor):
                if key in nested:
                    continue
                entry = f"entry {key!r}" if isinstance(key, str) else f"an entry named by a {type(key).__name__}"
                kind = type(value).__name__
                raise InputError(f"{path}: {entry} is a {kind}; a state dict holds names and tensors only")
        yield from _split(tensors, name)
        return
    for key, value in nested.items():
        inner = f"{name}/{key}" if name else str(key)
        if isinstance(key, str) and _holds_tensors(value) and not _words(inner) & OPTIMISERS:
            yield from _networks(value, path, inner)


def _holds_tensors(content: Mapping[Any, Any]) -> bool:
    return any(
        isinstance(value, Tensor) or (isinstance(value, Mapping) and _holds_tensors(value))
        for value in content.values()
    )


def _split(state: State, name: str) -> Iterator[tuple[str, State]]:
    """Yield the networks whose weights are in one state dict, recognised by the first part of their names."""
    state, name = _unwrapped(state, name)
    groups: dict[str, State] = {}
    for key, tensor in state.items():
        first, _, rest = key.partition(".")
        groups.setdefault(first, {})[rest] = tensor
    roles = {first: _role(first) for first in groups}
    own = [first for first in groups if roles[first] in ("average", "generator")]
    copies = any(groups[a].keys() == groups[b].keys() for a in own for b in groups if a != b and len(groups[a]) > 1)
    if own and (copies or "other" in roles.values()):
        for first, group in groups.items():
            yield _unwrapped(group, f"{name}/{first}" if name else first)[::-1]
    else:
        yield name, state


def _unwrapped(state: State, name: str) -> tuple[State, str]:
    """Remove the prefixes of a whole state dict; those that say what the network is become part of its name."""
    state = {key.replace("._orig_mod.", "."): value for key, value in state.items()}
    if "n_averaged" in state:  # torch's AveragedModel
        state = {key: value for key, value in state.items() if key != "n_averaged"}
        name = f"{name}/averaged" if name else "averaged"
    while len(firsts := {key.partition(".")[0] for key in state}) == 1 and all("." in key for key in state):
        (first,) = firsts
        inner = {key.partition(".")[2]: value for key, value in state.items()}
        seconds = {key.partition(".")[0] for key in inner}
        if first in CONTAINERS and not all(second in WRAPPERS or _role(second) != "plain" for second in seconds):
            break
        if first not in WRAPPERS | CONTAINERS and _role(first) not in ("average", "generator"):
            break
        if first not in WRAPPERS | CONTAINERS:
            name = f"{name}/{first}" if name else first
        state = inner
    return state, name


def _words(name: str) -> set[str]:
    """Return the words of a name like netG_ema: net, g, ema."""
    return {word.lower() for word in re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])", name)}


def _role(name: str) -> str:
    """Return what a network is, judged by its name: average, generator, other or plain."""
    words = _words(name)
    if words & (CRITICS | OPTIMISERS):
        return "other"
    if words & AVERAGES:
        return "average"
    return "generator" if words & GENERATORS else "plain"
