"""Combine the alignments of a source-to-target model and of a target-to-source model."""

from heed.metrics.alignment import Link, Links


def transpose(links: Links) -> Links:
    """Reverse the links of a target-to-source model to (source word, target word)."""
    return frozenset((src, tgt) for tgt, src in links)


def intersection(forward: Links, backward: Links) -> Links:
    """Links that both directions have: few, but mostly right. Links are (source word, target word)."""
    return forward & backward


def union(forward: Links, backward: Links) -> Links:
    """Links that at least one direction has: many, but more of them wrong."""
    return forward | backward


def grow_diag_final_and(forward: Links, backward: Links) -> Links:
    """Grow the intersection towards the union (Koehn et al. 2003; under this name in Koehn et al. 2005).

    Grow: add a link of the union that is adjacent to an existing one, also diagonally, if its source or its target word
    has no link yet; repeat until nothing is added. Final-and: add remaining links of either direction, forward first,
    if both words have no link. Candidates are tried in the order of source words, then target words, as in fast_align's
    atools; other tools use another order, which sometimes decides between two links.
    """
    links = set(forward & backward)
    while _grow(links, forward | backward):
        pass
    for direction in (forward, backward):
        for link in sorted(direction):
            if all(_free(link, links)):
                links.add(link)
    return frozenset(links)


def _grow(links: set[Link], candidates: Links) -> bool:
    before = len(links)
    for link in sorted(candidates - links):
        if _touches(link, links) and any(_free(link, links)):
            links.add(link)
    return len(links) > before


def _touches(link: Link, links: set[Link]) -> bool:
    return any(abs(src - link[0]) <= 1 and abs(tgt - link[1]) <= 1 for src, tgt in links)


def _free(link: Link, links: set[Link]) -> tuple[bool, bool]:
    """Whether the source word, and whether the target word, has no link yet."""
    return all(src != link[0] for src, _ in links), all(tgt != link[1] for _, tgt in links)
