import pytest

from direction_finder.class_names import imagenet_names, resolve_class, search_classes
from direction_finder.errors import InputError

NAMES = imagenet_names()


def test_the_names_are_imagenets():
    assert len(NAMES) == len(set(NAMES)) == 1000
    for index, word in {0: "tench", 207: "golden retriever", 497: "church", 999: "toilet tissue", 387: "panda"}.items():
        assert word in NAMES[index]
    assert len({name.split(",")[0].casefold() for name in NAMES}) == 1000  # first words tell all classes apart


@pytest.mark.parametrize(
    ("text", "index"),
    [
        ("golden retriever", 207),
        ("Golden  RETRIEVER", 207),
        ("golden_retriever", 207),
        ("gòlden retriéver", 207),
        ("207", 207),
        ("church building", 497),
        ("goldfish", 1),
        ("missile", 657),  # the first word of one class, a synonym of another
        ("flat-coated", 205),  # part of one name
        ("crane (bird)", 134),
    ],
)
def test_a_class_is_found(text, index):
    assert resolve_class(NAMES, text) == index


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("retriever", "ambiguous.*golden retriever \\(207\\)"),
        ("crane", "ambiguous.*134.*517"),
        ("golden retreiver", "unknown.*golden retriever"),
        ("1000", "0 to 999"),
        ("xyzzy", "unknown"),
        ("", "unknown|ambiguous"),
    ],
)
def test_a_doubtful_class_lists_candidates(text, words):
    with pytest.raises(InputError, match=words) as caught:
        resolve_class(NAMES, text)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["²", "٣", "-0", "+1", "1_0", "9" * 5000])
def test_what_only_looks_like_a_number_is_no_class(text):
    with pytest.raises(InputError, match=r"unknown|does not exist"):
        resolve_class(("class 0", "class 1", "class 2", "class 3"), text)


def test_names_win_over_numbers():
    assert resolve_class(("1", "0"), "0") == 1


def test_an_unconditional_generator_has_no_class():
    with pytest.raises(InputError, match="unconditional"):
        resolve_class((), "cat")


def test_search():
    assert search_classes(NAMES, "RETRIEVER") == [205, 206, 207, 208, 209]
    assert search_classes(NAMES, "no such thing") == []
