"""Load BigGAN-deep checkpoints in the layout of `pytorch-pretrained-biggan`."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from direction_finder.class_names import imagenet_names
from direction_finder.errors import InputError
from direction_finder.generators.base import Generator, Half, class_labels
from direction_finder.generators.biggan_deep_config import CONFIG, FIRST_SIDE, FIRST_WIDTH, Config, read_config
from direction_finder.generators.weights import State, load_strict, read_state, state_sha256

if TYPE_CHECKING:
    from pytorch_pretrained_biggan import BigGAN

WEIGHTS = "pytorch_model.bin"


class BigGANDeepGenerator(Generator):
    """Generate images with a frozen BigGAN-deep.

    z and the class embedding feed the first linear layer (0) and every block (1, 2, ...).
    """

    def __init__(
        self, network, *, name: str, weights_sha256: str, class_names: Sequence[str], truncation: float | None
    ):
        super().__init__()
        self.network = network
        self.name = name
        self.weights_sha256 = weights_sha256
        self.class_names = tuple(class_names)
        self.dim, self.num_classes = network.embedding.shape
        self.num_layers = 1 + network.num_blocks
        self.truncation = truncation
        self.freeze()
        with torch.no_grad():
            z, classes = torch.zeros(1, self.num_layers, self.dim), torch.zeros(1, dtype=torch.long)
            shapes = {stage: tensor.shape for stage, tensor in network.stages(z, classes)}
        self.activation_names = self.stage_names = tuple(shapes)
        self.resolution = shapes["image"][-1]

    def reads(self) -> dict[str, Tensor]:
        return {name: weight[:, : self.dim] for name, weight in self.network.reads().items()}

    def run(
        self, latents: Tensor, classes: Tensor | None, at: frozenset[str], half: Half | None = None
    ) -> dict[str, Tensor]:
        return self.collect(self.network.stages(latents, classes), at, half)


def load_biggan_deep(path: str | Path, *, name: str, truncation: float | None = None) -> BigGANDeepGenerator:
    """Load a BigGAN-deep from a folder with `config.json` and `pytorch_model.bin` or a `.safetensors` file.

    truncation: None for z ~ N(0, I) with the statistics of truncation 1, as in the paper; else in (0, 1].
    Raises InputError that names what is missing or wrong.
    """
    from direction_finder.generators.networks.biggan_deep import FrozenBigGANDeep

    if truncation is not None and not 0 < truncation <= 1:
        raise InputError(f"truncation {truncation}: BigGAN's statistics are stored for values above 0 and up to 1")
    folder = Path(path)
    if not (folder / CONFIG).is_file():
        raise InputError(f"{folder}: no {CONFIG}; a BigGAN-deep is a folder with {CONFIG} and {WEIGHTS}")
    content = read_config(folder / CONFIG)
    weights = find_weights(folder)
    if weights is None:
        raise InputError(f"{folder}: no weights beside {CONFIG}; expected {WEIGHTS} or one .safetensors file")
    model, state = read_network(weights, content)
    names = content.get("class_names") or (imagenet_names() if content["num_classes"] == 1000 else ())
    network = FrozenBigGANDeep(model.eval().requires_grad_(False), 1.0 if truncation is None else truncation)
    return BigGANDeepGenerator(
        network,
        name=name,
        weights_sha256=state_sha256(state),
        class_names=class_labels(content["num_classes"], names),
        truncation=truncation,
    )


def read_network(path: Path, content: Config) -> tuple["BigGAN", State]:
    """Return the package's network for a configuration with the weights of a file, and these weights.

    Raises InputError that names the first weight that does not fit. No configuration uses more memory than the weights.
    """
    # imported only when a BigGAN is loaded, because the package imports boto3 and scipy
    from pytorch_pretrained_biggan import BigGAN, BigGANConfig

    state = read_state(path)
    for key, shape in _shapes(content):
        if key not in state:
            raise InputError(f"{path}: weight {key} is missing, which {CONFIG} asks for")
        if state[key].shape != shape:
            raise InputError(f"{path}: weight {key} has shape {tuple(state[key].shape)}, expected {shape} by {CONFIG}")
    needed = {key: value for key, value in content.items() if key in Config.__required_keys__}
    model = BigGAN(BigGANConfig.from_dict(needed))
    load_strict(model, state, str(path))
    return model, state


def _shapes(content: Config) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Yield names and shapes of the largest weights, which bound those of all others."""
    z, width, stats = 2 * content["z_dim"], content["channel_width"], content["n_stats"]
    yield "embeddings.weight", (content["z_dim"], content["num_classes"])
    yield "generator.gen_z.weight_orig", (FIRST_SIDE**2 * FIRST_WIDTH * width, z)
    yield "generator.conv_to_rgb.weight_orig", (width, width, 3, 3)
    for index, (_, before, _) in enumerate(content["layers"]):
        block = f"generator.layers.{index + (0 <= content['attention_layer_position'] <= index)}"
        channels, middle = before * width, before * width // 4
        yield f"{block}.bn_0.running_means", (stats, channels)
        yield f"{block}.bn_0.scale.weight_orig", (channels, z)
        yield f"{block}.conv_1.weight_orig", (middle, middle, 3, 3)


def find_weights(folder: Path) -> Path | None:
    """Return `pytorch_model.bin`, or else the only `.safetensors` file of a folder; None if there is neither."""
    if (folder / WEIGHTS).is_file():
        return folder / WEIGHTS
    files = sorted(folder.glob("*.safetensors"))
    return files[0] if len(files) == 1 else None
