"""Settings that are younger than some runs, and what a run did that was begun without them."""

from collections.abc import Mapping
from typing import Any

ADDED: Mapping[str, Any] = {
    "batches": {"accumulate": 1},
    "cleaning": {"keep_duplicates": False},
    "corpus": {
        "columns": None,
        "split_seed": 1,
        "src_suffix": None,
        "test_references": None,
        "tgt_suffix": None,
        "turn_gold": False,
        "valid_references": None,
    },
    "guided_links": None,
    "init_from": None,
    "model": {"attend_end": True, "query": "previous"},
    "subwords": {
        "keep": [],
        "src_normalization": None,
        "tgt_normalization": "nmt_nfkc",
        "user_defined_symbols": [],
    },
}
"""For each setting that was added the value that means what heed did before. Today's default may be another one."""


def completed(before: Mapping[str, Any], config: Mapping[str, Any], added: Mapping[str, Any] = ADDED) -> dict[str, Any]:
    """The settings of an older run together with those of `config` that were added since; the rest stays as it is.

    >>> completed({"seed": 1, "model": {"hid_dim": 8}}, {"seed": 2, "model": {"hid_dim": 8, "query": "current"}})
    {'seed': 1, 'model': {'hid_dim': 8, 'query': 'previous'}}
    """
    settings = dict(before)
    for key in [key for key in added if key in config]:
        if not isinstance(added[key], Mapping):
            settings.setdefault(key, added[key])
        elif isinstance(before.get(key), Mapping) and isinstance(config[key], Mapping):
            settings[key] = completed(before[key], config[key], added[key])
    return settings
