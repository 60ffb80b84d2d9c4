"""What a training run is gone on from: exactly, from its state; or from a snapshot, with new optimisers.

A run trains `networks`, a module whose children are the players and whatever follows them; `optimisers` has the Adam of
each player by the child's name. Running statistics (`running_...`) are measured when training is done, and not kept.
"""

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from direction_finder.errors import InputError

Optimisers = dict[str, torch.optim.Optimizer]
KEPT = "networks."


class Networks(nn.Module):
    """Everything that a run trains: its players, of which one is the generator, and the generator's moving average."""

    generator: nn.Module
    average: nn.Module


def _moments(
    networks: nn.Module, optimisers: Optimisers
) -> Iterator[tuple[str, Tensor, dict[Tensor, dict[str, Tensor]]]]:
    """Each trained parameter's name, itself, and its optimiser's state."""
    for player, optimiser in optimisers.items():
        for name, parameter in getattr(networks, player).named_parameters():
            yield f"{player}.{name}", parameter, optimiser.state


def state(networks: nn.Module, optimisers: Optimisers, step: int) -> dict[str, Tensor]:
    """Copies of everything that `restore` needs to go on after `step`."""
    kept = {f"{KEPT}{name}": tensor for name, tensor in networks.state_dict().items() if "running_" not in name}
    for name, parameter, slots in _moments(networks, optimisers):
        kept |= {f"{moment}.{name}": tensor for moment, tensor in slots[parameter].items()}
    return {**{name: tensor.detach().clone() for name, tensor in kept.items()}, "step": torch.tensor(step)}


def restore(networks: nn.Module, optimisers: Optimisers, state: dict[str, Tensor]) -> int:
    """Set networks and optimisers to a `state`. Returns its step. Raises InputError if it is of other networks."""
    weights = {name.removeprefix(KEPT): each for name, each in state.items() if name.startswith(KEPT)}
    try:
        missing = set(networks.load_state_dict(weights, strict=False).missing_keys)
        for name, parameter, slots in _moments(networks, optimisers):
            if f"step.{name}" not in state:  # of a level that had not begun to grow
                continue
            slots[parameter] = {"step": state[f"step.{name}"].clone()}
            for moment in ("exp_avg", "exp_avg_sq"):  # laid out in memory like the parameter, as fused Adam needs
                slots[parameter][moment] = torch.empty_like(parameter).copy_(state[f"{moment}.{name}"])
    except (KeyError, RuntimeError) as error:
        raise InputError(f"the state does not fit these networks ({str(error).splitlines()[0]})") from error
    if lost := [name for name in missing if "running_" not in name]:
        raise InputError(f"the state has no {min(lost)}")
    return int(state["step"])


@torch.no_grad()
def follow(average: nn.Module, now: nn.Module, decay: float) -> None:
    """Move the weights of a moving average towards those of now."""
    torch._foreach_lerp_(list(average.parameters()), list(now.parameters()), 1 - decay)


def snapshot(networks: nn.Module) -> dict[str, Tensor]:
    """Half-precision weights of everything but `generator`, which its moving average stands for."""
    return {
        name: tensor.half().cpu().contiguous()
        for name, tensor in networks.state_dict().items()
        if not name.startswith("generator.") and "running_" not in name
    }


def start_from(networks: Networks, start: dict[str, Tensor]) -> None:
    """Set networks to a `snapshot`, the generator to its moving average `average`. Raises InputError for another's."""
    expected = snapshot(networks)
    if {name: tensor.shape for name, tensor in start.items()} != {name: t.shape for name, t in expected.items()}:
        raise InputError("the snapshot is of other networks: give the settings that it was made with")
    networks.load_state_dict({name: tensor.float() for name, tensor in start.items()}, strict=False)
    networks.generator.load_state_dict(networks.average.state_dict())
