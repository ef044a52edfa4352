"""One or more models as one HTML file that translates without a network."""

import html
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from heed import bundle
from heed.architecture import Architecture
from heed.bundle import Bundle
from heed.errors import UserError
from heed.export.packed import Precision, pack_model
from heed.files import has_digest, with_digest, write_whole
from heed.onnx_model import OnnxModel
from heed.viz.modules import join_modules
from heed.viz.page import content_policy, fill, pack, pack_bytes

MADE_BY = b'<meta name="generator" content="heed">'

LONGEST = 1000  # characters of a sentence, which take a few seconds with a beam of 5

KINDS = ("additive", "article", "coverage", "dot", "general", "multi_head", "scaled_dot")
"""The scores that web/attention.mjs supports."""

TEMPLATE, STYLE = "export/web/page.html", ("card.css", "export/web/page.css")

SCORES = {"bleu": "BLEU", "chrf": "chrF", "aer": "AER", "perplexity": "perplexity"}
"""Names of validation scores in about.json, and their titles on the page."""


def write_page(
    models: Sequence[Path], output: Path, precision: Precision = "int8", examples: Sequence[str] = ()
) -> int:
    """Write a page that runs one or more models, side by side on the same sentence.

    The page needs no network and no server. Its content security policy allows nothing to be loaded, and only its own
    script and worker to run.

    Args:
        models: Model folders, at least one, with the same languages.
        output: The file to write.
        precision: How matrices are stored: `int8`, with a scale for each row, or `float32`.
        examples: Example sentences to choose from; the first one is translated when the page opens.

    Returns:
        The size of the file in bytes.

    Raises:
        UserError: There is no model, a folder is not a model folder, the languages differ, the page does not support an
            attention score or a vocabulary that copies addresses, or `output` is another file than a page of heed.
    """
    if not models:
        raise UserError("no model folder given; give at least one, such as runs/tiny/model")
    loaded = [bundle.load(folder) for folder in models]
    for folder, one in zip(models, loaded, strict=True):
        if isinstance(one.model, OnnxModel):
            raise UserError(f"{folder} is an ONNX model; give the model folder that it was exported from")
        if one.src.kept or one.tgt.kept:
            raise UserError(f"{folder} was trained with subwords.keep, but a page cannot copy addresses")
    _check_languages(models, loaded)
    try:
        _refuse_stranger(output)
        page = with_digest(make_page(loaded, precision, examples))
        output.parent.mkdir(parents=True, exist_ok=True)
        write_whole(output, page, partial(_refuse_stranger, output))
    except OSError as error:
        raise UserError(f"{output} cannot be written ({error.strerror}); choose another output=FILE") from error
    return len(page.encode())


def _check_languages(models: Sequence[Path], loaded: Sequence[Bundle]) -> None:
    languages = [_languages(bundle) for bundle in loaded]
    if len(set(languages)) > 1:
        pairs = zip(models, languages, strict=True)
        listed = ", ".join(f"{folder} {source or '?'} to {target or '?'}" for folder, (source, target) in pairs)
        raise UserError(f"models of one page need the same languages, but {listed}; export a page for each pair")


def _refuse_stranger(output: Path) -> None:
    """Raise UserError if a file exists, is not empty, and is not a page exactly as heed has written it."""
    if not output.is_file() or not output.stat().st_size:
        return
    with output.open("rb") as file:
        start = file.read(4096)
        if MADE_BY not in start:
            raise UserError(f"{output} exists and is not a page of heed; choose another output=FILE")
        unchanged = has_digest(start + file.read())
    if not unchanged:
        raise UserError(
            f"{output} was changed, or written by another version of heed; remove it, or choose another output=FILE"
        )


def make_page(bundles: Sequence[Bundle], precision: Precision = "int8", examples: Sequence[str] = ()) -> str:
    """The page as HTML; see `write_page`."""
    blocks = [pack_bytes(_block(bundle, precision), level=9) for bundle in bundles]
    models = [
        {"name": name, "figures": _figures(bundle, f"{len(block) / 1e6:.2f} MB, {precision}")}
        for name, bundle, block in zip(_names(bundles), bundles, blocks, strict=True)
    ]
    parts = [
        *(_script("application/octet-stream", f"model-{place}", block) for place, block in enumerate(blocks)),
        _script("text/plain", "worker", join_modules("export/web/worker.mjs")),
    ]

    def filled(size: str) -> str:
        return fill(
            TEMPLATE,
            STYLE,
            "export/web/page.mjs",
            *_languages(bundles[0]),
            allowed="worker-src blob:",
            lead=f"The model runs in this page, on your device. The page is {size} and needs no network.",
            longest=f"{LONGEST}",
            no_examples="" if examples else " hidden",
            about=pack({"models": models, "examples": list(examples)}),
            parts="\n".join(parts),
            **_title(bundles[0]),
        )

    return filled(f"{len(filled('').encode()) / 1e6:.1f} MB")


class ServedPage(NamedTuple):
    """A page whose models run on its server, and its content security policy."""

    text: str
    policy: str


def make_served_page(bundles: Mapping[str, Bundle], longest: int, others: Mapping[str, str]) -> ServedPage:
    """Make the page of a server.

    Args:
        bundles: The models, which translate side by side, by their names on the server.
        longest: The largest number of characters of a sentence.
        others: Titles and addresses of the pages for other languages.
    """
    models = [{"name": name, "figures": _figures(bundle)} for name, bundle in bundles.items()]
    first = next(iter(bundles.values()))
    links = [_link("docs", "API documentation"), *(_link(address, name) for name, address in others.items())]
    script, allowed = "export/web/served.mjs", "connect-src 'self'"
    text = fill(
        TEMPLATE,
        STYLE,
        script,
        *_languages(first),
        allowed=allowed,
        lead=f"The model runs on the server, not in this page. {' · '.join(links)}",
        longest=f"{longest}",
        no_examples=" hidden",
        about=pack({"models": models, "examples": []}),
        parts="",
        **_title(first),
    )
    return ServedPage(text, f"{content_policy(STYLE, script, allowed)}; frame-ancestors 'none'")


def _script(kind: str, name: str, text: str) -> str:
    return f'<script type="{kind}" id="{name}">{text}</script>'


def _link(address: str, text: str) -> str:
    return f'<a href="{html.escape(address)}">{html.escape(text)}</a>'


def _languages(one: Bundle) -> tuple[str | None, str | None]:
    source, target = (one.about.get(name) for name in ("src_lang", "tgt_lang"))
    return source if isinstance(source, str) else None, target if isinstance(target, str) else None


def _title(one: Bundle) -> dict[str, str]:
    source, target = _languages(one)
    return {"title": html.escape(f"Translate {source or '?'} to {target or '?'}, with attention")}


def choose_examples(lines: Sequence[str], count: int = 12) -> list[str]:
    """Different lines of moderate length, evenly spaced over the text, beginning with the first one."""
    usable = [line for line in dict.fromkeys(lines) if 3 <= len(line.split()) <= 16 and len(line) <= 120]
    return usable[:: max(1, len(usable) // count)][:count]


def _block(one: Bundle, precision: Precision) -> bytes:
    return pack_model(one.model, engine_settings(one.architecture), one.src, one.tgt, precision)


def engine_settings(architecture: Architecture) -> dict[str, Any]:
    """The settings of an architecture that do not follow from shapes: the type `Architecture` of web/packed.mjs."""
    score = architecture.attention["score"]
    if score not in KINDS:
        raise UserError(f"the page does not support the score {score!r}; it supports {', '.join(KINDS)}")
    return {
        "query": architecture.query,
        "attend_end": architecture.attend_end,
        "score": score,
        "heads": architecture.attention.get("heads", 1),
        "bidirectional": architecture.bidirectional,
        "enc_layers": architecture.enc_layers,
        "dec_layers": architecture.dec_layers,
    }


def _names(bundles: Sequence[Bundle]) -> list[str]:
    """A unique name for each model."""
    names = [_name(bundle) for bundle in bundles]
    return [name if names.count(name) == 1 else f"{name} ({place})" for place, name in enumerate(names, start=1)]


def _name(one: Bundle) -> str:
    kind = str(one.architecture.attention["score"]).replace("_", "-")
    return f"{one.about.get('run', 'model')}: {kind} attention"


def _figures(one: Bundle, size: str | None = None) -> list[tuple[str, str]]:
    """Number of parameters, size in the page, training corpus and scores of a model."""
    corpus = one.about.get("corpus")
    corpus = corpus if isinstance(corpus, Mapping) else {}
    valid = one.about.get("valid")
    valid = valid if isinstance(valid, Mapping) else {}
    parameters = sum(parameter.numel() for parameter in one.model.parameters())
    scores = [(title, valid[name]) for name, title in SCORES.items() if isinstance(valid.get(name), int | float)]
    return [
        ("Parameters", f"{parameters:,}"),
        *([("Size", size)] if size else []),
        ("Trained on", str(corpus.get("name", "unknown"))),
        *([("Updates", f"{valid['step']:,}")] if isinstance(valid.get("step"), int) else []),
        *((f"Validation {title}", f"{value:.3g}") for title, value in scores),
    ]
