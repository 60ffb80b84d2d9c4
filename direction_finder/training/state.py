"""Save and restore training runs: exactly, from a state; or from a snapshot, with new optimisers.

A run trains `networks`, a module whose children are the players and the moving average of the generator; `optimisers`
maps a player's name to its optimiser. Running statistics (`running_...`) are not saved: they are measured after
training.
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
    """Yield the name of each trained parameter, the parameter, and the state of its optimiser."""
    for player, optimiser in optimisers.items():
        for name, parameter in getattr(networks, player).named_parameters():
            yield f"{player}.{name}", parameter, optimiser.state


def state(networks: nn.Module, optimisers: Optimisers, step: int) -> dict[str, Tensor]:
    """Return copies of all tensors that `restore` needs to resume after `step`."""
    tensors = {f"{KEPT}{name}": tensor for name, tensor in networks.state_dict().items() if "running_" not in name}
    for name, parameter, slots in _moments(networks, optimisers):
        tensors |= {f"{moment}.{name}": tensor for moment, tensor in slots[parameter].items()}
    return {**{name: tensor.detach().clone() for name, tensor in tensors.items()}, "step": torch.tensor(step)}


def restore(networks: nn.Module, optimisers: Optimisers, state: dict[str, Tensor]) -> int:
    """Set networks and optimisers to a `state` and return its step. Raises InputError if it does not fit them."""
    weights = {name.removeprefix(KEPT): tensor for name, tensor in state.items() if name.startswith(KEPT)}
    try:
        missing = set(networks.load_state_dict(weights, strict=False).missing_keys)
        for name, parameter, slots in _moments(networks, optimisers):
            if f"step.{name}" not in state:  # belongs to a level that had not begun to grow
                continue
            slots[parameter] = {"step": state[f"step.{name}"].to(parameter.device, copy=True)}  # as fused Adam needs
            for moment in ("exp_avg", "exp_avg_sq"):
                tensor = state[f"{moment}.{name}"]
                if tensor.ndim:  # laid out in memory like the parameter, as fused Adam needs
                    slots[parameter][moment] = torch.empty_like(parameter).copy_(tensor)
                else:  # Cayley ADAM's
                    slots[parameter][moment] = tensor.to(parameter, copy=True)
    except (KeyError, RuntimeError) as error:
        raise InputError(
            f"the saved state does not fit these networks ({str(error).splitlines()[0]}): "
            "resume with the settings of that run"
        ) from error
    if lost := [name for name in missing if "running_" not in name]:
        raise InputError(f"the saved state has no {min(lost)}: resume with the settings of that run")
    return int(state["step"])


@torch.no_grad()
def follow(average: nn.Module, now: nn.Module, decay: float) -> None:
    """Move the weights of a moving average towards the present ones: average = decay * average + (1 - decay) * now."""
    torch._foreach_lerp_(list(average.parameters()), list(now.parameters()), 1 - decay)


def snapshot(networks: nn.Module) -> dict[str, Tensor]:
    """Return half-precision weights of all networks except `generator`, for which its moving average is used."""
    return {
        name: tensor.half().cpu().contiguous()
        for name, tensor in networks.state_dict().items()
        if not name.startswith("generator.") and "running_" not in name
    }


def start_from(networks: Networks, start: dict[str, Tensor]) -> None:
    """Set networks to a `snapshot`, and the generator to its moving average. Raises InputError if it does not fit."""
    expected = snapshot(networks)
    if {name: tensor.shape for name, tensor in start.items()} != {name: t.shape for name, t in expected.items()}:
        raise InputError("the snapshot is of other networks: use the settings that it was made with")
    networks.load_state_dict({name: tensor.float() for name, tensor in start.items()}, strict=False)
    networks.generator.load_state_dict(networks.average.state_dict())
