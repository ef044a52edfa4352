"""For tests of heatmaps and pages: sentences with known links, and the parsed parts of a page."""

import base64
import gzip
import json
import random
from collections.abc import Sequence
from html.parser import HTMLParser
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from heed.viz.gallery import Candidate, Entry, Links

WHO = (
    ("the old dog", "le vieux chien", "0-0 1-1 2-2"),
    ("a white cat", "un chat blanc", "0-0 1-2 2-1"),
    ("my sister", "ma sœur", "0-0 1-1"),
    ("the neighbour", "le voisin", "0-0 1-1"),
)
DOES = (
    ("is looking at", "regarde", "0?0 1-0 2?0"),
    ("does not see", "ne voit pas", "0?0 1-0 1-2 2-1"),
    ("is waiting for", "attend", "0?0 1-0 2-0"),
    ("remembers", "se souvient de", "0-0 0-1 0?2"),
)
WHAT = (
    ("the red house", "la maison rouge", "0-0 1-2 2-1"),
    ("a small garden", "un petit jardin", "0-0 1-1 2-2"),
    ("the river", "la rivière", "0-0 1-1"),
    ("our best friends", "nos meilleurs amis", "0-0 1-1 2-2"),
)
WHERE = (
    ("near the station", "près de la gare", "0-0 0-1 1-2 2-3"),
    ("every morning", "chaque matin", "0-0 1-1"),
    ("because it is late", "parce qu' il est tard", "0-0 0-1 1-2 2-3 3-4"),
    ("again", "encore", "0-0"),
)
END = ((".", ".", "0-0"),)


def made_entries(count: int, seed: int = 0, phrases: int = 1, beam: int = 5) -> list[Entry]:
    """English-French sentences of about 12 words a phrase, with `beam` candidates of which the last are worse."""
    choice = random.Random(seed)
    generator = torch.Generator().manual_seed(seed)
    return [_entry(choice, generator, phrases, beam) for _ in range(count)]


def _entry(choice: random.Random, generator: torch.Generator, phrases: int, beam: int) -> Entry:
    source, reference, sure, possible = _sentence(choice, phrases)
    candidates, maps = [], []
    for rank in range(beam):
        words = _worsened(reference, choice, rank + choice.randrange(3))
        maps.append(_attention(len(words), len(source), sure | possible, generator))
        candidates.append(Candidate(words, -0.1 - 0.15 * rank - choice.random() / 20, maps[-1]))
    best = maps[0]
    return Entry(
        source,
        reference,
        candidates,
        bleu=100 * sum(map(str.__eq__, candidates[0].words, reference)) / len(reference),
        entropy=float(torch.special.entr(best).sum(dim=1).mean()),
        coverage=float((best.amax(dim=0) > 0.1).float().mean()),
        forced=_attention(len(reference), len(source), sure | possible, generator),
        gold=(sure, sure | possible),
    )


def _sentence(choice: random.Random, phrases: int) -> tuple[list[str], list[str], Links, Links]:
    source: list[str] = []
    reference: list[str] = []
    links: dict[str, set[tuple[int, int]]] = {"-": set(), "?": set()}
    for part in (WHO, DOES, WHAT, WHERE) * phrases + (END,):
        english, french, aligned = choice.choice(part)
        for link in aligned.split():
            kind = "-" if "-" in link else "?"
            src, tgt = link.split(kind)
            links[kind].add((len(source) + int(src), len(reference) + int(tgt)))
        source += english.split()
        reference += french.split()
    return source, reference, frozenset(links["-"]), frozenset(links["?"])


def _worsened(reference: Sequence[str], choice: random.Random, changes: int) -> list[str]:
    words = list(reference)
    for _ in range(changes):
        words[choice.randrange(len(words))] = choice.choice(("le", "petit", "dans", "bien", "grand", "et"))
    return words


def _attention(tgt_len: int, src_len: int, links: Links, generator: torch.Generator) -> Float[Tensor, "tgt src"]:
    energies = torch.randn(tgt_len, src_len, generator=generator)
    for src, tgt in links:
        energies[tgt, src] += 5.0
    return energies.softmax(dim=1)


HOSTILE = """<script>alert(1)</script> </script> <!-- <b>&amp; " ' ]]> <img src=x onerror=alert(1)> $title ${title}"""


class Page(HTMLParser):
    """The elements of a page, and the contents of its scripts and styles."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.contents: dict[str, str] = {}
        self.text = ""
        self._inside = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._inside = dict(attrs).get("type") or tag if tag in {"script", "style"} else ""

    def handle_endtag(self, tag: str) -> None:
        self._inside = ""

    def handle_data(self, data: str) -> None:
        if self._inside:
            self.contents[self._inside] = self.contents.get(self._inside, "") + data
        else:
            self.text += data

    @property
    def entries(self) -> Any:
        return json.loads(gzip.decompress(base64.b64decode(self.contents["application/octet-stream"])))
