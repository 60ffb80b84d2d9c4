import torch

from direction_finder.randomness import normal, stream


def test_a_stream_is_its_seed_and_purpose():
    def draw(*key):
        return torch.randn(1000, generator=stream(*key))

    assert torch.equal(draw(0, "a"), draw(0, "a"))
    for other in (draw(1, "a"), draw(0, "b")):
        assert abs(float(torch.corrcoef(torch.stack([draw(0, "a"), other]))[0, 1])) < 0.15


def test_the_first_rows_do_not_depend_on_how_many_are_drawn():
    many = normal(7, 25, stream(0, "x"))
    for n in range(1, 7):
        assert torch.equal(normal(n, 25, stream(0, "x")), many[:n])
    assert abs(float(normal(1000, 10, stream(0, "x")).std()) - 1) < 0.02
