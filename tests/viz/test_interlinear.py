import torch
from rich.cells import cell_len

from heed.viz.interlinear import interlinear


def test_each_word_is_above_what_it_attends_to() -> None:
    """Catches source and target swapped, and the weight of another word."""
    weights = torch.tensor([[0.9, 0.1, 0.0], [0.1, 0.3, 0.6]])
    assert interlinear(weights, ["the", "house", "</s>"], ["la", "maison"]) == ("la   maison\nthe  </s>\n90%  60%")


def test_it_wraps_by_what_a_terminal_shows() -> None:
    """Catches a line wider than the terminal, columns that are not aligned, and Chinese measured in characters."""
    source = [f"word{i}" for i in range(20)]
    target = ["喜欢喜欢"] * 20
    lines = interlinear(torch.eye(20), source, target, width=30).splitlines()
    assert max(map(cell_len, lines)) <= 30
    assert " ".join(lines[1::4]).split() == source
    assert " ".join(lines[0::4]).split() == target
    assert cell_len(lines[0].rstrip()) == 3 * 8 + 2 * 2  # as many as fit


def test_an_empty_translation_has_no_lines() -> None:
    """Catches an error for a translation without words."""
    assert interlinear(torch.zeros(0, 1), ["</s>"], []) == ""
