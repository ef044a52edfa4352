"""Training as a function: it takes settings and writes a run folder.

`train` resumes a stopped run, refuses settings that contradict each other, and reports progress to a `Reporter`. It
reads no config and prints nothing.
"""

import json
import logging
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from functools import cache, cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import torch
from pydantic import Field

from heed import architecture, bundle
from heed.architecture import Architecture
from heed.data.cleaning import clean
from heed.data.corpus import Corpus, Pairs
from heed.data.module import Bitext
from heed.data.prepared import Recipe, fingerprints, prepare, read_links, read_splits
from heed.data.readers import read_corpus
from heed.data.summary import Summary
from heed.errors import UserError
from heed.files import write_whole
from heed.metrics import scores
from heed.metrics.scores import Metric
from heed.models.seq2seq import Seq2Seq
from heed.runs.own_files import ENVIRONMENT, REPORT, has_checkpoint
from heed.runs.run_folder import (
    WITHOUT_EFFECT,
    Begun,
    Overwrite,
    State,
    begin,
    check_text,
    finish,
    former_config,
    lengthen,
    locked,
    run_path,
    state,
)
from heed.settings import bind, checked, dotted, shown, under
from heed.text.kept import Kept
from heed.text.normalization import Normalization
from heed.text.sampling import check_kind
from heed.text.subwords import PAD, Kind, Subwords, check_normalization, check_settings, train_pair
from heed.training import schedules
from heed.training.averaging import Average, MeanOfLast, moving_average
from heed.training.board import Board
from heed.training.checkpoints import Checkpoints, EarlyStop
from heed.training.clock import Clock
from heed.training.devices import Precision, lightning_devices, resolve_device, resolve_precision
from heed.training.guide import Guide
from heed.training.module import TranslationModule
from heed.training.processes import decided_by_first, first_then_others, joined, started_processes
from heed.training.profile import Profile
from heed.training.progress import Progress
from heed.training.ranks import process_rank
from heed.training.reporting import Outline, Reporter
from heed.training.schedules import Schedule
from heed.training.trainer import RunTrainer, build_trainer, fit, run_steps
from heed.training.validation import Validation

if TYPE_CHECKING:
    from heed.translator import Translator

log = logging.getLogger(__name__)

OPTIMIZERS: dict[str, Callable[..., torch.optim.Optimizer]] = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}

LEARNING_RATES: dict[str, Callable[..., Schedule]] = {
    "constant": schedules.warmup_constant,
    "cosine": schedules.warmup_cosine,
    "inverse_sqrt": schedules.warmup_inverse_sqrt,
}

TEACHER_FORCING: dict[str, Callable[..., Schedule]] = {
    "constant": schedules.constant,
    "inverse_sigmoid": schedules.inverse_sigmoid,
    "linear": schedules.linear,
}


Count = Annotated[int, Field(ge=1, le=10**12)]
Epochs = Annotated[int | float, Field(gt=0, le=10**9)]


@dataclass(frozen=True)
class Cleaning:
    """Which pairs of the training split are dropped (`heed.data.cleaning.clean`)."""

    max_len: Count = 100
    max_ratio: Annotated[float, Field(ge=1)] = 3.0
    max_characters: Count = 1000
    keep_duplicates: bool = False


@dataclass(frozen=True)
class SubwordSettings:
    """How the vocabularies are trained (`heed.text.subwords.train_pair`)."""

    kind: Kind = "unigram"
    vocab_size: int = 1000
    joint: bool = False
    byte_fallback: bool = False
    character_coverage: float = 1.0
    src_normalization: Normalization | None = None
    tgt_normalization: Normalization = "identity"
    user_defined_symbols: tuple[str, ...] = ()
    keep: tuple[Kept, ...] = ()


@dataclass(frozen=True)
class Batches:
    """The size of the batch of an update, in `sentences` or in `tokens`, and the number of parts it is computed in."""

    sentences: Count | None = 32
    tokens: Count | None = None
    accumulate: Count = 1


@dataclass(frozen=True)
class Length:
    """When training ends, and how often the model is validated."""

    max_epochs: Epochs | None = 10
    max_steps: Count | None = None
    validate_epochs: Epochs = 1
    validate_steps: Count | None = None


@dataclass(frozen=True)
class EarlyStopping:
    """Stop after `patience` validations whose score does not exceed the best one by more than `min_delta`."""

    patience: Count = 5
    min_delta: Annotated[float, Field(ge=0)] = 0.0


@dataclass(frozen=True)
class Profiling:
    """Which updates are profiled: `steps` updates after the first `wait_steps`."""

    wait_steps: Annotated[int, Field(ge=0, le=10**12)] = 9
    steps: Annotated[int, Field(ge=1, le=10**6)] = 10


@dataclass(frozen=True)
class Settings:
    """All settings of a run; configs/train.yaml has their defaults and explains them."""

    corpus: Mapping[str, Any]
    run: str
    model: Architecture
    optim: Mapping[str, Any]
    schedule: Mapping[str, Any]
    teacher_forcing: Mapping[str, Any]
    subwords: SubwordSettings
    cleaning: Cleaning
    batches: Batches
    trainer: Length
    early_stop: EarlyStopping | None
    profile: Profiling | None
    runs: str
    overwrite: Overwrite
    init_from: str | None
    seed: Annotated[int, Field(ge=0, lt=2**63)]
    progress_bar: bool
    heatmaps: Annotated[int, Field(ge=0, le=10**6)]
    device: str
    distributed: bool
    precision: Precision
    matmul_precision: Literal["highest", "high", "medium"]
    checkpoint_steps: Count
    curve_steps: Count
    metric: str
    subword_sampling: Annotated[float, Field(gt=0, le=1)] | None
    label_smoothing: Annotated[float, Field(ge=0, lt=1)]
    guided_attention: Annotated[float, Field(ge=0)]
    guided_links: str | None
    r_drop: Annotated[float, Field(ge=0)]
    word_dropout: Annotated[float, Field(ge=0, lt=1)]
    ema: Annotated[float, Field(gt=0, lt=1)] | None
    average_last: Annotated[int, Field(ge=2)] | None
    clip_norm: Annotated[float, Field(gt=0)] | None


@dataclass(frozen=True)
class Run:
    """A finished run.

    Attributes:
        folder: The run folder.
        report: The contents of report.json: the best validation, all validations, seconds, parameters.
        was_finished: Whether the run was already finished, so that nothing was trained.
    """

    folder: Path
    report: Mapping[str, Any]
    was_finished: bool = False

    @cached_property
    def translator(self) -> "Translator":
        """The run's best model, ready to translate."""
        from heed.translator import load  # noqa: PLC0415 - training alone does not need it

        return load(self.folder / "model")


@dataclass(frozen=True)
class Data:
    """The training and validation data of a run, and its two vocabularies."""

    corpus: Corpus
    src: Subwords
    tgt: Subwords
    guided: Pairs | None
    """The training split if its alignments guide attention; otherwise None, to save memory."""
    validation: Callable[[Metric], Validation]
    metric: Metric
    """Chooses the best model."""
    bitext: Bitext
    summary: Summary
    digests: Mapping[str, str]
    """The digest of each split, which changes if its text changes."""


def train(settings: Settings, *, reporter: Reporter | None = None) -> Run:
    """Train a run to its end, or resume it if it was stopped; does nothing if the run is finished.

    Args:
        settings: All of them; `heed.train` fills them from configs.
        reporter: Is called with events during training.

    Returns:
        The finished run.

    Raises:
        UserError: Settings contradict each other, text cannot be read, or the folder contains another run.
        Interrupted, Terminated: After Ctrl-C and SIGTERM, once the run is saved. The same call resumes it.
    """
    check(settings)
    folder = run_path(settings.runs, settings.run)
    with joined(settings.distributed, settings.device), ExitStack() as stack:
        status = decided_by_first(lambda: _open(settings, folder, stack))
        if status != "finished":
            report = _train(settings, folder, status, stack, reporter or Reporter())
            decided_by_first(lambda: finish(folder, report))
        return Run(folder, json.loads((folder / REPORT).read_text(encoding="utf-8")), status == "finished")


def check(settings: Settings) -> None:
    """Raise UserError for mistakes that can be found before any text is read."""
    if settings.ema and settings.average_last:
        given = f"ema={settings.ema} and average_last={settings.average_last}"
        raise UserError(f"{given}; set one of them, the other to null")
    if settings.subword_sampling and settings.guided_attention:
        raise UserError("guided_attention needs a fixed segmentation of words; give subword_sampling=null too")
    if settings.guided_links and not settings.guided_attention:
        given = f"guided_links={settings.guided_links}"
        raise UserError(f"{given} has no effect without guided_attention; give guided_attention=0.2 too, its weight")
    if settings.model.tie == "all" and not settings.subwords.joint:
        raise UserError("model.tie=all, but each side has a vocabulary of its own; give subwords.joint=true too")
    budgets = settings.batches.sentences, settings.batches.tokens
    if budgets.count(None) != 1:
        given = f"batches.sentences={json.dumps(budgets[0])} and batches.tokens={json.dumps(budgets[1])}"
        raise UserError(f"{given}; set one of them, the other to null")
    if settings.trainer.max_epochs is None and settings.trainer.max_steps is None:
        raise UserError("trainer.max_epochs=null and trainer.max_steps=null; set one of them")
    _check_subwords(settings)
    _check_model(settings)
    read_corpus(settings.corpus)
    lightning_devices(settings.device)
    if settings.metric != "auto":
        scores.metric(settings.metric)
    _check_optimizer(settings.optim)
    _schedule("schedule", settings.schedule, LEARNING_RATES, 1)
    _schedule("teacher_forcing", settings.teacher_forcing, TEACHER_FORCING, 1)


OPTIMIZER_LIMITS: Mapping[str, Any] = {
    "lr": Annotated[float, Field(ge=0)],
    "betas": tuple[Annotated[float, Field(ge=0, lt=1)], Annotated[float, Field(ge=0, lt=1)]],
    "eps": Annotated[float, Field(ge=0)],
    "weight_decay": Annotated[float, Field(ge=0)],
}
"""torch's own, which it names without the key."""


def _check_optimizer(node: Mapping[str, Any]) -> None:
    """UserError for settings that the optimizer refuses, by their keys."""
    made = bind("optim", node, OPTIMIZERS)
    for key, limits in OPTIMIZER_LIMITS.items():
        if key in node:
            try:
                checked(limits, node[key])
            except ValueError as error:
                raise UserError(f"optim.{key}={shown(node[key])}: should be {error}") from error
    made([torch.nn.Parameter(torch.zeros(1))])


def _check_subwords(settings: Settings) -> None:
    """Raise UserError for settings that no vocabulary can be trained with, or for which sampling is impossible."""
    given = settings.subwords
    try:
        check_settings(
            given.kind,
            given.vocab_size,
            given.byte_fallback,
            given.character_coverage,
            given.user_defined_symbols,
            given.keep,
        )
        check_normalization(given.joint, given.src_normalization, given.tgt_normalization)
    except UserError as error:
        raise UserError(under("subwords", str(error), vars(given))) from error
    if settings.subword_sampling:
        check_kind(given.kind, settings.subword_sampling)


def _check_model(settings: Settings) -> None:
    """Raise UserError for a model that cannot be built, and for an `init_from` that does not fit this run."""
    try:
        bundle.check_architecture(settings.model)
    except ValueError as error:
        raise UserError(under("model", str(error), vars(settings.model))) from error
    if settings.init_from is None:
        return
    if Path(settings.init_from).resolve().is_relative_to(run_path(settings.runs, settings.run).resolve()):
        raise UserError(
            f"init_from={settings.init_from} is inside the folder of this run; give another name with run=NAME"
        )
    before, wanted = (
        {key: value for key, value in dotted(one.to_dict()).items() if not isinstance(value, Mapping)}
        for one in (bundle.read_architecture(Path(settings.init_from)), settings.model)
    )
    different = [key for key in before | wanted if before.get(key) != wanted.get(key) and key not in FREE]
    if different:
        given = " ".join(f"model.{key}={shown(before[key])}" for key in different if key in before)
        raise UserError(
            f"init_from={settings.init_from} has another architecture than this run ({', '.join(different)}); "
            f"give {given or 'the same attention'}"
        )


FREE = ("dropout", "readout_dropout", "enc_dropout", "state_dropout", "variational")
"""Settings of an architecture that may change with `init_from`, because the weights keep their meaning."""


def has_test(settings: Settings) -> bool:
    """Whether the corpus of a run has a test split."""
    return "test" in read_corpus(settings.corpus).splits


def _open(settings: Settings, folder: Path, stack: ExitStack) -> State:
    """Lock the folder until `stack` is closed; return the state of the run in it."""
    stack.enter_context(locked(folder))
    return state(folder, asdict(settings), settings.overwrite)


def _train(settings: Settings, folder: Path, status: State, stack: ExitStack, reporter: Reporter) -> dict[str, Any]:
    """Train one run to its end; return the report."""
    (data, model), begun = _prepare(settings, folder, status, stack)
    clock, checkpoints = Clock(), Checkpoints(data.metric, settings.checkpoint_steps)
    board = Board(clock, hyperparameters(settings), settings.curve_steps)
    early = settings.early_stop and EarlyStop(data.metric, reporter, **asdict(settings.early_stop))
    profile = settings.profile and Profile(reporter, **asdict(settings.profile))
    optional = [callback for callback in (early, profile) if callback]
    callbacks: list[Any] = [clock, board, Progress(reporter, clock, checkpoints), *optional, checkpoints]
    trainer = build_trainer(
        folder,
        callbacks,
        len(data.bitext.train),
        **asdict(settings.trainer),
        device=settings.device,
        distributed=settings.distributed,
        precision=settings.precision,
        matmul_precision=settings.matmul_precision,
    )
    task = _task(settings, model, data, trainer.max_steps)
    checkpoints.on_best = lambda best: bundle.save(
        folder / "model", task.evaluated, settings.model, data.src, data.tgt, _about(settings, data, best)
    )
    if begun:
        checkpoints.on_saved = begun.settle
    outline = _outline(settings, data, model, trainer, begun.replaced if begun else None)
    if process_rank() == 0:
        reporter.outlined(outline)
    fit(trainer, task, data.bitext)
    board.finish(trainer, checkpoints.best)
    return {
        "corpus": data.corpus.name,
        "metric": data.metric.name,
        "best": checkpoints.best,
        "steps": trainer.global_step,
        "stopped_early": bool(early and early.stopped),
        "patience": early.patience if early else None,
        "parameters": outline.parameters,
        "precision": outline.precision,
        "seconds": clock.training + clock.validation,
        "tokens_per_second": clock.tokens_per_second,
        "history": checkpoints.history,
        **({"parts": {name: asdict(part) for name, part in data.summary.parts.items()}} if data.summary.parts else {}),
    }


Prepared = tuple[Data, Seq2Seq]


def _prepare(settings: Settings, folder: Path, status: State, stack: ExitStack) -> tuple[Prepared, Begun | None]:
    """Prepare data and model; then begin the run in its folder, or resume it after checking that the text is the same.

    The first process reads the text, trains the vocabularies and writes them; the others read them.
    """
    first: list[Prepared] = []
    begun: list[Begun] = []

    def begin_first() -> bytes:
        first.append(_ready(settings, None if status == "new" else folder))
        data = first[0][0]
        if status == "new":
            begun.append(stack.enter_context(begin(folder, asdict(settings), data.digests)))
        else:
            check_text(folder, data.digests)
        if status == "longer":
            _lengthen(settings, folder, len(data.bitext.train))
        for name, subwords in (("source.model", data.src), ("target.model", data.tgt)):
            if not (folder / "subwords" / name).exists():
                write_whole(folder / "subwords" / name, subwords.model)
        return (folder / ENVIRONMENT).read_bytes()

    environment = decided_by_first(begin_first)

    def ready() -> Prepared:
        _check_shared(folder, environment)
        return first[0] if first else _ready(settings, folder)

    return first_then_others(ready), begun[0] if begun else None


def _lengthen(settings: Settings, folder: Path, steps_per_epoch: int) -> None:
    """Continue a finished run, and log if that changes the learning rate."""
    length = former_config(folder)["trainer"]
    done = int(json.loads((folder / REPORT).read_text(encoding="utf-8"))["steps"])
    former = run_steps(steps_per_epoch, length["max_epochs"], length["max_steps"])
    total = run_steps(steps_per_epoch, settings.trainer.max_epochs, settings.trainer.max_steps)
    rates = [_schedule("schedule", settings.schedule, LEARNING_RATES, steps)(done) for steps in (former, total)]
    lengthen(folder, asdict(settings))
    log.info("%s was finished after step %s and continues to step %s", folder, f"{done:,}", f"{total:,}")
    if abs(rates[1] - rates[0]) > RATE_CHANGE:
        log.info(
            "the learning rate changes from %.0f%% of optim.lr to %.0f%% and follows the longer schedule; the result "
            "differs from a run that had this length from the start",
            *(100 * rate for rate in rates),
        )


RATE_CHANGE = 0.005
"""The smallest change of the learning rate that is logged, as a share of optim.lr."""


def _check_shared(folder: Path, environment: bytes) -> None:
    """Raise UserError in a process that sees another run folder than the first process."""
    if not (folder / ENVIRONMENT).exists() or (folder / ENVIRONMENT).read_bytes() != environment:
        raise UserError(f"{folder} is not the same folder for all processes; give runs=DIR on a disk that they share")


def _ready(settings: Settings, folder: Path | None) -> Prepared:
    """The encoded text and the model, with the vocabularies of the run in `folder` if it has them."""
    data = _data(settings, folder)
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(settings.seed)
        try:
            model = architecture.build(settings.model, len(data.src), len(data.tgt), PAD)
        except ValueError as error:
            raise UserError(f"model: {error}") from error
    if settings.init_from and not (folder and has_checkpoint(folder)):
        model.load_state_dict(bundle.load(Path(settings.init_from)).model.state_dict())
        if process_rank() == 0:
            log.info("starts from the weights and subwords of %s; subwords.* is ignored", settings.init_from)
    return data, model


def _data(settings: Settings, folder: Path | None) -> Data:
    corpus = read_corpus(settings.corpus)
    splits = read_splits(corpus)
    if settings.guided_links:
        splits = splits.guided(read_links(Path(settings.guided_links), len(splits.pairs["train"])))
    train, valid = splits.pairs["train"], splits.pairs["valid"]
    digests = fingerprints(splits)
    cleaned = cache(lambda: clean(train, **asdict(settings.cleaning)))
    src, tgt = _subwords(settings, lambda: cleaned()[0], folder)
    recipe = Recipe(
        src, tgt, settings.subwords.kind, asdict(settings.cleaning), settings.subword_sampling, settings.seed
    )
    prepared = prepare(splits, recipe, cleaned, digests)
    guiding = cleaned()[0] if settings.guided_attention else None
    cleaned.cache_clear()  # its memory is free before an epoch is planned, which takes more
    processes = started_processes(settings.distributed)
    bitext = Bitext(
        prepared.train,
        prepared.valid,
        settings.batches.sentences,
        settings.batches.tokens,
        seed=settings.seed,
        rank=processes.rank,
        world=processes.world,
        readings=prepared.readings,
    )
    return Data(
        corpus,
        src,
        tgt,
        guiding,
        partial(Validation, valid, src, tgt, settings.heatmaps, corpus.tgt_lang),
        scores.choose(settings.metric, valid.tgt, corpus.tgt_lang),
        bitext,
        prepared.summary,
        {name: digest for name, digest in prepared.digests.items() if name != "test"},
    )


def _subwords(settings: Settings, train: Callable[[], Pairs], folder: Path | None) -> tuple[Subwords, Subwords]:
    """The vocabularies of the run in `folder`, or newly trained ones if there are none."""
    paths = [folder / "subwords" / f"{side}.model" for side in ("source", "target")] if folder else []
    if paths and all(path.exists() for path in paths):
        return Subwords.load(paths[0]), Subwords.load(paths[1])
    if settings.init_from:
        before = bundle.load(Path(settings.init_from))
        return before.src, before.tgt
    pairs = train()
    try:
        return train_pair(pairs.src, pairs.tgt, **asdict(settings.subwords))
    except UserError as error:
        raise UserError(under("subwords", str(error), vars(settings.subwords))) from error


def _task(settings: Settings, model: Seq2Seq, data: Data, steps: int) -> TranslationModule:
    given = settings.model
    drops = [given.dropout, given.readout_dropout, given.enc_dropout, given.state_dropout, settings.word_dropout]
    if settings.r_drop and not any(drops):
        log.warning("r_drop=%g has no effect without dropout, but doubles the time", settings.r_drop)
    return TranslationModule(
        model,
        optimizer=bind("optim", settings.optim, OPTIMIZERS),
        learning_rate=_schedule("schedule", settings.schedule, LEARNING_RATES, steps),
        teacher_forcing=_schedule("teacher_forcing", settings.teacher_forcing, TEACHER_FORCING, steps),
        label_smoothing=settings.label_smoothing,
        clip_norm=settings.clip_norm,
        validation=data.validation(data.metric),
        seed=settings.seed,
        guide=_guide(settings, data),
        r_drop=settings.r_drop,
        word_dropout=settings.word_dropout,
        average=_average(settings, model),
        accumulate=settings.batches.accumulate,
    )


def _guide(settings: Settings, data: Data) -> Guide | None:
    if not data.guided:
        return None
    return Guide(data.guided, data.src, data.tgt, settings.guided_attention, settings.model.attend_end)


def _average(settings: Settings, model: Seq2Seq) -> Average | None:
    if settings.ema:
        return moving_average(model, settings.ema)
    return MeanOfLast(model, settings.average_last) if settings.average_last else None


def _schedule(
    path: str, node: Mapping[str, Any], functions: Mapping[str, Callable[..., Schedule]], steps: int
) -> Schedule:
    """A schedule; if its `steps` is null, it spans the whole run."""
    spanning = {"steps": steps} if node.get("steps", 0) is None else {}
    return bind(path, {**node, **spanning}, functions)()


def _about(settings: Settings, data: Data, best: Mapping[str, int | float]) -> dict[str, Any]:
    """The contents of about.json; the corpus is described by its reader's settings, which `evaluate` uses."""
    return {
        "corpus": dict(settings.corpus),
        "src_lang": data.corpus.src_lang,
        "tgt_lang": data.corpus.tgt_lang,
        "run": settings.run,
        **({"init_from": settings.init_from} if settings.init_from else {}),
        "valid": dict(best),
    }


def hyperparameters(settings: Settings) -> dict[str, Any]:
    """Settings for TensorBoard's table of runs: those that people vary, unless they are off; config.yaml has all."""
    return {
        key: value
        for key, value in dotted(asdict(settings)).items()
        if key not in WITHOUT_EFFECT
        and (key == "corpus.name" or not key.startswith(UNVARIED))
        and not isinstance(value, Mapping)
        and value not in (None, False, 0, ())
    }


UNVARIED = (
    *(
        "batches.accumulate",
        "checkpoint_steps",
        "cleaning.",
        "corpus.",
        "curve_steps",
        "device",
        "distributed",
        "early_stop.",
        "heatmaps",
    ),
    *("matmul_precision", "metric", "model.bidirectional", "optim.betas", "optim.eps", "optim.fused", "precision"),
    *("profile.", "subwords.character_coverage", "subwords.src_normalization", "subwords.tgt_normalization"),
    "trainer.validate_",
)
"""Prefixes of keys that are left out of that table, because runs rarely differ in them."""


def _outline(settings: Settings, data: Data, model: Seq2Seq, trainer: RunTrainer, replaced: Path | None) -> Outline:
    return Outline(
        summary=data.summary,
        parameters=sum(parameter.numel() for parameter in model.parameters()),
        src_vocab=len(data.src),
        tgt_vocab=len(data.tgt),
        steps=int(trainer.max_steps),
        steps_per_epoch=len(data.bitext.train),
        validation_steps=int(trainer.val_check_interval),
        metric=data.metric.name,
        device=str(resolve_device(settings.device)),
        precision=resolve_precision(settings.precision, settings.device),
        threads=torch.get_num_threads(),
        replaced=replaced,
    )
