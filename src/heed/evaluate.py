"""The door to scores: a model folder against a split of a corpus."""

import json
import math
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

from omegaconf import DictConfig
from pydantic import Field

from heed import bundle, decoding
from heed.bundle import Bundle
from heed.data.corpus import Corpus, Pairs
from heed.data.named import own_corpus
from heed.decoding import Forced, Translation, forced_maps
from heed.door import build, door, sweep_name
from heed.errors import UserError
from heed.files import beside, write_whole
from heed.maps import Level, Map, attention_map, divide, divide_line, read_gold
from heed.metrics.alignment import Gold, alignment_scores
from heed.metrics.attention import Health, advice, mean_health
from heed.metrics.bleu import sentence_bleu, translation_scores
from heed.viz.gallery import Candidate, Entry, gallery
from heed.viz.heatmap import heatmap
from heed.viz.heatmap import save as save_picture

HYPOTHESES = "hypotheses.txt"
"""Written first."""

WRITTEN = ("report.json", "references.txt", "heatmaps", "gallery.html")


@dataclass(frozen=True)
class Settings:
    """The keys of configs/evaluate.yaml; `corpus` is there when another than the model's own was chosen."""

    model: str
    search: dict[str, Any]
    split: str
    sentences: Annotated[int, Field(ge=1)]
    heatmaps: Annotated[int, Field(ge=0)]
    format: Literal["png", "svg"]
    level: Level
    end: bool
    output: str | None
    device: str
    corpus: dict[str, Any] | None = None


class Findings(NamedTuple):
    """What the model made of a split, sentence by sentence."""

    pairs: Pairs
    gold: list[Gold] | None
    forced: list[Forced]
    maps: list[Map]
    """Between the words of each source and of its reference."""
    translations: list[Translation]
    seconds: float
    """Spent on the translations."""


def evaluate(cfg: DictConfig) -> dict[str, Any]:
    """Score the model and write what was found; the report."""
    loaded = bundle.load(Path(cfg.model), decoding.device_of(cfg.device))
    corpus = build(cfg.corpus) if cfg.get("corpus") else own_corpus(loaded.about, Path(cfg.model))
    _check_languages(cfg.model, loaded, corpus)
    folder = _folder(cfg, corpus)
    found = _find(cfg, loaded, corpus)
    report = {
        "corpus": corpus.name,
        "split": cfg.split,
        "sentences": len(found.pairs),
        "search": _search_name(cfg.search),
        **_scores(found, loaded, corpus.tgt_lang),
        "sentences_per_second": len(found.pairs) / found.seconds,
    }
    try:
        _write(folder, report, [one.text for one in found.translations], found.pairs.tgt)
        _draw(folder / "heatmaps", cfg, found.translations[: cfg.heatmaps], loaded)
        write_whole(folder / "gallery.html", _page(cfg, report, found, loaded, corpus))
    except OSError as error:
        raise UserError(f"{folder} cannot be written ({error.strerror}); choose another with output=DIR") from error
    print(f"{_table(report)}\n\nwritten to {folder}\nto look at {folder / 'gallery.html'}")
    return report


def _check_languages(folder: str, loaded: Bundle, corpus: Corpus) -> None:
    """UserError where the model is known to be of other languages: its scores would say nothing."""
    known = [loaded.about.get(name) for name in ("src_lang", "tgt_lang")]
    if all(known) and known != [corpus.src_lang, corpus.tgt_lang]:
        raise UserError(
            f"model={folder} translates {known[0]} to {known[1]}, and corpus {corpus.name} is {corpus.src_lang} to "
            f"{corpus.tgt_lang}; choose text of its languages, or another model=DIR"
        )


def _find(cfg: DictConfig, loaded: Bundle, corpus: Corpus) -> Findings:
    pairs = corpus.read(cfg.split)
    model = (loaded.model, loaded.src, loaded.tgt)
    forced = decoding.force(*model, pairs.src, pairs.tgt, cfg.sentences)
    maps = forced_maps(forced, loaded.src, loaded.tgt)
    gold = None
    if pairs.gold is not None:
        gold = read_gold(pairs.gold, (one.size for one in maps), f"gold alignment of {corpus.name}, {cfg.split}")
    started = time.perf_counter()
    translations = decoding.translate(*model, pairs.src, build(cfg.search), cfg.sentences)
    return Findings(pairs, gold, forced, maps, translations, time.perf_counter() - started)


def perplexity(forced: Sequence[Forced]) -> float:
    """Exp of the mean negative log-likelihood of a reference piece, EOS counted, without smoothing."""
    mean = math.fsum(found.nll for found in forced) / sum(len(found.tgt_ids) + 1 for found in forced)
    return math.exp(min(mean, 700.0))  # beyond 709 a float cannot hold it


def _scores(found: Findings, loaded: Bundle, tgt_lang: str) -> dict[str, Any]:
    texts = [one.text for one in found.translations]
    links = [one.links() for one in found.maps]
    written = [_maps(one, loaded, "word")[0] for one in found.translations]
    return {
        **translation_scores(hypotheses=texts, references=found.pairs.tgt, tgt_lang=tgt_lang)._asdict(),
        "perplexity": perplexity(found.forced),
        "aer": None if found.gold is None else alignment_scores(links, found.gold).aer,
        "attention": {
            "reference": mean_health([one.health() for one in found.maps])._asdict(),
            "hypothesis": mean_health([one.health() for one in written])._asdict(),
        },
    }


def _maps(found: Translation, loaded: Bundle, level: Level) -> list[Map]:
    """Where the model looked, for every candidate, best first."""
    source = divide_line(found.source, loaded.src, level, len(found.src_ids))
    return [attention_map(one.attention, source, divide(one.ids, loaded.tgt, level)) for one in found.candidates]


def _search_name(node: DictConfig) -> str:
    settings = {str(key): value for key, value in node.items()}
    given = [f"{key}={value}" for key, value in settings.items() if not key.startswith("_") and value is not None]
    return str(settings["_target_"]).rpartition(".")[2] + (f"({', '.join(given)})" if given else "")


def _folder(cfg: DictConfig, corpus: Corpus) -> Path:
    """Beside the model folder, unless it is said; a corpus that is not the model's own has a folder by its name.

    UserError where that name leads elsewhere, or what would be written over is no former evaluation.
    """
    if cfg.output:
        folder = Path(cfg.output)
    else:
        if cfg.get("corpus") and (corpus.name.startswith(".") or Path(corpus.name).name != corpus.name):
            raise UserError(f"corpus.name={corpus.name}: expected a name that a folder can have; or give output=DIR")
        run = beside(Path(cfg.model), "evaluate")
        folder = (run / corpus.name if cfg.get("corpus") else run) / cfg.split
    folder = folder / (sweep_name() or "")
    try:
        strange = [name for name in WRITTEN if (folder / name).exists()]
    except OSError as error:
        raise UserError(f"{folder} cannot be read ({error.strerror}); choose another place with output=DIR") from error
    if strange and not (folder / HYPOTHESES).exists():
        raise UserError(f"{folder} holds {strange[0]}, which no evaluation wrote; choose another place with output=DIR")
    return folder


def _write(folder: Path, report: Mapping[str, Any], texts: Sequence[str], references: Sequence[str]) -> None:
    write_whole(folder / HYPOTHESES, "".join(f"{text}\n" for text in texts))
    write_whole(folder / "references.txt", "".join(f"{text}\n" for text in references))
    write_whole(folder / "report.json", json.dumps(dict(report), indent=2, ensure_ascii=False) + "\n")


def _draw(folder: Path, cfg: DictConfig, translations: Sequence[Translation], loaded: Bundle) -> None:
    """Attention of the translations as pictures, numbered like the lines of the split."""
    folder.mkdir(parents=True, exist_ok=True)
    for old in (*folder.glob("*.png"), *folder.glob("*.svg")):
        old.unlink()
    for number, found in enumerate(translations, start=1):
        weights, src_words, tgt_words = _shown(_maps(found, loaded, cfg.level)[0], cfg.end)
        save_picture(heatmap(weights, src_words, tgt_words), folder / f"{number:04}.{cfg.format}")


def _shown(found: Map, end: bool) -> Map:
    """The map with or without </s>, and exactly the weights of its words."""
    return found.with_end() if end else found._replace(weights=found.between_words)


def _page(cfg: DictConfig, report: Mapping[str, Any], found: Findings, loaded: Bundle, corpus: Corpus) -> str:
    """Every sentence to look at."""
    summary = {name: value for name, value in _rows(report).items() if name not in ("corpus", "speed")}
    title = f"{corpus.name}, {cfg.split}: {corpus.src_lang} to {corpus.tgt_lang}"
    return gallery(list(_entries(cfg, found, loaded, corpus.tgt_lang)), title, summary)


def _entries(cfg: DictConfig, found: Findings, loaded: Bundle, tgt_lang: str) -> Iterator[Entry]:
    maps = found.maps if cfg.level == "word" else forced_maps(found.forced, loaded.src, loaded.tgt, cfg.level)
    sentences = zip(found.pairs.tgt, found.translations, maps, strict=True)
    for number, (text, translation, forced) in enumerate(sentences):
        candidates = _maps(translation, loaded, cfg.level)
        best = candidates[0].health()
        reference = _shown(forced, cfg.end)
        yield Entry(
            source=reference.src,
            reference=reference.tgt,
            candidates=[
                Candidate(shown.tgt, one.score, shown.weights)
                for one, shown in zip(
                    translation.candidates, (_shown(each, cfg.end) for each in candidates), strict=True
                )
            ],
            bleu=sentence_bleu(hypothesis=translation.text, reference=text, tgt_lang=tgt_lang) if text else math.nan,
            entropy=best.entropy if best.tgt_len else math.nan,
            coverage=best.coverage if best.tgt_len else math.nan,
            forced=reference.weights,
            gold=None if found.gold is None or cfg.level == "piece" else found.gold[number],
        )


def _table(report: Mapping[str, Any]) -> str:
    lines = [f"{name:15} {value}" for name, value in _rows(report).items()]
    unformed = advice(Health(**report["attention"]["reference"]))
    return "\n".join([*lines, *([f"\n{unformed}"] if unformed else [])])


def _rows(report: Mapping[str, Any]) -> dict[str, str]:
    looked = report["attention"]["reference"]
    return {
        "corpus": f"{report['corpus']}, {report['split']}, {report['sentences']:,} sentences, {report['search']}",
        "BLEU": f"{report['bleu']:.2f}",
        "chrF": f"{report['chrf']:.2f}",
        "TER": f"{report['ter']:.2f}",
        "perplexity": f"{report['perplexity']:.4g}",
        **({} if report["aer"] is None else {"AER": f"{report['aer']:.3f}"}),
        "attention": f"entropy {looked['entropy']:.2f} nats, {looked['coverage']:.0%} of the source words covered, "
        f"{looked['eos_share']:.0%} on </s>",
        "speed": f"{report['sentences_per_second']:.1f} sentences/s",
        **{f"{name} signature": report[f"{name.lower()}_signature"] for name in ("BLEU", "chrF", "TER")},
    }


main = door(evaluate, Settings)

if __name__ == "__main__":
    main()
