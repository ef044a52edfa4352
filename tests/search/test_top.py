import pytest
import torch

from heed.search.top import top


@pytest.mark.parametrize(
    ("vocab", "count"), [(1, 1), (5, 5), (37, 1), (37, 3), (160, 10), (161, 10), (1000, 2), (8000, 10), (8003, 640)]
)
def test_it_is_topk(vocab: int, count: int) -> None:
    """Catches a column that is left out, words beyond the grid that are missed, and positions of the wrong row."""
    values = torch.randn(7, vocab, generator=torch.Generator().manual_seed(vocab))
    values[0, : vocab // 2] = -torch.inf
    found, expected = top(values, count), values.topk(count)
    assert torch.equal(found.values, expected.values)
    assert torch.equal(values.gather(1, found.indices), found.values)
    assert all(len(set(row)) == count for row in found.indices.tolist())


@pytest.mark.parametrize("place", range(0, 103, 6))
def test_the_largest_is_found_wherever_it_stands(place: int) -> None:
    """Catches numbers that are missed at the edges of the grid, or beyond its last full row."""
    values = torch.zeros(2, 103)
    values[1, place] = 1.0
    assert int(top(values, 1).indices[1, 0]) == place
