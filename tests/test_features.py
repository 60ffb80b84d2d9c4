"""Feature networks with files of the published format but random values, and distances against closed forms."""

import pickle

import pytest
import torch
from torch.nn.functional import interpolate

from direction_finder.errors import InputError
from direction_finder.generators import download
from direction_finder.metrics import features
from direction_finder.metrics.features import inception, lpips
from direction_finder.metrics.kernel import kernel_distance
from tests.test_weights import Bomb

inception_module = pytest.importorskip("torch_fidelity.feature_extractor_inceptionv3")
lpips_module = pytest.importorskip("torch_fidelity.sample_similarity_lpips")
torchvision = pytest.importorskip("torchvision")


def unloaded(kind: type, module, monkeypatch) -> torch.nn.Module:
    """A network of the library's, as it is made before its weights are read."""
    with monkeypatch.context() as patched:
        patched.setattr(module, "load_state_dict_from_url", lambda *_, **__: {})
        blank = type("Blank", (kind,), {"load_state_dict": lambda *_: None})
        return blank("blank", ["2048"], verbose=False)


def put(folder, url: str, state: dict[str, torch.Tensor]) -> None:
    (folder / "checkpoints").mkdir(exist_ok=True)
    torch.save(state, folder / "checkpoints" / url.rpartition("/")[2])


@pytest.fixture
def images(rng):
    return interpolate(torch.rand(3, 3, 8, 8, generator=rng), (32, 32), mode="bilinear") * 2 - 1


def test_inception_with_weights_in_a_folder(tmp_path, images, monkeypatch):
    made = unloaded(inception_module.FeatureExtractorInceptionV3, inception_module, monkeypatch)
    put(tmp_path, inception_module.URL_INCEPTION_V3, made.state_dict())
    usual = torch.hub.get_dir()
    features = inception(folder=tmp_path)
    found = features(images)
    assert found.shape == (3, 2048) and found.std(0).mean() > 1e-3 * found.mean() > 0
    pixels = ((images + 1) * 127.5).round().byte()
    assert torch.equal(found, made(pixels)[0])
    assert torch.hub.get_dir() == usual


def test_lpips_with_weights_in_a_folder(tmp_path, images, rng):
    vgg = torchvision.models.vgg
    layers = vgg.make_layers(vgg.cfgs["D"])
    with torch.device("meta"):
        shapes = vgg.vgg16().classifier.state_dict()
    unused = {f"classifier.{key}": torch.zeros(1).expand(tensor.shape) for key, tensor in shapes.items()}
    state = {**{f"features.{key}": tensor for key, tensor in layers.state_dict().items()}, **unused}
    put(tmp_path, vgg.VGG16_Weights.IMAGENET1K_V1.url, state)
    channels = (64, 128, 256, 512, 512)
    lines = {f"lin{i}.model.1.weight": torch.rand(1, c, 1, 1, generator=rng) for i, c in enumerate(channels)}
    put(tmp_path, lpips_module.URL_VGG16_LPIPS, lines)
    distance = lpips(folder=tmp_path)
    images = images[:2]
    found = distance(images, images.flip(0))
    assert found.shape == (2,) and found[0] == pytest.approx(found[1].item(), rel=1e-4)

    def activations(x):  # of whole images of 256 pixels, normalised as LPIPS does
        x = interpolate(x, (256, 256), mode="bilinear")
        x = (x - torch.tensor([-0.030, -0.088, -0.188]).view(3, 1, 1)) / torch.tensor([0.458, 0.448, 0.450]).view(
            3, 1, 1
        )
        for number, layer in enumerate(layers[:30]):
            x = layer(x)
            if number in (3, 8, 15, 22, 29):
                yield x / x.norm(dim=1, keepdim=True)

    pairs = zip(activations(images), activations(images.flip(0)), lines.values(), strict=True)
    expected = sum(((a - b).square() * line[0]).sum(1).mean((1, 2)) for a, b, line in pairs)
    assert torch.allclose(found, expected, rtol=1e-3, atol=1e-6)


def test_weights_that_are_missing_or_hostile(tmp_path, monkeypatch):
    url = "http://127.0.0.1:9/inception.pth"
    monkeypatch.setattr(inception_module, "URL_INCEPTION_V3", url)
    monkeypatch.setattr(download, "PAUSE", 0)
    path = tmp_path / "checkpoints" / "inception.pth"
    with pytest.raises(InputError, match=rf"{url}: .* put the file at {path}"):
        inception(folder=tmp_path)
    path.write_bytes(pickle.dumps(Bomb(tmp_path / "ran")))
    with pytest.raises(InputError, match=r"inception\.pth"):
        inception(folder=tmp_path)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("own", [True, False])
def test_damaged_weights_are_downloaded_again_unless_they_are_in_a_folder_of_the_user(own, tmp_path, monkeypatch):
    url, asked = "http://127.0.0.1:9/weights-2015-12-05-6726825d.pth", []
    monkeypatch.setattr(features, "fetch", lambda *_, **options: asked.append(options["sha256"]))
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    put(tmp_path, url, {"weight": torch.ones(2)})
    folder = tmp_path if own else None
    with features._weights([url], folder):
        assert not asked
    path = tmp_path / "checkpoints" / "weights-2015-12-05-6726825d.pth"
    path.write_bytes(path.read_bytes()[:-50])
    if own:
        with pytest.raises(InputError, match=r"6726825d\.pth: damaged"), features._weights([url], folder):
            pass
    else:
        with features._weights([url], folder):
            pass
    assert asked == ([] if own else ["6726825d"])
    path.unlink()
    with features._weights([url.replace("-6726825d", "")], folder):
        assert asked[-1] is None


def test_kernel_distance_is_the_closed_form(rng):
    """In one dimension the kernel is (1 + x y)^3, so the squared MMD is a weighted sum of moments' differences."""
    a, b = torch.randn(2, 4000, 1, dtype=torch.double, generator=rng) * torch.tensor([[[0.8]], [[1.2]]]) + 0.3
    b = b + 0.5
    # moments of N(m, s^2): m, m^2 + s^2, m^3 + 3 m s^2
    moments = [torch.tensor([m, m**2 + s**2, m**3 + 3 * m * s**2]) for m, s in ((0.3, 0.8), (0.8, 1.2))]
    expected = ((moments[0] - moments[1]).square() * torch.tensor([3.0, 3.0, 1.0])).sum().item()
    found = kernel_distance(a, b, subsets=10)
    assert found.value == pytest.approx(expected, rel=0.15)
    assert found.low < found.value < found.high
    same = kernel_distance(a[:2000], a[2000:], subsets=10)
    assert abs(same.value) < 0.05 * expected
    assert kernel_distance(a, b, subsets=3) == kernel_distance(a, b, subsets=3)
