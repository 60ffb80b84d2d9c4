"""DCGAN checkpoints, plain or class-conditional, of the many spellings in use."""

import importlib.util
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor
from torch.nn.functional import one_hot

from direction_finder.errors import InputError
from direction_finder.generators.base import Generator, Half, Stages, as_rgb, class_labels
from direction_finder.generators.networks.dcgan import DCGAN
from direction_finder.generators.weights import State, load_strict, read_weights, state_sha256

EYES_CLASSES = ("amber", "blue", "brown", "gray", "grayscale", "green", "hazel", "red")


class DCGANGenerator(Generator):
    """A frozen DCGAN. A class-conditional one takes z followed by the one-hot class as its input."""

    def __init__(
        self, network: DCGAN, *, name: str, weights_sha256: str, class_names: Sequence[str], truncation: float | None
    ):
        super().__init__()
        self.network = network.to(memory_format=torch.channels_last)  # about a fifth faster on a CPU
        self.name = name
        self.weights_sha256 = weights_sha256
        self.class_names = tuple(class_names)
        self.num_classes = len(class_names)
        self.dim = network.convs[0].in_channels - self.num_classes
        self.resolution = 4 * 2 ** (len(network.convs) - 1)
        self.truncation = truncation
        self.activation_names = self.stage_names = (*(f"layer{i}" for i in range(len(network.norms))), "image")
        self.freeze()

    def run(
        self, latents: Tensor, classes: Tensor | None, at: frozenset[str], half: Half | None = None
    ) -> dict[str, Tensor]:
        return self.collect(self._stages(latents, classes), at, half)

    def _stages(self, latents: Tensor, classes: Tensor | None) -> Stages:
        x = latents[:, 0]
        if self.num_classes:
            x = torch.cat([x, one_hot(classes, self.num_classes).to(x)], dim=1)
        for name, tensor in self.network.stages(x):
            yield name, as_rgb(tensor) if name == "image" else tensor


def load_dcgan(
    path: str | Path,
    *,
    name: str,
    truncation: float | None = None,
    num_classes: int = 0,
    class_names: Sequence[str] = (),
    key: str | None = None,
) -> DCGANGenerator:
    """Load a DCGAN checkpoint; widths and depth are read from the shapes.

    num_classes: how many of the input channels are the one-hot class (the weights cannot tell; 0: none). key: which
    network of the file.
    Raises InputError if the file is not a DCGAN's state dict.
    """
    state, notes = read_weights(path, key)
    state = _renamed(state, path)
    convs = [state[f"convs.{i}.weight"] for i in range(sum(key.endswith("weight") and "convs" in key for key in state))]
    widths = [convs[0].shape[0], *(weight.shape[1] for weight in convs)]
    if not 0 <= num_classes < widths[0]:
        raise InputError(f"{path}: {num_classes} classes do not fit: the first layer takes {widths[0]} inputs in all")
    network = DCGAN(widths, [f"convs.{i}.bias" in state for i in range(len(convs))])
    load_strict(network, state, str(path))
    generator = DCGANGenerator(
        network,
        name=name,
        weights_sha256=state_sha256(state),
        class_names=class_labels(num_classes, class_names),
        truncation=truncation,
    )
    generator.notes = notes
    return generator


def load_eyes(*, name: str = "eyes", truncation: float | None = None) -> DCGANGenerator:
    """The iris generator of the PyPI package `omniart-eye-generator` (Knoester, MIT), read from the installed wheel.

    Importing that package fails without CUDA, so its file of weights is found without importing it.
    """
    spec = importlib.util.find_spec("omniart_eye_generator")
    if spec is None or not spec.submodule_search_locations:
        raise InputError("generator 'eyes' is not installed: pip install 'direction-finder[demo]'")
    path = Path(spec.submodule_search_locations[0]) / "generator_model_state.pth"
    return load_dcgan(path, name=name, truncation=truncation, num_classes=len(EYES_CLASSES), class_names=EYES_CLASSES)


def _renamed(state: State, path: str | Path) -> State:
    """Map any spelling of the layers (`main.0`, `3`, `main.pyramid:512-256:convt`) to the network's own, by order.

    Transposed convolutions are the 4-D weights and batch norms the modules with running statistics. Modules numbered by
    a Sequential are ordered by number (dropout leaves gaps); others keep the order of the file.
    """
    modules: dict[str, State] = {}
    for key, tensor in state.items():
        module, _, parameter = key.rpartition(".")
        modules.setdefault(module, {})[parameter] = tensor
    last = {module: module.rpartition(".")[2] for module in modules}
    if all(number.isdigit() for number in last.values()):
        modules = dict(sorted(modules.items(), key=lambda item: int(last[item[0]])))

    renamed: State = {}
    counts = {"convs": 0, "norms": 0}
    for module, parameters in modules.items():
        weight = parameters.get("weight")
        kind = "norms" if "running_mean" in parameters else "convs"
        if weight is None or (kind == "convs" and (weight.ndim != 4 or weight.shape[2:] != (4, 4))):
            shape = None if weight is None else tuple(weight.shape)
            raise InputError(
                f"{path}: layer {module!r} (weight {shape}) is no 4x4 convolution or batch norm of a DCGAN"
            )
        for parameter, tensor in parameters.items():
            renamed[f"{kind}.{counts[kind]}.{parameter}"] = tensor
        counts[kind] += 1
    if counts["convs"] < 2 or counts["norms"] != counts["convs"] - 1:
        raise InputError(
            f"{path}: {counts['convs']} convolutions and {counts['norms']} batch norms; a DCGAN has one fewer norm"
        )
    for i in range(counts["norms"]):
        renamed.setdefault(f"norms.{i}.num_batches_tracked", torch.tensor(0))
    return renamed
