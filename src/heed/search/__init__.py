"""Search algorithms, which turn a model and a batch of sentences into translations.

    @register("longest", n_best=False, random=False)
    def longest(model, src, src_len, bos_id, eos_id, max_len: int | None = None) -> list[Hypothesis]:
        ...

A search that is registered like this can be used with `search=longest` in every command and with
`Translator.translate(…, search="longest")`, wherever it is defined.
"""

from heed.search.beam import beam
from heed.search.greedy import Hypothesis, greedy
from heed.search.registry import Search, register, search
from heed.search.sample import sample

__all__ = ["Hypothesis", "Search", "register", "search"]

register("greedy")(greedy)
register("beam", n_best=True)(beam)
register("sample", n_best=True, random=True)(sample)
