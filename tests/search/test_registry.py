import pytest

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
    """Catches faults that are told one at a time."""
    with pytest.raises(UserError) as refusal:
        search("beam").bind({"beam_sise": 3, "max_len": 2.5, "prefix": "un"}, None)
    assert str(refusal.value) == (
        "search.beam_sise=3: search=beam has no such setting; did you mean beam_size?; "
        "search.max_len=2.5: should be a valid integer; search.prefix=un: search=beam has no such setting; expected "
        "max_len, beam_size, length_penalty, coverage_penalty, n_best, no_repeat_ngram"
    )


def test_what_a_search_can_do_is_declared() -> None:
    """Catches capabilities that are guessed from a name."""
    assert {name: (search(name).n_best, search(name).random) for name in ("greedy", "beam", "sample")} == {
        "greedy": (False, False),
        "beam": (True, False),
        "sample": (True, True),
    }
    assert all(search(name).takes_prefix for name in ("greedy", "beam", "sample"))


@pytest.mark.parametrize("error", [MemoryError(), RuntimeError("DefaultCPUAllocator: can't allocate memory: you")])
def test_a_search_too_large_for_memory_is_a_line(error: Exception) -> None:
    """Catches torch's own page about its allocator."""

    def greedy_one(*_: object, beam_size: int = 2) -> list[list[Hypothesis]]:
        raise error

    with pytest.raises(UserError, match="needs more memory than there is; lower batch_size, search"):
        Search("large", greedy_one, False, False).run({"beam_size": 2})


@pytest.mark.parametrize("settings", [{"beam_size": 10**9}, {"beam_size": 10**5}])
def test_a_beam_that_no_memory_holds_is_refused(settings: dict[str, int]) -> None:
    """Catches a process that the system ends without a word."""
    with pytest.raises(UserError, match=r"search.beam_size=\d+: should be less than or equal to 10000"):
        search("beam").bind(settings, None)
