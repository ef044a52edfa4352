"""One or more models as one HTML file that translates without a network."""

import html
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from heed import bundle
from heed.architecture import Architecture
from heed.bundle import Bundle
from heed.errors import UserError
from heed.export.packed import Precision, pack_model
from heed.files import write_whole
from heed.onnx_model import OnnxModel
from heed.viz.modules import join_modules
from heed.viz.page import fill, pack, pack_bytes

MADE_BY = b'<meta name="generator" content="heed">'

LONGEST = 1000  # characters of a sentence: what a beam of 5 takes some seconds for

KINDS = ("additive", "article", "coverage", "dot", "general", "multi_head", "scaled_dot")
"""The kinds of attention that web/attention.mjs computes."""

SCORES = {"bleu": "BLEU", "chrf": "chrF", "aer": "AER", "perplexity": "perplexity"}
"""What about.json knows of the validation split, as the page names it."""


def write_page(
    models: Sequence[Path], output: Path, precision: Precision = "int8", examples: Sequence[str] = ()
) -> int:
    """Write a page in which the models run, side by side on the same sentence.

    The page needs no network and no server. Its content security policy lets nothing be loaded, and nothing run but
    its own script and the worker that this starts.

    Args:
        models: Model folders, at least one. They should translate between the same languages.
        output: The file to write.
        precision: How the matrices are stored: `int8`, a byte a number and a scale a row, or `float32`.
        examples: Sentences to choose from, such as some of the test split; the first is translated at once.

    Returns:
        The size of the file in bytes.

    Raises:
        UserError: No model, a folder that is no model folder, or a kind of attention that the page cannot compute.
    """
    if not models:
        raise UserError("no model folder; give at least one, such as runs/tiny/model")
    loaded = [bundle.load(folder) for folder in models]
    for folder, one in zip(models, loaded, strict=True):
        if isinstance(one.model, OnnxModel):
            raise UserError(f"{folder} is an ONNX model; give the model folder that it was made from")
    try:
        if not _may_be_written(output):
            raise UserError(f"{output} is there, and is no page of heed's; choose another output=FILE")
        page = make_page(loaded, precision, examples)
        output.parent.mkdir(parents=True, exist_ok=True)
        write_whole(output, page)
    except OSError as error:
        raise UserError(f"{output} cannot be written ({error.strerror}); choose another output=FILE") from error
    return len(page.encode())


def _may_be_written(output: Path) -> bool:
    """Whether a file is not there, is empty, or is a page that heed has written."""
    if not output.is_file() or not output.stat().st_size:
        return True
    with output.open("rb") as file:
        return MADE_BY in file.read(4096)


def make_page(bundles: Sequence[Bundle], precision: Precision = "int8", examples: Sequence[str] = ()) -> str:
    """The page as a text; see `write_page`."""
    blocks = [pack_bytes(_block(each, precision), level=9) for each in bundles]
    about = pack({"models": _described(bundles, blocks, precision), "examples": list(examples)})
    languages = [bundles[0].about.get(name) for name in ("src_lang", "tgt_lang")]
    source, target = (language if isinstance(language, str) else None for language in languages)

    def filled(size: str) -> str:
        return fill(
            "export/web/page.html",
            ("card.css", "export/web/page.css"),
            "export/web/page.mjs",
            source,
            target,
            workers=True,
            title=html.escape(f"Translate {source or '?'} to {target or '?'}, with attention"),
            size=size,
            longest=f"{LONGEST}",
            no_examples="" if examples else " hidden",
            about=about,
            blocks="\n".join(
                f'<script type="application/octet-stream" id="model-{place}">{block}</script>'
                for place, block in enumerate(blocks)
            ),
            worker=join_modules("export/web/worker.mjs"),
        )

    return filled(f"{len(filled('').encode()) / 1e6:.1f} MB")


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


def _described(bundles: Sequence[Bundle], blocks: Sequence[str], precision: Precision) -> list[dict[str, Any]]:
    """Each model's name and figures, as the page shows them; no two have the same name."""
    names = [_name(each) for each in bundles]
    return [
        {
            "name": name if names.count(name) == 1 else f"{name} ({place})",
            "figures": _figures(each, len(block), precision),
        }
        for place, (name, each, block) in enumerate(zip(names, bundles, blocks, strict=True), start=1)
    ]


def _name(one: Bundle) -> str:
    kind = str(one.architecture.attention["score"]).replace("_", "-")
    return f"{one.about.get('run', 'model')}: {kind} attention"


def _figures(one: Bundle, size: int, precision: Precision) -> list[tuple[str, str]]:
    """Size, parameters, scores and where the model was trained."""
    corpus = one.about.get("corpus")
    corpus = corpus if isinstance(corpus, Mapping) else {}
    valid = one.about.get("valid")
    valid = valid if isinstance(valid, Mapping) else {}
    parameters = sum(parameter.numel() for parameter in one.model.parameters())
    scores = [(title, valid[name]) for name, title in SCORES.items() if isinstance(valid.get(name), int | float)]
    return [
        ("Parameters", f"{parameters:,}"),
        ("Size", f"{size / 1e6:.2f} MB, {precision}"),
        ("Trained on", str(corpus.get("name", "unknown"))),
        *([("Updates", f"{valid['step']:,}")] if isinstance(valid.get("step"), int) else []),
        *((f"Validation {title}", f"{value:.3g}") for title, value in scores),
    ]
