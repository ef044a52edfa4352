"""Settings that were added after some runs had started, and their values for those runs."""

from collections.abc import Mapping
from typing import Any

ADDED: Mapping[str, Any] = {
    "batches": {"accumulate": 1},
    "cleaning": {"keep_duplicates": False},
    "corpus": {
        "columns": None,
        "sha256": None,
        "split_seed": 1,
        "src_suffix": None,
        "test": 2016,  # of Multi30k; other readers always had it
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
"""For each added setting, the value that has the effect of the earlier versions. The default may differ from it."""


def completed(before: Mapping[str, Any], config: Mapping[str, Any], added: Mapping[str, Any] = ADDED) -> dict[str, Any]:
    """Add to the settings of an older run each setting of `config` that is in `added`; other settings do not change.

    Args:
        before: the settings of the run.
        config: the settings of a run started now; only settings that it has are added.
        added: the values to add.

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
