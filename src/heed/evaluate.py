"""The door to scores: a model folder against a split of a corpus."""

import json
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from omegaconf import DictConfig
from pydantic import ConfigDict, Field, ValidationError, validate_call

from heed import bundle, decoding
from heed.bundle import Bundle
from heed.data.corpus import Corpus, Pairs, files, tsv
from heed.data.reverse import reverse
from heed.decoding import Forced, Translation, links_of, word_weights
from heed.door import build, door, sweep_name
from heed.errors import UserError
from heed.files import write_whole
from heed.metrics.alignment import alignment_scores, read_pharaoh
from heed.metrics.bleu import translation_scores
from heed.viz.heatmap import heatmap
from heed.viz.heatmap import save as save_picture


@dataclass(frozen=True)
class Settings:
    """The keys of configs/evaluate.yaml; `corpus` is there when another than the model's own was chosen."""

    model: str
    search: dict[str, Any]
    split: str
    sentences: Annotated[int, Field(ge=1)]
    heatmaps: Annotated[int, Field(ge=0)]
    output: str | None
    device: str
    corpus: dict[str, Any] | None = None


READERS: dict[str, Callable[..., Corpus]] = {"files": files, "tsv": tsv, "reverse": reverse}
"""What a model folder may name to read its corpus."""


def evaluate(cfg: DictConfig) -> dict[str, Any]:
    """Score the model and write what was found; the report."""
    loaded = bundle.load(Path(cfg.model), decoding.device_of(cfg.device))
    corpus = build(cfg.corpus) if cfg.get("corpus") else own_corpus(loaded.about)
    pairs = corpus.read(cfg.split)
    model = (loaded.model, loaded.src, loaded.tgt)
    started = time.perf_counter()
    translations = decoding.translate(*model, pairs.src, build(cfg.search), cfg.sentences)
    seconds = time.perf_counter() - started
    forced = decoding.force(*model, pairs.src, pairs.tgt, cfg.sentences)
    report = {
        "corpus": corpus.name,
        "split": cfg.split,
        "sentences": len(pairs.src),
        "search": _search_name(cfg.search),
        **_scores(translations, forced, pairs, loaded),
        "sentences_per_second": len(pairs.src) / seconds,
    }
    folder = _folder(cfg, corpus)
    try:
        _draw(folder / "heatmaps", translations[: cfg.heatmaps], loaded)
        _write(folder, report, [found.text for found in translations], pairs.tgt)
    except OSError as error:
        raise UserError(f"{folder} cannot be written ({error.strerror}); choose another with output=DIR") from error
    print(f"{_table(report)}\n\nwritten to {folder}")
    return report


def own_corpus(about: Mapping[str, Any]) -> Corpus:
    """The corpus that a model folder names. It may be a stranger's folder: nothing in it is resolved or built."""
    named = about.get("corpus")
    settings = dict(named) if isinstance(named, dict) else {}
    reader = str(settings.pop("reader", None))
    if reader not in READERS:
        raise UserError(
            "the model folder names no corpus that can be read; give one, such as corpus=files (see --help)"
        )
    try:
        return validate_call(config=ConfigDict(strict=True))(READERS[reader])(**settings)
    except ValidationError as error:
        wrong = ", ".join(str(fault["loc"][0]) for fault in error.errors())
        raise UserError(
            f"the corpus that the model folder names cannot be read ({wrong}); give one: corpus=…"
        ) from error


def perplexity(forced: Sequence[Forced]) -> float:
    """Exp of the mean negative log-likelihood of a reference piece, EOS counted, without smoothing."""
    mean = math.fsum(found.nll for found in forced) / sum(len(found.tgt_ids) + 1 for found in forced)
    return math.exp(min(mean, 700.0))  # beyond 709 a float cannot hold it


def _scores(
    translations: Sequence[Translation], forced: Sequence[Forced], pairs: Pairs, loaded: Bundle
) -> dict[str, Any]:
    texts = [found.text for found in translations]
    gold = None if pairs.gold is None else [read_pharaoh(line) for line in pairs.gold]
    return {
        **translation_scores(hypotheses=texts, references=pairs.tgt)._asdict(),
        "perplexity": perplexity(forced),
        "aer": None if gold is None else alignment_scores(links_of(forced, loaded.src, loaded.tgt), gold).aer,
    }


def _search_name(node: DictConfig) -> str:
    settings = {str(key): value for key, value in node.items()}
    given = ", ".join(f"{key}={value}" for key, value in settings.items() if not key.startswith("_"))
    return f"{settings['_target_'].rpartition('.')[2]}({given})"


def _folder(cfg: DictConfig, corpus: Corpus) -> Path:
    """Beside the model folder, unless it is said; a corpus that is not the model's own has a folder by its name."""
    if cfg.output:
        folder = Path(cfg.output)
    else:
        run = Path(cfg.model).resolve().parent / "evaluate"
        folder = (run / corpus.name if cfg.get("corpus") else run) / cfg.split
    return folder / (sweep_name() or "")


def _write(folder: Path, report: Mapping[str, Any], texts: Sequence[str], references: Sequence[str]) -> None:
    write_whole(folder / "hypotheses.txt", "".join(f"{text}\n" for text in texts))
    write_whole(folder / "references.txt", "".join(f"{text}\n" for text in references))
    write_whole(folder / "report.json", json.dumps(dict(report), indent=2, ensure_ascii=False) + "\n")


def _draw(folder: Path, translations: Sequence[Translation], loaded: Bundle) -> None:
    """Attention of the translations as pictures, numbered like the lines of the split."""
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("*.png"):
        old.unlink()
    for number, found in enumerate(translations, start=1):
        ids = found.hypothesis.ids
        weights = word_weights(found.hypothesis.attention, found.src_ids, ids, loaded.src, loaded.tgt)
        picture = heatmap(weights, loaded.src.words(found.src_ids), loaded.tgt.words(ids))
        save_picture(picture, folder / f"{number:04}.png")


def _table(report: Mapping[str, Any]) -> str:
    aer = "no gold alignments" if report["aer"] is None else f"{report['aer']:.3f}"
    rows = {
        "corpus": f"{report['corpus']}, {report['split']}, {report['sentences']:,} sentences, {report['search']}",
        "BLEU": f"{report['bleu']:.2f}   {report['bleu_signature']}",
        "chrF": f"{report['chrf']:.2f}   {report['chrf_signature']}",
        "TER": f"{report['ter']:.2f}   {report['ter_signature']}",
        "perplexity": f"{report['perplexity']:.4g}",
        "AER": aer,
        "speed": f"{report['sentences_per_second']:.1f} sentences/s",
    }
    return "\n".join(f"{name:10} {value}" for name, value in rows.items())


main = door(evaluate, Settings)

if __name__ == "__main__":
    main()
