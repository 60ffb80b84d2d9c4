"""What a search is resumed from is checked before anything is computed."""

import pytest
import torch

from direction_finder.discovery.states import check_state
from direction_finder.errors import InputError

RNG = torch.Generator()
WHOLE = {"rows": torch.ones(4, 3, 3), "count": torch.tensor(1.0), "rng": RNG.get_state()}
EXPECTED = {"rows": (None, 3, 3), "count": ()}


def test_a_whole_state_passes():
    check_state({**WHOLE, "step": torch.tensor(4)}, EXPECTED, RNG)
    check_state({**WHOLE, "rows": torch.empty(0, 3, 3)}, EXPECTED, RNG)


@pytest.mark.parametrize(
    ("name", "tensor", "words"),
    [
        ("rows", None, "has no 'rows': it belongs to a run of another method"),
        ("rng", None, "has no 'rng'"),
        ("rows", torch.ones(4, 3, 2), r"rows has shape \(4, 3, 2\) of torch.float32, expected \(any, 3, 3\)"),
        ("rows", torch.ones(3, 3), "rows has shape"),
        ("rows", torch.ones(4, 3, 3, dtype=torch.int64), "of torch.int64"),
        ("rows", torch.full((1, 3, 3), torch.nan), "rows holds NaN"),
        ("count", torch.ones(2), "count has shape"),
        ("rng", torch.ones(5056), "rng has shape"),
        ("rng", torch.ones(7, dtype=torch.uint8), "rng has shape"),
    ],
)
def test_the_first_thing_that_is_wrong_is_named(name, tensor, words):
    state = {**WHOLE, name: tensor} if tensor is not None else {key: WHOLE[key] for key in WHOLE if key != name}
    with pytest.raises(InputError, match=words):
        check_state(state, EXPECTED, RNG)
