"""On a GPU: published images are reproduced, and methods find the same directions as on the CPU."""

import pytest
import torch

import direction_finder as df
from direction_finder.diagonalisation import joint
from direction_finder.generators.devices import pick_device
from tests import test_biggan, test_progan, test_train_progan
from tests.planted import worst_match
from tests.test_diagonalisation import planted_matrices

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")


@pytest.mark.parametrize("name", test_progan.LAYOUTS)
def test_golden_progans_give_their_images(name, tmp_path):
    state, z, image = test_progan.golden(name)
    path = test_progan.write(tmp_path / "g.safetensors", state)
    generator = df.load_generator(path, fused_scale="fused" in name or None, device="cuda")
    assert (generator(z[:, None].cuda()).cpu() - image).abs().max() < 1e-4


@torch.no_grad()
def test_the_golden_biggan_gives_its_image(tmp_path):
    state, z, classes, image = test_biggan.golden.__wrapped__()
    generator = df.load_generator(test_biggan.write(tmp_path / "G_ema.pth", state), device="cuda")
    assert (generator(z[:, None].cuda(), classes.cuda()).cpu() - image).abs().max() < 1e-4


@pytest.mark.parametrize(
    ("method", "settings"),
    [
        ("jacobian", {"points": 8}),
        ("jacobian", {"points": 8, "by": "channel", "at": ("layer3", "layer4")}),
        ("hessian-direct", {"points": 8}),
        ("hessian", {"steps": 3, "batch_size": 16, "share_points": 0, "score_samples": 0}),  # Adam amplifies rounding
    ],
)
def test_directions_are_those_of_the_cpu(method, settings):
    found = [
        df.find(df.load_generator("shapes-64", device=device), method, class_name="cube", **settings).vectors[:8]
        for device in ("cpu", "cuda")
    ]
    assert (found[0] * found[1]).sum(1).abs().min() > 0.999


def test_joint_diagonalisation_finds_the_planted_basis():
    matrices, basis = planted_matrices(64, 24, 0.1, seed=0)
    assert worst_match(joint(matrices.cuda()).cpu(), basis.double()) > 0.99


def test_a_training_that_is_resumed_from_a_file_gives_the_same_weights():
    device, states = pick_device("cuda"), []

    def stop(progress):
        states.append({name: tensor.cpu() for name, tensor in progress.state().items()})
        if len(states) == 17:
            progress.stop()

    test_train_progan.run(device=device, on_step=stop)
    resumed, _ = test_train_progan.run(device=device, resume=states[-1])
    whole, _ = test_train_progan.run(device=device)
    assert test_train_progan.weights(resumed) == test_train_progan.weights(whole)
