from collections.abc import Sequence

import numpy as np
import pytest
import torch

from heed.errors import UserError
from heed.search import search
from heed.search.greedy import Hypothesis
from heed.search.registry import Search


def test_settings_are_bound_with_defaults() -> None:
    """Catches a description without the settings that make two searches differ."""
    named = search("beam")
    bound = named.bind({"length_penalty": 1}, 3)
    assert named.describe(bound) == "beam(beam_size=5, length_penalty=1, coverage_penalty=0.0, n_best=3)"
    assert search("greedy").describe(search("greedy").bind({}, None)) == "greedy"
    assert search("sample").bind({}, None)["n_best"] == 1


def test_every_fault_is_in_the_one_line() -> None:
    """Catches errors that are reported one at a time."""
    with pytest.raises(UserError) as refusal:
        search("beam").bind({"beam_sise": 3, "max_len": 2.5, "prefix": "un"}, None)
    assert str(refusal.value) == (
        "search.beam_sise=3: search=beam has no such setting; did you mean beam_size?; "
        "search.max_len=2.5: should be a valid integer; search.prefix=un: search=beam has no such setting; "
        "expected max_len, beam_size, length_penalty, coverage_penalty, n_best, no_repeat_ngram, min_len"
    )


def test_what_a_search_can_do_is_declared() -> None:
    """Catches capabilities that are guessed from a name."""
    assert {name: (search(name).n_best, search(name).random) for name in ("greedy", "beam", "sample", "mbr")} == {
        "greedy": (False, False),
        "beam": (True, False),
        "sample": (True, True),
        "mbr": (True, True),
    }
    assert all(search(name).takes_prefix for name in ("greedy", "beam", "sample", "mbr"))


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"),
        RuntimeError("DefaultCPUAllocator: can't allocate memory: you"),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
    ],
)
def test_a_search_too_large_for_memory_is_a_line(error: Exception) -> None:
    """Catches torch's long message about its allocator."""

    def greedy_one(*_: object, beam_size: int = 2) -> list[list[Hypothesis]]:
        raise error

    with pytest.raises(UserError, match="does not fit into memory; lower batch_size, search"):
        Search("large", greedy_one, False, False).run({"beam_size": 2})


@pytest.mark.parametrize("settings", [{"beam_size": 10**9}, {"beam_size": 10**5}, {"beam_size": 0}])
def test_a_beam_that_no_memory_holds_is_refused(settings: dict[str, int]) -> None:
    """Catches a process that the system kills without a message, and a beam of size 0."""
    with pytest.raises(UserError, match=r"search.beam_size=\d+: should be 1 to 10000"):
        search("beam").bind(settings, None)


def test_a_setting_of_another_search_names_that_search() -> None:
    """Catches a message for `translate(line, beam_size=8)` that does not name beam, the search with that setting."""
    with pytest.raises(UserError, match=r"search=greedy has no such setting; search=beam has it$"):
        search("greedy").bind({"beam_size": 8}, None)


def test_whole_numbers_of_numpy_are_numbers() -> None:
    """Catches `beam_size=4: should be a valid integer`, for a 4 that came from an array."""
    bound = search("beam").bind({"beam_size": np.int64(4)}, 2)
    assert (bound["beam_size"], bound["n_best"]) == (4, 2)


def hypothesis(rows: int, columns: int) -> Hypothesis:
    return Hypothesis([7, 8, 9], -1.0, torch.zeros(rows, columns))


@pytest.mark.parametrize(
    ("results", "fault"),
    [
        ([hypothesis(4, 5)], "1 results for 2 sentences; expected one for each sentence"),
        ([hypothesis(4, 5), []], "expected a Hypothesis, or a list of one or more"),
        ([hypothesis(4, 5), [([7], -1.0)]], "expected a Hypothesis, or a list of one or more"),
        (
            [hypothesis(4, 5), hypothesis(4, 5)],
            r"shape \(4, 5\) for 3 subwords and a source of 2, .* leave out padding",
        ),
        ([hypothesis(2, 5), hypothesis(3, 2)], r"expected \(3, 5\), or \(4, 5\)"),
    ],
)
def test_a_wrong_result_is_refused_when_the_search_returns_it(results: list[object], fault: str) -> None:
    """Catches a wrong result of a search from outside, such as columns of padding, that only fails much later."""

    def outside(*_: object) -> Sequence[object]:
        return results

    src, src_len = torch.zeros(2, 5, dtype=torch.long), torch.tensor([5, 2])
    with pytest.raises(UserError, match=rf"^search=outside returned.*{fault}"):
        Search("outside", outside, True, False).run({}, None, src, src_len, 2, 3)  # type: ignore[arg-type]


def test_a_result_may_have_a_row_for_the_end_or_none() -> None:
    """Catches a check that refuses a translation cut at its longest length."""

    def outside(*_: object) -> list[Hypothesis | list[Hypothesis]]:
        return [hypothesis(3, 5), [hypothesis(4, 2)]]

    src, src_len = torch.zeros(2, 5, dtype=torch.long), torch.tensor([5, 2])
    first, second = Search("outside", outside, True, False).run({}, None, src, src_len, 2, 3)
    assert isinstance(first, Hypothesis)
    assert isinstance(second, list)
