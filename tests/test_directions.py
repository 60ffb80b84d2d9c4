"""The record of directions: what it holds, what is chosen of it, and its file."""

import json
from dataclasses import replace

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from direction_finder.directions import Directions, Finding
from direction_finder.errors import InputError
from direction_finder.files import METADATA_KEY


@pytest.fixture
def record():
    return Directions(
        vectors=torch.linalg.qr(torch.randn(4, 4, generator=torch.Generator().manual_seed(0)))[0],
        method="hessian",
        config={"steps": 3},
        generator="eyes",
        weights_sha256="ab" * 32,
        class_index=1,
        class_name="blue",
        seed=0,
        layers=(None, (0, 1), None, (2,)),
        names=("zoom", None, None, None),
        scores=(0.5, 0.25, None, None),
        package_version="0.1.0",
    )


def test_what_is_written_is_read(record, tmp_path):
    path = tmp_path / "directions.safetensors"
    record.save(path)
    loaded = Directions.load(path)
    assert torch.equal(loaded.vectors, record.vectors)
    assert loaded.metadata() == record.metadata()
    assert Directions.load(tmp_path).metadata() == record.metadata()  # a run folder
    assert loaded[1].layers == (0, 1)
    assert loaded[0].name == "zoom"
    assert len(loaded) == loaded.dim == 4


def test_directions_are_gone_through_one_by_one(record):
    assert [direction.name for direction in record] == list(record.names)


def test_the_file_is_the_same_bytes_every_time_and_has_one_sorted_key(record, tmp_path):
    paths = [tmp_path / f"{i}.safetensors" for i in range(5)]
    for path in paths:
        record.save(path)
    assert len({path.read_bytes() for path in paths}) == 1
    with safe_open(paths[0], framework="pt") as file:
        metadata = file.metadata()
    assert list(metadata) == [METADATA_KEY]
    content = json.loads(metadata[METADATA_KEY])
    assert list(content) == sorted(content)


def write(path, vectors, **changes):
    base = Directions(vectors=torch.eye(len(vectors), vectors.shape[1]), method="random").metadata()
    metadata = {key: value for key, value in {**base, **changes}.items() if value != "absent"}
    save_file({"vectors": vectors}, path, metadata={METADATA_KEY: json.dumps(metadata)})


@pytest.mark.parametrize(
    ("vectors", "changes", "words"),
    [
        (torch.eye(3) * 2, {}, "unit length"),
        (torch.full((3, 3), float("nan")), {}, "NaN"),
        (torch.tensor([[1.0, 0.0], [0.6, 0.8]]), {}, "orthonormal"),
        (torch.eye(3), {"format": 99}, "format"),
        (torch.eye(3), {"seed": "absent"}, "lacks 'seed'"),
        (torch.eye(3), {"mood": "good"}, "unknown 'mood'"),
        (torch.eye(3), {"names": ["a"]}, "1 entries for 3"),
        (torch.eye(3), {"scores": [1, 2, "high"]}, "scores"),
        (torch.eye(3), {"layers": [[0, "one"], None, None]}, "layers"),
        (torch.eye(3), {"config": 5}, "config"),
    ],
)
def test_everything_in_a_file_is_checked(vectors, changes, words, tmp_path):
    write(tmp_path / "d.safetensors", vectors, **changes)
    with pytest.raises(InputError, match=words):
        Directions.load(tmp_path / "d.safetensors")


def test_files_of_earlier_versions_are_read(tmp_path):
    write(tmp_path / "old.safetensors", torch.eye(3), format=1, share="absent", probe_class="absent")
    assert Directions.load(tmp_path / "old.safetensors").share is None


def test_other_files_are_refused(record, tmp_path):
    save_file({"vectors": torch.eye(2)}, tmp_path / "foreign.safetensors")
    with pytest.raises(InputError, match="not a directions file"):
        Directions.load(tmp_path / "foreign.safetensors")
    record.save(tmp_path / "whole.safetensors")
    (tmp_path / "cut.safetensors").write_bytes((tmp_path / "whole.safetensors").read_bytes()[:-20])
    with pytest.raises(InputError, match="cut short"):
        Directions.load(tmp_path / "cut.safetensors")
    with pytest.raises(InputError, match="no such file"):
        Directions.load(tmp_path / "missing.safetensors")


def test_they_know_what_they_fit(record):
    fits = {"name": "eyes", "dim": 4, "num_layers": 3, "weights_sha256": "ab" * 32}
    record.check_fits(**fits)
    replace(record, weights_sha256=None).check_fits(**{**fits, "weights_sha256": "cd" * 32})
    for change, words in (
        ({"dim": 5}, "dimensions"),
        ({"weights_sha256": "cd" * 32}, "found in"),
        ({"num_layers": 2}, "layer 2"),
        ({"num_classes": 1}, "of class 1, but generator eyes has 1 classes"),
    ):
        with pytest.raises(InputError, match=words):
            record.check_fits(**{**fits, **change})


def test_an_index_out_of_range_says_the_range(record):
    with pytest.raises(InputError, match="numbered 0 to 3"):
        record[4]
    with pytest.raises(InputError, match="numbered 0 to 3"):
        record[-5]


@pytest.fixture
def known():
    """Five of six axes, each with a name, a score or neither."""
    return Directions(
        torch.eye(6)[:5],
        "test",
        layers=((0,), None, (1, 2), None, None),
        names=("x", None, "hue", None, "size"),
        scores=(1.0, 4.0, 2.0, None, 3.0),
        ranges=(None, 2.0, None, None, 3.0),
        share={"share": 0.5, "random_share": 0.1},
    )


@pytest.mark.parametrize(
    ("chosen", "places"),
    [
        (slice(None, 2), [0, 1]),
        (slice(None, None, -2), [4, 2, 0]),
        (slice(3, 99), [3, 4]),
        (range(1, 4), [1, 2, 3]),
        ([4, 0], [4, 0]),
        ([-1, -5], [4, 0]),
        (("hue", "x"), [2, 0]),
        (["size", 1, "3"], [4, 1, 3]),
    ],
)
def test_several_are_a_record_of_their_own_that_keeps_what_is_known(known, chosen, places):
    several = known[chosen]
    assert torch.equal(several.vectors, known.vectors[places]) and several.numbers == tuple(places)
    assert list(several) == [known[place] for place in places]
    assert several.share is None and several.method == known.method


def test_one_is_chosen_by_place_or_name(known):
    assert known["hue"] == known[2] == known[-3] == known["2"] and known["hue"].number == 2
    assert (known[4].name, known[4].score, known[4].usable_range, known[2].layers) == ("size", 3.0, 3.0, (1, 2))
    for missing in ("colour", "5", "-1", "²"):
        with pytest.raises(InputError, match=f"direction '{missing}': expected 0 to 4 or x, hue, size"):
            known[missing]


def test_all_of_them_are_the_same_record_and_none_is_refused(known):
    assert known[:] == known and known[:].share == known.share
    for nothing in ([], slice(5, None)):
        with pytest.raises(InputError, match="no directions chosen of 5"):
            known[nothing]


def test_numbers_are_those_of_the_first_record(known, tmp_path):
    several = known[[4, 1, 3]]
    assert several[1].number == several[-2].number == 1 and several[2:].numbers == (3,)
    assert several[1].label == "1" and several["size"].number == 4
    several.save(tmp_path / "several.safetensors")
    loaded = Directions.load(tmp_path / "several.safetensors")
    assert loaded == several and loaded.numbers == (4, 1, 3)
    assert several.metadata()["numbers"] == (4, 1, 3) and known.metadata()["numbers"] == (0, 1, 2, 3, 4)
    assert several != replace(several, numbers=(0, 1, 2))


def test_a_file_without_numbers_counts_its_own(tmp_path):
    write(tmp_path / "old.safetensors", torch.eye(3), format=1, numbers="absent", probe_class="absent")
    assert Directions.load(tmp_path / "old.safetensors").numbers == (0, 1, 2)
    write(tmp_path / "odd.safetensors", torch.eye(3), numbers=[0, 1])
    assert Directions.load(tmp_path / "odd.safetensors").numbers == (0, 1, 2)
    write(tmp_path / "bad.safetensors", torch.eye(3), numbers=[4, 1])
    with pytest.raises(InputError, match=r"bad\.safetensors: numbers: "):
        Directions.load(tmp_path / "bad.safetensors")


def test_other_vectors_take_the_place_of_these():
    record = Directions(torch.eye(4), "test")
    fewer = replace(record, vectors=torch.eye(4)[:2], layers=(), names=(), scores=(), ranges=())
    assert len(fewer) == 2 and fewer.numbers == (0, 1) and fewer[1].number == 1
    turned = replace(record[[2, 0]], vectors=torch.eye(4)[[1, 3]])
    assert turned.numbers == (2, 0) and torch.equal(turned[0].vector, torch.eye(4)[1])


def test_the_strongest_come_first(known):
    assert known.top(3).numbers == (1, 4, 2) and known.top(99).numbers == (1, 4, 2, 0)  # one has no score
    assert known[:1].top(1) == known[:1]
    for count in (0, -1):
        with pytest.raises(InputError, match="no directions chosen"):
            known.top(count)
    with pytest.raises(InputError, match="have no scores"):
        known[[3]].top(1)


@pytest.mark.parametrize(
    ("text", "places"),
    [
        ("all", [0, 1, 2, 3, 4]),
        ("1", [1]),
        ("3-4,0", [3, 4, 0]),
        ("hue, 1-2 ,x", [2, 1, 2, 0]),
    ],
)
def test_places_are_picked_from_text(known, text, places):
    assert known.pick(text) == places


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("5", "direction 5: there are 5, numbered 0 to 4"),
        ("0-5", "direction 5: there are 5"),
        ("colour", "expected numbers like 0-7,12, x, hue, size, or all"),
        ("1,,2", "expected numbers"),
        ("", "expected numbers"),
        ("-1", "expected numbers"),
        ("²", "expected numbers"),
        ("1,all", "expected numbers"),
    ],
)
def test_text_that_names_no_direction_is_refused(known, text, words):
    with pytest.raises(InputError, match=words):
        known.pick(text)


def test_a_name_is_given_and_taken_away(known):
    named = known.named(-2, " light ").named("x", "across")
    assert named.names == ("across", None, "hue", "light", "size") and named.pick("light") == [3]
    assert known.names[3] is None and torch.equal(named.vectors, known.vectors) and named.scores == known.scores
    assert named.named("light", None).named("across", "x") == known
    assert known.named("hue", "hue") == known and known.named(-1, "width").names[3:] == (None, "width")


@pytest.mark.parametrize("name", ["", "  ", "a,b", "3", "3d", " 3", "all", " all "])
def test_a_name_that_could_be_something_else_is_refused(known, name):
    with pytest.raises(InputError, match="that is no number"):
        known.named(1, name)


def test_records_are_equal_by_value(known):
    same = replace(known, vectors=known.vectors.clone())
    assert same == known and hash(same) == hash(known) and known.to("cpu") == known
    turned = replace(known, vectors=known.vectors.flip(0))
    renamed = known.named("x", "across")
    assert known not in (turned, renamed, known[:4], 3)
    assert renamed.sha256 == known.sha256 != turned.sha256  # the hash is of what they are, not of what is known
    assert replace(known, layers=(None,) * 5).sha256 != known.sha256


def test_a_record_says_what_it_is(known, record):
    assert repr(known) == "<Directions: 5 of 6 dimensions, test; x, hue, size>"
    assert repr(record) == "<Directions: 4 of 4 dimensions, hessian, eyes, class blue; zoom>"


def test_a_scale_may_be_a_whole_number(tmp_path):
    record = Directions(torch.eye(2), "test", scale=2)
    record.save(tmp_path / "d.safetensors")
    assert Directions.load(tmp_path / "d.safetensors") == record and record[0].scale == 2.0


def test_what_a_search_cost_is_told_and_not_kept(known, tmp_path):
    found = replace(known, finding=Finding("done", 1200, 40, 2.0))
    assert str(found.finding) == "done; 1,200 images (40 with gradients) in 2 s"
    assert str(Finding("done")) == "done; 0 images in 0 s"
    found.save(tmp_path / "d.safetensors")
    assert Directions.load(tmp_path / "d.safetensors").finding is None and found == known


@pytest.mark.parametrize("text", ["²", "٣", "-1", "+1", "1_0", " 1", "9" * 5000])
def test_what_only_looks_like_a_number_is_no_direction(text):
    with pytest.raises(InputError, match="expected 0 to 3"):
        Directions(torch.eye(4), "random").find(text)


@pytest.mark.parametrize("name", ["a\x1b[31m", "a\nb", "\udcff", "\x00", "n" * 201])
def test_a_name_is_short_and_printable(name):
    with pytest.raises(InputError, match="expected a word of up to 200 characters"):
        Directions(torch.eye(4), "random").named(0, name)
