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
from heed.files import write_whole
from heed.onnx_model import OnnxModel
from heed.viz.modules import join_modules
from heed.viz.page import content_policy, fill, pack, pack_bytes

MADE_BY = b'<meta name="generator" content="heed">'

LONGEST = 1000  # characters of a sentence: what a beam of 5 takes some seconds for

KINDS = ("additive", "article", "coverage", "dot", "general", "multi_head", "scaled_dot")
"""The kinds of attention that web/attention.mjs computes."""

TEMPLATE, STYLE = "export/web/page.html", ("card.css", "export/web/page.css")

SCORES = {"bleu": "BLEU", "chrf": "chrF", "aer": "AER", "perplexity": "perplexity"}
"""What about.json knows of the validation split, as the page names it."""


def write_page(
    models: Sequence[Path], output: Path, precision: Precision = "int8", examples: Sequence[str] = ()
) -> int:
    """Write a page in which the models run, side by side on the same sentence.

    The page needs no network and no server. Its content security policy lets nothing be loaded, and nothing run but
    its own script and the worker that this starts.

    Args:
        models: Model folders, at least one, of the same languages.
        output: The file to write.
        precision: How the matrices are stored: `int8`, a byte a number and a scale a row, or `float32`.
        examples: Sentences to choose from, such as some of the test split; the first is translated at once.

    Returns:
        The size of the file in bytes.

    Raises:
        UserError: No model, a folder that is no model folder, models of different languages, a kind of attention that
            the page cannot compute, a vocabulary that keeps addresses, or a file that is no page.
    """
    if not models:
        raise UserError("no model folder; give at least one, such as runs/tiny/model")
    loaded = [bundle.load(folder) for folder in models]
    for folder, one in zip(models, loaded, strict=True):
        if isinstance(one.model, OnnxModel):
            raise UserError(f"{folder} is an ONNX model; give the model folder that it was made from")
        if one.src.kept or one.tgt.kept:
            raise UserError(f"{folder} was trained with subwords.keep, and the page's engine cannot copy addresses")
    _check_languages(models, loaded)
    try:
        _refuse_stranger(output)
        page = make_page(loaded, precision, examples)
        output.parent.mkdir(parents=True, exist_ok=True)
        write_whole(output, page, partial(_refuse_stranger, output))
    except OSError as error:
        raise UserError(f"{output} cannot be written ({error.strerror}); choose another output=FILE") from error
    return len(page.encode())


def _check_languages(models: Sequence[Path], loaded: Sequence[Bundle]) -> None:
    languages = [_languages(one) for one in loaded]
    if len(set(languages)) > 1:
        pairs = zip(models, languages, strict=True)
        each = ", ".join(f"{folder} {source or '?'} to {target or '?'}" for folder, (source, target) in pairs)
        raise UserError(f"one page translates one pair of languages, but {each}; export each pair by itself")


def _refuse_stranger(output: Path) -> None:
    """UserError for a file that is there, is not empty, and is no page that heed has written."""
    if not output.is_file() or not output.stat().st_size:
        return
    with output.open("rb") as file:
        if MADE_BY not in file.read(4096):
            raise UserError(f"{output} is there, and is no page of heed's; choose another output=FILE")


def make_page(bundles: Sequence[Bundle], precision: Precision = "int8", examples: Sequence[str] = ()) -> str:
    """The page as a text; see `write_page`."""
    blocks = [pack_bytes(_block(each, precision), level=9) for each in bundles]
    models = [
        {"name": name, "figures": _figures(each, f"{len(block) / 1e6:.2f} MB, {precision}")}
        for name, each, block in zip(_names(bundles), bundles, blocks, strict=True)
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
    """A page whose models run on the server that it comes from; and its content security policy."""

    text: str
    policy: str


def make_served_page(bundles: Mapping[str, Bundle], longest: int, others: Mapping[str, str]) -> ServedPage:
    """The page of a server.

    Args:
        bundles: The models that translate side by side, by their names on the server.
        longest: The most characters of a sentence.
        others: Where pages of other languages are: what to call each, and its address.
    """
    models = [{"name": name, "figures": _figures(each)} for name, each in bundles.items()]
    first = next(iter(bundles.values()))
    links = [_link("docs", "Interface for programs"), *(_link(address, name) for name, address in others.items())]
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
    """Different lines of moderate length, spread evenly over the text, the first one among them."""
    usable = [line for line in dict.fromkeys(lines) if 3 <= len(line.split()) <= 16 and len(line) <= 120]
    return usable[:: max(1, len(usable) // count)][:count]


def _block(one: Bundle, precision: Precision) -> bytes:
    return pack_model(one.model, engine_settings(one.architecture), one.src, one.tgt, precision)


def engine_settings(architecture: Architecture) -> dict[str, Any]:
    """What of an architecture the parameters' shapes do not say: the type `Architecture` of web/packed.mjs."""
    score = architecture.attention["score"]
    if score not in KINDS:
        raise UserError(f"the page's engine has no attention called {score!r}; it has {', '.join(KINDS)}")
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
    """The name of each model; no two have the same."""
    names = [_name(each) for each in bundles]
    return [name if names.count(name) == 1 else f"{name} ({place})" for place, name in enumerate(names, start=1)]


def _name(one: Bundle) -> str:
    kind = str(one.architecture.attention["score"]).replace("_", "-")
    return f"{one.about.get('run', 'model')}: {kind} attention"


def _figures(one: Bundle, size: str | None = None) -> list[tuple[str, str]]:
    """Parameters, size in the page, where the model was trained, and its scores."""
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
