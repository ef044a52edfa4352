"""Align two texts in both directions by eflomal, or by thot's HMM or fast_align model, with default settings.

measure.py starts this script with the Python of the benchmark's environment. eflomal is GPL: nothing here is part of
heed.

    aligners.py NAME TEXT_SRC TEXT_TGT FORWARD BACKWARD     NAME is eflomal, hmm or fast_align

Both files get a line of Pharaoh links for each pair, source word first. In FORWARD, each target word is linked
to at most one source word. In BACKWARD, each source word is linked to at most one target word.
"""

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import eflomal
import thot.alignment as thot

ITERATIONS = 5
"""Training iterations of each thot model: fast_align, HMM, and IBM 1, which is trained before HMM as is usual."""


def read(path: Path) -> list[list[str]]:
    """The words of each line."""
    return [line.split() for line in path.read_text(encoding="utf-8").splitlines()]


def by_eflomal(src: Path, tgt: Path, forward: Path, backward: Path) -> None:
    """Align with eflomal's defaults: three samplers, IBM 1, HMM and fertilities."""
    with src.open(encoding="utf-8") as one, tgt.open(encoding="utf-8") as other:
        # eflomal writes the links of a direction if it gets a path for them; it trains both directions independently
        eflomal.Aligner().align(one, other, str(forward), str(backward))


def trained(name: str, src: list[list[str]], tgt: list[list[str]]) -> Any:
    """A trained thot model of the probability of the target's words given the source's words."""
    if name == "fast_align":
        return learnt(thot.FastAlignModel(), src, tgt)
    return learnt(thot.HmmAlignmentModel(learnt(thot.Ibm1AlignmentModel(), src, tgt)))


def learnt(model: Any, src: Iterable[list[str]] = (), tgt: Iterable[list[str]] = ()) -> Any:
    """Train a model and return it. A model that was made from another one already has its sentences."""
    for pair in zip(src, tgt, strict=True):
        model.add_sentence_pair(*pair)
    model.start_training()
    for _ in range(ITERATIONS):
        model.train()
    model.end_training()
    return model


def links(model: Any, src: list[list[str]], tgt: list[list[str]]) -> list[list[tuple[int, int]]]:
    """The links of each pair, source word first."""
    linked = []
    for (_, matrix), one, other in zip(model.get_best_alignments(src, tgt), src, tgt, strict=True):
        linked.append([(i, j) for i in range(len(one)) for j in range(len(other)) if matrix[i, j]])
    return linked


def write(path: Path, lines: list[list[tuple[int, int]]]) -> None:
    """Links in Pharaoh's format."""
    path.write_text("".join(" ".join(f"{i}-{j}" for i, j in sorted(one)) + "\n" for one in lines), encoding="utf-8")


def by_thot(name: str, src: list[list[str]], tgt: list[list[str]], forward: Path, backward: Path) -> None:
    """Align with two models of thot, one for each direction."""
    write(forward, links(trained(name, src, tgt), src, tgt))
    turned = links(trained(name, tgt, src), tgt, src)
    write(backward, [[(i, j) for j, i in one] for one in turned])


if __name__ == "__main__":
    name, *paths = sys.argv[1], *map(Path, sys.argv[2:])
    if name == "eflomal":
        by_eflomal(*paths)
    else:
        by_thot(name, read(paths[0]), read(paths[1]), *paths[2:])
