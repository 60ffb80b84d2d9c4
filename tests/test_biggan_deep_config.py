"""The `config.json` of a BigGAN-deep: what fits is loaded, and anything else is one line, soon and without memory."""

import copy
import json
import math
import resource
import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from direction_finder.errors import InputError
from direction_finder.generators import load_generator
from direction_finder.generators.biggan_deep_config import read_config
from tests.sane_biggan import SMALL, write_folder

LAYERS = SMALL["layers"]
SAID = {
    "z_dim": [(0, ">= 1"), (-1, ">= 1"), (10**9, "<= 65536"), (10**400, "z_dim|number"), (12.5, "int"), ("12", "int")],
    "channel_width": [(10**9, "<= 4096"), (3, ">= 4"), (True, "int"), (None, "int"), ([8], "int")],
    "num_classes": [(0, ">= 1"), (10**9, "<= 1000000"), ({}, "int")],
    "n_stats": [(1, ">= 2"), (10**9, "<= 10000")],
    "eps": [(0, "eps"), (-1e-4, "eps"), (math.nan, "eps"), (math.inf, "eps"), ("x", "float"), (10**400, "eps|number")],
    "attention_layer_position": [
        ("3", "int"),
        (3.5, "int"),
        (1, r"weight .*\.layers\.2\.bn_0\.running_means has shape"),
        (99, "weight .* is missing"),
    ],
    "output_dim": [(64, "layers make images of 32 pixels"), ("32", "int")],
    "class_names": [("abcde", "array"), ([1] * 5, "str"), (["a"], "1 class names for 5 classes")],
    "layers": [
        ([], "length >= 1"),
        (None, "array"),
        ([[False, 16, 16]] * 65, "length <= 64"),
        ([*LAYERS, [True, 1]], "layers"),
        ([*LAYERS, [1, 1, 1]], "bool"),
        ([[False, 8, 16], *LAYERS[1:]], "layer 0 takes 8 channels, but the layer before it gives 16"),
        ([LAYERS[0], LAYERS[2], *LAYERS[3:]], "layer 1 takes 8 channels"),
        ([[False, 16, 16], [True, 16, 32], [True, 32, 1]], "gives more channels"),
        (LAYERS[:-1], "the last layer gives 2 channels, expected 1"),
        ([[True, 16, 16]] * 9 + [[False, 16, 1]], "attention|images of 2048 pixels"),
        ([[True, 16, 16]] * 3 + [[True, 16, 1]], "output_dim 32, but its layers make images of 64 pixels"),
    ],
}


def written(tmp_path, content) -> object:
    path = tmp_path / "config.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory, biggan_model):
    folder = tmp_path_factory.mktemp("biggan")
    write_folder(folder, SMALL, biggan_model)
    return folder


@pytest.mark.parametrize(("key", "value", "words"), [(key, *case) for key, cases in SAID.items() for case in cases])
def test_a_value_that_cannot_be(key, value, words, folder):
    written(folder, {**SMALL, key: value})
    with pytest.raises(InputError, match=words) as caught:
        load_generator(f"biggan-deep:{folder}")
    assert "\n" not in str(caught.value) and str(folder) in str(caught.value)


@pytest.mark.parametrize("key", ["z_dim", "channel_width", "num_classes", "layers", "eps", "n_stats"])
def test_a_key_that_is_missing(key, tmp_path):
    with pytest.raises(InputError, match=f"missing required field {key}"):
        read_config(written(tmp_path, {name: value for name, value in SMALL.items() if name != key}))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ('{"a":' * 100_000, "not JSON"),
        ("[]", "expected object"),
        ("null", "expected object"),
        ("<html>", "a web page"),
        (" " * (1 << 25), "far more than a configuration has"),
    ],
)
def test_a_file_that_is_no_configuration(text, words, tmp_path):
    with pytest.raises(InputError, match=words) as caught:
        read_config(written(tmp_path, text))
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 1000


def test_what_may_differ(folder):
    more = {"output_dim": None, "class_names": None, "to_dict": 1, "__class__": 2, "deep": [[[[]]]], "NaN": math.nan}
    content = {**SMALL, **more}
    del content["output_dim"]
    written(folder, content)
    assert load_generator(f"biggan-deep:{folder}").resolution == 32


VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**12), 10**12),
    st.integers(0, 70),
    st.floats(),
    st.text(max_size=5),
    st.sampled_from([10**30, -(10**30), 10**400, [], {}, [[]], [True, 16, 16], "\0", LAYERS, LAYERS[::-1], LAYERS * 2]),
)


@st.composite
def mutated(draw) -> str:
    """A configuration with some values replaced, dropped or doubled, perhaps cut as text."""
    content = copy.deepcopy(SMALL)
    for _ in range(draw(st.integers(1, 3))):
        key = draw(st.sampled_from([*SMALL, "class_names", "other"]))
        action = draw(st.sampled_from(["set", "set", "drop", "inner", "double"]))
        if action == "set":
            content[key] = draw(VALUES)
        elif action == "drop":
            content.pop(key, None)
        elif isinstance(layers := content.get("layers"), list) and layers:
            index = draw(st.integers(0, len(layers) - 1))
            if action == "double":
                layers.insert(index, copy.deepcopy(layers[index]))
            elif isinstance(layers[index], list) and layers[index]:
                layers[index] = copy.deepcopy(layers[index])
                layers[index][draw(st.integers(0, len(layers[index]) - 1))] = draw(VALUES)
    text = json.dumps(content)
    cut = draw(st.integers(0, len(text)))
    return draw(st.sampled_from([text, text, text, text, text[:cut], text[:cut] + "\udcff" + text[cut:], text + "}"]))


@settings(
    derandomize=True,
    database=None,
    deadline=None,
    max_examples=500,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(text=mutated())
def test_any_configuration_is_loaded_or_refused_in_one_line(text, folder):
    (folder / "config.json").write_bytes(text.encode("utf-8", "surrogateescape"))
    start, memory = time.monotonic(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    try:
        generator = load_generator(f"biggan-deep:{folder}")
        assert generator.dim == SMALL["z_dim"] and generator.num_classes == SMALL["num_classes"]
    except InputError as error:
        assert "\n" not in str(error) and len(str(error)) < 1000
    assert time.monotonic() - start < 20
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory < 500_000  # kB
