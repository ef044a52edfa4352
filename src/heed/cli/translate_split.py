"""heed-translate for a split of a corpus, which writes files for `corpus=files` and their provenance."""

import os
from collections.abc import Mapping
from typing import Any

from heed.cli.bars import bars
from heed.cli.nodes import search_settings
from heed.data.provenance import provenance_path
from heed.data.readers import read_corpus
from heed.errors import UserError
from heed.synthetic import Closeness, translate_split
from heed.translator import Precision, load


def translate_and_print(
    model: str | list[str],
    corpus: Mapping[str, Any] | None,
    split: str,
    *,
    output: str | None,
    search: Mapping[str, Any],
    closest: Closeness | None,
    replace_unk: bool,
    batch_size: int | None,
    device: str,
    precision: Precision,
) -> int:
    """Translate a split of a corpus, or continue its translation, and print the files; return the number of lines."""
    if not output:
        raise UserError(f"split={split} without output; give output=PREFIX, to which the languages are added")
    name, options = search_settings(search)
    was_finished = os.path.lexists(provenance_path(output))
    with bars():
        made = translate_split(
            load(model, device, precision),
            output,
            read_corpus(corpus) if corpus else None,
            split,
            name,
            closest=closest,
            replace_unk=replace_unk,
            batch_size=batch_size,
            **options,
        )
    done = "was already finished, and nothing was written:" if was_finished else "written to"
    print(f"{made.lines} lines: {made.note}\n{done} {output}.{made.source}, {output}.{made.translated}")
    print(f"and {provenance_path(output)}")
    return made.lines
