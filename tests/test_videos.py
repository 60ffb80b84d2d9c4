"""Videos: frames drawn one at a time, when they are asked for."""

import weakref

import numpy as np
import pytest
import torch

from direction_finder import edits
from direction_finder.errors import InputError
from direction_finder.rendering import videos
from direction_finder.rendering.drawing import SMALLEST, Walk
from direction_finder.rendering.videos import KNOTS, Video, render_video
from direction_finder.samples import Samples
from tests.flat import bytes_of, channels, flat

CELL = SMALLEST + 4
A, B = [0.5, -0.5, 0.0], [-1.0, 0.25, 1.0]


@pytest.fixture
def samples():
    return Samples(torch.tensor([[A], [B]]), torch.tensor([0, 1]))


def shown(frame: np.ndarray, row: int, column: int) -> list[int]:
    """The colour of a image, counted from the top right corner."""
    return frame[row * CELL + 50, frame.shape[1] - column * CELL - 50].tolist()


def test_a_row_for_each_direction_and_a_column_for_each_sample(samples):
    made = render_video(flat(), channels()["red", "blue"], samples, Walk(), seconds=0.4, fps=20)
    frames = list(made)
    assert len(made) == made.count == len(frames) == 8 and made.fps == 20 and made.notes == ()
    way = edits.walk(8, 1.0).tolist()
    for number, frame in enumerate(frames):
        assert frame.shape[0] == 2 * CELL
        red, blue = 2 * way[number], 3 * way[number]
        assert shown(frame, 0, 0) == bytes_of([B[0] + red, *B[1:]])[0]
        assert shown(frame, 1, 1) == bytes_of([*A[:2], A[2] + blue])[0]
    assert all(np.array_equal(*pair) for pair in zip(frames, made, strict=True))  # again


def test_more_directions_follow_one_after_another(samples):
    made = render_video(flat(), channels(), samples[1], Walk(extent=1.0, absolute=True), seconds=0.1, fps=20, rows=2)
    frames = list(made)
    assert len(made) == len(frames) == 4 and len({frame.shape for frame in frames}) == 1
    assert shown(frames[0], 0, 0) == bytes_of([0, *B[1:]])[0] and shown(frames[0], 1, 0) == bytes_of([B[0], 0, B[2]])[0]
    assert shown(frames[2], 0, 0) == bytes_of([*B[:2], 0])[0]
    assert (frames[2][CELL:] == 255).all()


def test_each_sample_is_drawn_as_its_class(samples):
    first = next(iter(render_video(flat(num_classes=2), channels()[:2], samples, Walk())))
    for row in (0, 1):
        assert shown(first, row, 1) == bytes_of(A)[0] and shown(first, row, 0) == bytes_of([c - 2 for c in B])[0]


def test_frames_are_drawn_when_they_are_asked_for(samples):
    generator, calls = flat(), []
    generator.register_forward_pre_hook(lambda *_: calls.append(1))
    frames = iter(render_video(generator, channels(), samples, Walk(), seconds=1000))
    assert not calls
    next(frames), next(frames)
    assert len(calls) == 2


@pytest.mark.parametrize("max_batch", [1, 4])
def test_no_more_images_are_drawn_at_once_than_allowed(samples, max_batch):
    generator, sizes = flat(), []
    generator.register_forward_pre_hook(lambda _, inputs: sizes.append(len(inputs[0])))
    next(iter(render_video(generator, channels(), samples, Walk(max_batch=max_batch))))
    assert max(sizes) == max_batch and sum(sizes) == 6


def test_memory_does_not_grow_with_the_video(samples, tmp_path):
    """Frames that were written are let go of."""
    made = render_video(flat(), channels()[:1], samples[0], Walk(), seconds=1)
    alive, most, seen = weakref.WeakSet(), [], []

    class Frame(np.ndarray):
        pass

    def watched():
        for frame in made:
            frame = frame.view(Frame)
            alive.add(Held(frame))
            most.append(len(alive))
            yield frame

    class Held:
        """Lives as long as the frame that it hangs on."""

        def __init__(self, frame):
            frame.held = self

    count = Video(watched, 30, 30).save(tmp_path / "a.mp4", on_step=seen.append)
    assert count == len(most) == 30 and max(most) <= 3
    assert [(each.step, each.total, each.phase, each.unit) for each in seen][-1] == (30, 30, "a.mp4", "frame")


def test_an_even_film_goes_steadily_through_even_positions(samples, monkeypatch):
    places = torch.linspace(-1, 1, KNOTS) ** 3
    asked = []

    def evenly(generator, directions, own, walk, count, *, on_step):
        asked.append(count)
        return [places] * len(directions), ["even enough"]

    monkeypatch.setattr(videos, "evenly", evenly)
    made = render_video(flat(), channels()[:1], samples[0], Walk(even=True), seconds=0.8, fps=10)
    assert asked == [KNOTS] and made.notes == ("even enough",)
    way = edits.steady_walk(8, places).tolist()
    assert [shown(frame, 0, 0) for frame in made] == bytes_of(*([A[0] + at, *A[1:]] for at in way))


@pytest.mark.parametrize("given", [{"rows": 0}, {"fps": 0}])
def test_a_film_of_nothing_is_refused(given, samples):
    with pytest.raises(InputError, match="expected at least 1 of each"):
        render_video(flat(), channels(), samples, Walk(), **given)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"seconds": float("nan")}, "seconds is nan: expected a finite number"),
        ({"seconds": -1}, "seconds is -1: expected a number above 0"),
        ({"fps": 10**30}, "expected at most 1000"),
        ({"rows": "3"}, "rows is '3': expected a whole number"),
    ],
)
def test_a_length_that_cannot_be_meant_is_refused(given, words, samples):
    with pytest.raises(InputError, match=words):
        render_video(flat(), channels(), samples, Walk(), **given)


def test_the_shortest_film_has_two_frames(samples):
    assert len(render_video(flat(), channels(), samples, Walk(), seconds=0.001)) == 2
