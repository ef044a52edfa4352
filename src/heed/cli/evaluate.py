"""The door to scores: a model folder against a split of a corpus."""

import math
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, cast

from omegaconf import DictConfig, OmegaConf
from pydantic import Field

from heed import bundle, decoding
from heed.bundle import Bundle
from heed.cli.command import build, door, sweep_name
from heed.cli.sweep import Left
from heed.data.corpus import Corpus, Pairs
from heed.data.named import own_corpus
from heed.decoding import Forced, Translation, forced_maps
from heed.errors import UserError
from heed.files import write_whole
from heed.maps import Level, Map, attention_map, divide, divide_line, read_gold
from heed.metrics.alignment import Gold, alignment_scores
from heed.metrics.attention import mean_health
from heed.metrics.bleu import sentence_bleu, translation_scores
from heed.metrics.significance import paired_bootstrap
from heed.metrics.tokenised import tokenised_bleu
from heed.runs.evaluation_folder import (
    GALLERY,
    HEATMAPS,
    HYPOTHESES,
    REFERENCES,
    evaluation_path,
    refuse_strangers,
    refuse_strangers_to_several,
    search_in,
    translations_in,
    write_lines,
    write_report,
    writing,
)
from heed.runs.report import over_runs, rows, table, table_over_runs
from heed.runs.seeds import check_runs, check_seeds, filled
from heed.viz.gallery import Candidate, Entry, gallery
from heed.viz.heatmap import heatmap
from heed.viz.heatmap import save as save_picture


@dataclass(frozen=True)
class Settings:
    """The keys of configs/evaluate.yaml; `corpus` is there when another than the model's own was chosen."""

    model: str | list[str]
    seeds: list[int] | None
    versus: str | None
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


class Others(NamedTuple):
    """What another system made of this split, and by which search, where that is known."""

    texts: list[str]
    search: str | None


class Findings(NamedTuple):
    """What the model made of a split, sentence by sentence."""

    pairs: Pairs
    gold: list[Gold] | None
    forced: list[Forced]
    maps: list[Map]
    """Between the words of each source and of its reference."""
    translations: list[Translation]
    written: list[list[Map]]
    """Between the words of each source and of what was made of it, for every candidate, best first."""
    seconds: float
    """Spent on the translations."""


def evaluate(cfg: DictConfig) -> dict[str, Any]:
    """Score the model, or that of each of several seeds, and write what was found; the report."""
    check_seeds(cfg.model, cfg.seeds)
    if cfg.seeds:
        return _evaluate_each(cfg)
    report, folder = _evaluate(cfg)
    print(f"{table(report)}\n\nwritten to {folder}\nto look at {folder / GALLERY}")
    return report


def _left(cfg: DictConfig, report: Mapping[str, Any]) -> Iterator[Left]:
    """What a sweep's table shows of an evaluation: its scores, or their mean over the seeds."""
    scores = {**report, **report.get("mean", {})}
    yield Left(_folder(_together(cfg), report["corpus"]), {report["split"]: scores})


def _evaluate_each(cfg: DictConfig) -> dict[str, Any]:
    """A report on each seed, where it would be alone, and one on them all, in a folder that names them together."""
    check_runs(cfg.model, cfg.seeds)
    folder = _folder(_together(cfg), build(cfg.corpus).name if cfg.get("corpus") else "")
    refuse_strangers_to_several(folder)
    reports = []
    for seed in cfg.seeds:
        report, place = _evaluate(_of_seed(cfg, seed))
        print(f"seed {seed}: BLEU {report['bleu']:.2f}, written to {place}", flush=True)
        reports.append(report)
    whole = over_runs(cfg.seeds, reports)
    with writing(folder):
        write_report(folder, whole)
    print(f"\nmean ± standard deviation over {len(reports)} runs\n{table_over_runs(whole)}\n\nwritten to {folder}")
    return whole


def _together(cfg: DictConfig) -> DictConfig:
    """The settings for all seeds, which are in the names of folders then."""
    return _of_seed(cfg, "+".join(map(str, cfg.seeds))) if cfg.seeds else cfg


def _of_seed(cfg: DictConfig, seed: object) -> DictConfig:
    """The settings for one of the seeds, or for all of them under one name."""
    one = {"model": filled(cfg.model, seed), "seeds": None, "versus": cfg.versus and filled(cfg.versus, seed)}
    if cfg.output and isinstance(seed, int):
        one["output"] = str(Path(cfg.output, f"seed-{seed}"))
    return cast(DictConfig, OmegaConf.merge(cfg, one))


def _evaluate(cfg: DictConfig) -> tuple[dict[str, Any], Path]:
    """The report on one model, and where it was written."""
    loaded = bundle.load_ensemble(cfg.model, decoding.device_of(cfg.device))
    first = cfg.model if isinstance(cfg.model, str) else cfg.model[0]
    corpus = build(cfg.corpus) if cfg.get("corpus") else own_corpus(loaded.about, Path(first))
    _check_languages(first, loaded, corpus)
    folder = _folder(cfg, corpus.name)
    refuse_strangers(folder)
    if cfg.split not in corpus.splits:
        raise UserError(f"corpus {corpus.name} has no {cfg.split} split; give split={' or '.join(corpus.splits)}")
    pairs = corpus.read(cfg.split)
    others = _others(cfg, corpus, pairs.tgt) if cfg.versus else None
    found = _find(cfg, loaded, corpus, pairs)
    report = {
        "corpus": corpus.name,
        "split": cfg.split,
        "sentences": len(found.pairs),
        "search": _search_name(cfg.search),
        **_scores(found, corpus.tgt_lang),
        "versus": others and _versus(cfg.versus, others, found, corpus.tgt_lang),
        "sentences_per_second": len(found.pairs) / found.seconds,
    }
    with writing(folder):
        write_lines(folder / HYPOTHESES, [one.text for one in found.translations])
        write_lines(folder / REFERENCES, found.pairs.tgt)
        _draw(folder / HEATMAPS, cfg, found.translations[: cfg.heatmaps], loaded)
        write_whole(folder / GALLERY, _page(cfg, report, found, loaded, corpus))
        write_report(folder, report)
    return report, folder


def _check_languages(folder: str, loaded: Bundle, corpus: Corpus) -> None:
    """UserError where the model is known to be of other languages: its scores would say nothing."""
    known = [loaded.about.get(name) for name in ("src_lang", "tgt_lang")]
    if all(known) and known != [corpus.src_lang, corpus.tgt_lang]:
        raise UserError(
            f"model={folder} translates {known[0]} to {known[1]}, and corpus {corpus.name} is {corpus.src_lang} to "
            f"{corpus.tgt_lang}; choose text of its languages, or another model=DIR"
        )


def _others(cfg: DictConfig, corpus: Corpus, references: Sequence[str]) -> Others:
    """Found by its output folder or its model folder."""
    folder = Path(cfg.versus)
    place = folder if (folder / HYPOTHESES).is_file() else _path(cfg, folder, corpus.name)
    return Others(translations_in(place, references, f"versus={cfg.versus}"), search_in(place))


def _versus(folder: str, others: Others, found: Findings, tgt_lang: str) -> dict[str, Any]:
    texts = [one.text for one in found.translations]
    compared = paired_bootstrap(hypotheses=texts, others=others.texts, references=found.pairs.tgt, tgt_lang=tgt_lang)
    return {"folder": folder, "search": others.search, **{name: one._asdict() for name, one in compared.items()}}


def _find(cfg: DictConfig, loaded: Bundle, corpus: Corpus, pairs: Pairs) -> Findings:
    model = (loaded.model, loaded.src, loaded.tgt)
    forced = decoding.force(*model, pairs.src, pairs.tgt, cfg.sentences)
    maps = forced_maps(forced, loaded.src, loaded.tgt)
    gold = None
    if pairs.gold is not None:
        gold = read_gold(pairs.gold, (one.size for one in maps), f"gold alignment of {corpus.name}, {cfg.split}")
    started = time.perf_counter()
    translations = decoding.translate(*model, pairs.src, build(cfg.search), cfg.sentences)
    seconds = time.perf_counter() - started
    written = [_maps(one, loaded, "word") for one in translations]
    return Findings(pairs, gold, forced, maps, translations, written, seconds)


def perplexity(forced: Sequence[Forced]) -> float:
    """Exp of the mean negative log-likelihood of a reference piece, EOS counted, without smoothing."""
    mean = math.fsum(found.nll for found in forced) / sum(len(found.tgt_ids) + 1 for found in forced)
    return math.exp(min(mean, 700.0))  # beyond 709 a float cannot hold it


def _scores(found: Findings, tgt_lang: str) -> dict[str, Any]:
    texts = [one.text for one in found.translations]
    links = [one.links() for one in found.maps]
    both: Any = {"hypotheses": texts, "references": found.pairs.tgt, "tgt_lang": tgt_lang}
    return {
        **translation_scores(**both)._asdict(),
        **tokenised_bleu(**both)._asdict(),
        "perplexity": perplexity(found.forced),
        "aer": None if found.gold is None else alignment_scores(links, found.gold).aer,
        "attention": {
            "reference": mean_health([one.health() for one in found.maps])._asdict(),
            "hypothesis": mean_health([candidates[0].health() for candidates in found.written])._asdict(),
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


def _path(cfg: DictConfig, model: Path, corpus: str) -> Path:
    return evaluation_path(model, cfg.split, corpus if cfg.get("corpus") else None)


def _folder(cfg: DictConfig, corpus: str) -> Path:
    """Where to write; a job of a sweep has a folder of its own there. UserError for several models without `output`."""
    if not cfg.output and not isinstance(cfg.model, str):
        raise UserError(f"model=[{','.join(cfg.model)}] lies in no one place; say where to write with output=DIR")
    place = Path(cfg.output) if cfg.output else _path(cfg, Path(cfg.model), corpus)
    return place / (sweep_name() or "")


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


def _listed(found: Map, end: bool) -> Map:
    """The map with </s> among its words, or as weights alone beside those of the words."""
    return found.with_end() if end else found._replace(weights=found.weights[: len(found.tgt)])


def _page(cfg: DictConfig, report: Mapping[str, Any], found: Findings, loaded: Bundle, corpus: Corpus) -> str:
    """Every sentence to look at."""
    summary = {name: value for name, value in rows(report).items() if name not in ("corpus", "speed")}
    title = f"{corpus.name}, {cfg.split}: {corpus.src_lang} to {corpus.tgt_lang}"
    entries = list(_entries(cfg, found, loaded, corpus.tgt_lang))
    return gallery(entries, title, summary, corpus.src_lang, corpus.tgt_lang)


def _entries(cfg: DictConfig, found: Findings, loaded: Bundle, tgt_lang: str) -> Iterator[Entry]:
    maps = found.maps if cfg.level == "word" else forced_maps(found.forced, loaded.src, loaded.tgt, cfg.level)
    written = found.written if cfg.level == "word" else [_maps(one, loaded, cfg.level) for one in found.translations]
    sentences = zip(found.pairs.tgt, found.translations, maps, written, strict=True)
    for number, (text, translation, forced, candidates) in enumerate(sentences):
        best = candidates[0].health()
        reference = _listed(forced, cfg.end)
        yield Entry(
            source=reference.src,
            reference=reference.tgt,
            candidates=[
                Candidate(shown.tgt, one.score, shown.weights, loaded.tgt.decode(one.ids))
                for one, shown in zip(
                    translation.candidates, (_listed(each, cfg.end) for each in candidates), strict=True
                )
            ],
            bleu=sentence_bleu(hypothesis=translation.text, reference=text, tgt_lang=tgt_lang) if text else math.nan,
            entropy=best.entropy if best.tgt_len else math.nan,
            coverage=best.coverage if best.tgt_len else math.nan,
            forced=reference.weights,
            gold=None if found.gold is None or cfg.level == "piece" else found.gold[number],
            source_text=translation.source,
            reference_text=text,
        )


main = door(evaluate, Settings, leaves=_left)

if __name__ == "__main__":
    main()
