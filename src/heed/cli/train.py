"""The door to training: a config in, a run folder out."""

import json
import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Annotated, Any, cast

import torch
from omegaconf import DictConfig, OmegaConf
from pydantic import Field

from heed import architecture, bundle
from heed.architecture import Architecture
from heed.cli.command import build, door, sweep_name
from heed.cli.sweep import Left, scored
from heed.data.corpus import Corpus, Pairs
from heed.data.module import Bitext
from heed.data.prepared import Recipe, prepare
from heed.errors import UserError
from heed.files import write_whole
from heed.models.seq2seq import Seq2Seq
from heed.runs.run_folder import ENVIRONMENT, REPORT, WITHOUT_EFFECT, Found, begin, finish, held, run_path
from heed.settings import dotted
from heed.text.subwords import PAD, Subwords
from heed.training.averaging import Average, MeanOfLast, moving_average
from heed.training.clock import Clock
from heed.training.guide import Guide
from heed.training.module import Translation
from heed.training.processes import first_says, first_then_others, joined, process_rank, started_processes
from heed.training.progress import Lines, duration
from heed.training.schedules import Schedule
from heed.training.trainer import fit
from heed.training.validation import Validation

SOME = 8
"""Pieces of a vocabulary that is not known yet; no size of a model hangs on it."""

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Budget:
    """The keys of `batches`: how much of the corpus an update reads, one of the two."""

    sentences: Annotated[int, Field(ge=1)] | None
    tokens: Annotated[int, Field(ge=1)] | None


@dataclass(frozen=True)
class Settings:
    """The keys of configs/train.yaml."""

    corpus: dict[str, Any]
    cleaning: dict[str, Any]
    subwords: dict[str, Any]
    subword_sampling: Annotated[float, Field(gt=0, le=1)] | None
    batches: Budget
    model: dict[str, Any]
    optim: dict[str, Any]
    learning_rate: dict[str, Any]
    teacher_forcing: dict[str, Any]
    trainer: dict[str, Any]
    callbacks: dict[str, Any]
    run: str
    runs: str
    overwrite: bool
    seed: Annotated[int, Field(ge=0, lt=2**63)]
    label_smoothing: Annotated[float, Field(ge=0, lt=1)]
    guided_attention: Annotated[float, Field(ge=0)]
    r_drop: Annotated[float, Field(ge=0)]
    word_dropout: Annotated[float, Field(ge=0, lt=1)]
    ema: Annotated[float, Field(gt=0, lt=1)] | None
    average_last: Annotated[int, Field(ge=2)] | None
    clip_norm: Annotated[float, Field(gt=0)] | None
    pictures: Annotated[int, Field(ge=0)]
    progress_bar: bool


@dataclass(frozen=True)
class Run:
    """A finished run: its folder, and what its report.json says."""

    folder: Path
    report: Mapping[str, Any]


@dataclass(frozen=True)
class Data:
    """What a run learns from and is validated on, in words and in the pieces of its two vocabularies."""

    corpus: Corpus
    src: Subwords
    tgt: Subwords
    guided: Pairs | None
    """The training split, where attention is guided by its alignments; the text is not kept in memory otherwise."""
    valid: Pairs
    bitext: Bitext
    table: str


def train(cfg: DictConfig) -> Run:
    """Train, or go on with what an earlier start left, to the end; nothing where the run is finished."""
    _check(cfg)
    folder = _folder(cfg)
    with joined(cfg.trainer.distributed, cfg.trainer.accelerator), ExitStack() as kept:
        if first_says(lambda: _begin(cfg, folder, kept)) == "finished":
            print(f"{folder} is finished; overwrite=true starts over")
        else:
            _check_shared(folder)
            report = _train(cfg, folder)
            first_says(lambda: finish(folder, report))
        report = json.loads((folder / REPORT).read_text(encoding="utf-8"))
        print(_summary(folder, report, cfg.corpus))
        return Run(folder, report)


def _check(cfg: DictConfig) -> None:
    """UserError for what can be known to be wrong before any text is read, or a run removed for another."""
    if cfg.ema and cfg.average_last:
        raise UserError(f"ema={cfg.ema} and average_last={cfg.average_last}; set one of them, the other to null")
    build(cfg.optim)([torch.nn.Parameter(torch.zeros(1))])
    with torch.device("meta"), bundle.Unfilled():
        _model(cfg, SOME, SOME)


def _folder(cfg: DictConfig) -> Path:
    """Of a job of a sweep, below that of the run."""
    return run_path(cfg.runs, cfg.run) / (sweep_name() or "")


def _left(cfg: DictConfig, run: Run) -> Iterator[Left]:
    """What a sweep's table shows of a run: its best validation, then its test split too, where there is one."""
    scores = {"valid": run.report["best"]}
    yield Left(run.folder, scores)
    if _has_test(cfg.corpus) and process_rank() == 0:
        yield Left(run.folder, scores | {"test": scored(run.folder / "model")})


def _has_test(corpus: DictConfig) -> bool:
    return "test" in build(corpus).splits


def _begin(cfg: DictConfig, folder: Path, kept: ExitStack) -> Found:
    """Keep the folder for this run as long as `kept` is open; what it was found to be."""
    kept.enter_context(held(folder))
    return begin(folder, _plain(cfg), cfg.overwrite)


def _check_shared(folder: Path) -> None:
    """UserError for a process to which the folder of the run is another one."""
    begun = first_says((folder / ENVIRONMENT).read_bytes)

    def check() -> None:
        if not (folder / ENVIRONMENT).exists() or (folder / ENVIRONMENT).read_bytes() != begun:
            raise UserError(f"{folder} is not one folder for all processes; give runs=… on a disk that they share")

    first_then_others(check)


def _train(cfg: DictConfig, folder: Path) -> dict[str, Any]:
    """One run to its end; the report."""
    data, model, described = first_then_others(lambda: _prepare(cfg, folder))
    print(data.table)
    if not (cfg.callbacks.board and cfg.callbacks.checkpoints):
        raise UserError("callbacks.board and callbacks.checkpoints keep the run and cannot be null")
    clock, checkpoints = Clock(), build(cfg.callbacks.checkpoints)
    board = build(cfg.callbacks.board, clock=clock, settings=_hyperparameters(cfg))
    lines = Lines(clock, checkpoints, cfg.progress_bar)
    others = [build(node) for name, node in cfg.callbacks.items() if node and name not in ("board", "checkpoints")]
    callbacks = [clock, board, lines, *others, checkpoints]
    trainer = build(cfg.trainer, folder=folder, callbacks=callbacks, batches_per_epoch=len(data.bitext.train))
    task = _task(cfg, model, data, trainer.max_steps)
    checkpoints.on_best = lambda scores: bundle.save(
        folder / "model", task.evaluated, described, data.src, data.tgt, _about(cfg, data, scores)
    )
    parameters = sum(parameter.numel() for parameter in model.parameters())
    print(_outline(cfg, data, parameters, trainer), flush=True)
    fit(trainer, task, data.bitext)
    board.finish(trainer, checkpoints.best)
    return {
        "corpus": data.corpus.name,
        "best": checkpoints.best,
        "steps": trainer.global_step,
        "parameters": parameters,
        "precision": str(trainer.precision),
        "seconds": clock.training + clock.validation,
        "tokens_per_second": clock.tokens_per_second,
        "history": checkpoints.history,
    }


def _prepare(cfg: DictConfig, folder: Path) -> tuple[Data, Seq2Seq, Architecture]:
    """The text in pieces, and a model of its sizes, the same in all processes."""
    data = _data(cfg, folder)
    torch.manual_seed(cfg.seed)
    if cfg.model.get("tie") == "all" and data.src != data.tgt:
        raise UserError("model.tie=all, but each side has a vocabulary of its own; give subwords.joint=true too")
    return data, *_model(cfg, len(data.src), len(data.tgt))


def _data(cfg: DictConfig, folder: Path) -> Data:
    if cfg.subword_sampling and cfg.guided_attention:
        raise UserError("guided_attention knows the pieces of one segmentation; set subword_sampling=null with it")
    corpus: Corpus = build(cfg.corpus)
    splits = {name: corpus.read(name) for name in ("train", "valid", *({"test"} & corpus.splits.keys()))}
    cleaned = cache(lambda: build(cfg.cleaning)(splits["train"]))
    src, tgt = _subwords(cfg, lambda: cleaned()[0], folder / "subwords")
    recipe = Recipe(src, tgt, cfg.subwords.kind, _plain(cfg.cleaning), cfg.subword_sampling, cfg.seed)
    prepared = prepare(splits, recipe, cleaned)
    processes = started_processes(cfg.trainer.distributed)
    order = {"seed": cfg.seed, "rank": processes.rank, "world": processes.world}
    bitext = Bitext(prepared.train, prepared.valid, **cfg.batches, **order)
    guided = cleaned()[0] if cfg.guided_attention else None
    return Data(corpus, src, tgt, guided, splits["valid"], bitext, prepared.table)


def _subwords(cfg: DictConfig, train: Callable[[], Pairs], folder: Path) -> tuple[Subwords, Subwords]:
    """The vocabularies of this run: trained once, read ever after."""
    paths = folder / "source.model", folder / "target.model"
    if not all(path.exists() for path in paths):
        pairs = train()
        for path, subwords in zip(paths, build(cfg.subwords)(pairs.src, pairs.tgt), strict=True):
            write_whole(path, subwords.model)
    return Subwords.load(paths[0]), Subwords.load(paths[1])


def _model(cfg: DictConfig, src_vocab: int, tgt_vocab: int) -> tuple[Seq2Seq, Architecture]:
    settings = {str(key): value for key, value in _plain(cfg.model).items() if not str(key).startswith("_")}
    try:
        described = Architecture.from_dict(settings)
        return architecture.build(described, src_vocab, tgt_vocab, PAD), described
    except ValueError as error:
        raise UserError(f"model: {error}") from error


def _task(cfg: DictConfig, model: Seq2Seq, data: Data, steps: int) -> Translation:
    drops = [cfg.model.get(name) for name in ("dropout", "readout_dropout", "enc_dropout", "state_dropout")]
    if cfg.r_drop and not any([*drops, cfg.word_dropout]):
        log.warning("r_drop=%g without any dropout: two equal passes agree anyway, in twice the time", cfg.r_drop)
    return Translation(
        model,
        optimizer=build(cfg.optim),
        learning_rate=_schedule(cfg.learning_rate, steps),
        teacher_forcing=_schedule(cfg.teacher_forcing, steps),
        label_smoothing=cfg.label_smoothing,
        clip_norm=cfg.clip_norm,
        validation=Validation(data.valid, data.src, data.tgt, cfg.pictures, data.corpus.tgt_lang),
        seed=cfg.seed,
        guide=Guide(data.guided, data.src, data.tgt, cfg.guided_attention) if data.guided else None,
        r_drop=cfg.r_drop,
        word_dropout=cfg.word_dropout,
        average=_average(cfg, model),
    )


def _average(cfg: DictConfig, model: Seq2Seq) -> Average | None:
    if cfg.ema:
        return moving_average(model, cfg.ema)
    return MeanOfLast(model, cfg.average_last) if cfg.average_last else None


def _schedule(node: DictConfig, steps: int) -> Schedule:
    """A schedule; one whose `steps` is null spans the run."""
    return cast(Schedule, build(node, steps=steps) if node.get("steps", 0) is None else build(node))


def _about(cfg: DictConfig, data: Data, scores: Mapping[str, int | float]) -> dict[str, Any]:
    """What a model folder says of itself; its corpus by the name of the reader, which `evaluate` looks up."""
    settings = {key: value for key, value in _plain(cfg.corpus).items() if not key.startswith("_")}
    reader = str(cfg.corpus._target_).rpartition(".")[2]
    return {
        "corpus": {"reader": reader} | settings,
        "src_lang": data.corpus.src_lang,
        "tgt_lang": data.corpus.tgt_lang,
        "run": cfg.run,
        "valid": dict(scores),
    }


def _hyperparameters(cfg: DictConfig) -> dict[str, Any]:
    settings = {key: value for key, value in dotted(_plain(cfg)).items() if not isinstance(value, Mapping)}
    return {key: value for key, value in settings.items() if value is not None and key not in WITHOUT_EFFECT}


def _plain(cfg: DictConfig) -> dict[str, Any]:
    return cast(dict[str, Any], OmegaConf.to_container(cfg, resolve=True))


def _outline(cfg: DictConfig, data: Data, parameters: int, trainer: Any) -> str:
    """What is about to happen."""
    return (
        f"\nmodel      {parameters:,} parameters; {len(data.src):,} source and {len(data.tgt):,} target pieces"
        f"\ntraining   {trainer.max_steps:,} steps, {len(data.bitext.train):,} an epoch, validation every "
        f"{trainer.val_check_interval:,}\nmachine    {cfg.trainer.accelerator}, {trainer.precision}, "
        f"{torch.get_num_threads()} threads\n"
    )


def _summary(folder: Path, report: Mapping[str, Any], corpus: DictConfig) -> str:
    """What came out of it, and what to do next."""
    best = report["best"]
    aer = f", AER {best['aer']:.3f}" if "aer" in best else ""
    split = "" if _has_test(corpus) else " ARGS=split=valid"
    return (
        f"\nbest       BLEU {best['bleu']:.2f}, chrF {best['chrf']:.2f}{aer} on the validation split, at step "
        f"{best['step']:,} of {report['steps']:,}"
        f"\ntime       {duration(report['seconds'])}, {report['tokens_per_second']:,.0f} target tokens/s"
        f"\nmodel      {folder}/model"
        f"\nnext       make evaluate RUN={folder}{split}, make translate RUN={folder}, make board"
    )


main = door(train, Settings, resumes=True, leaves=_left)

if __name__ == "__main__":
    main()
