"""No file that heed did not write is ever deleted or replaced: by no command, by no setting, through no symlink."""

import gzip
import json
import os
import shutil
import stat
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, event, example, given, settings
from hypothesis import strategies as st
from matplotlib.figure import Figure

from heed.errors import UserError
from heed.metrics.alignment import write_weights
from heed.runs.alignment_files import own_files, report_path
from heed.runs.evaluation_folder import write_report
from tests.support import model_folder
from tests.support.commands import Outcome, forked
from tests.support.small_run import overrides

SHORT = ["trainer.max_steps=2", "trainer.validate_steps=2", "corpus.train=32", "corpus.valid=2", "heatmaps=0"]

NO_TEXT = [
    "corpus=files",
    "corpus.name=x",
    "corpus.src_lang=a",
    "corpus.tgt_lang=b",
    "corpus.train=t",
    "corpus.valid=t",
]


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")


def train(*more: str, flags: tuple[str, ...] = ()) -> Outcome:
    return forked(Path(".."), "train", *flags, *overrides(Path("runs"), *SHORT, *more))


def train_without_text(*more: str) -> Outcome:
    return forked(Path(".."), "train", *NO_TEXT, "runs=runs", *more)


def snapshot(folder: Path) -> Mapping[str, object]:
    """Every path below a folder with its content: bytes, the target of a symlink, or the kind of file."""
    found: dict[str, object] = {}
    for place, names, files in os.walk(folder):
        for path in (Path(place, name) for name in [*names, *files]):
            kind = path.lstat().st_mode
            readable = path.read_bytes if stat.S_ISREG(kind) else (lambda kind=kind: stat.S_IFMT(kind))
            found[str(path)] = path.readlink() if path.is_symlink() else readable()
    return found


def foreign(*names: str) -> Mapping[str, object]:
    """Files of the user."""
    for name in names:
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_text(f"years of work: {name}")
    return {name: Path(name).read_bytes() for name in names}


def evaluate(*more: str, command: str = "evaluate") -> Outcome:
    return forked(Path(".."), command, "model=runs/own/model", *more)


@pytest.fixture
def own(tmp_path: Path) -> list[str]:
    """A model, a corpus for it, and the settings of an evaluation on it."""
    model_folder.write(Path("runs/own/model"))
    for lang, lines in (("en", model_folder.SOURCES), ("fr", model_folder.TARGETS)):
        model_folder.write_lines(Path(f"own/test.{lang}"), lines)
    return ["corpus=files", "corpus.name=own", "corpus.src_lang=en", "corpus.tgt_lang=fr", "corpus.test=own/test"]


def changed(before: Mapping[str, object]) -> list[str]:
    now = snapshot(Path())
    return [name for name, content in before.items() if now.get(name) != content]


@pytest.mark.parametrize("more", [[], ["overwrite=true"], ["debug=one_batch", "run=p"]])
def test_a_folder_with_a_config_of_another_program_is_not_a_run(more: list[str]) -> None:
    """Catches a project folder that is emptied because it has a config.yaml, even if the text of the run is missing."""
    before = foreign("runs/p/config.yaml", "runs/p/chapters/one.tex", "runs/p/checkpoints/last.ckpt")
    for outcome in (train("run=p", *more), train_without_text("run=p", *more)):
        assert outcome.code == 2
        assert "is not a run of heed" in outcome.line
        assert snapshot(Path()).keys() == {*before, "runs", "runs/p", "runs/p/chapters", "runs/p/checkpoints"}
        assert changed(before) == []


FOREIGN_RUN = {
    "environment.json": '{"packages": {"heed": "0.1.0", "torch": "2.0"}, "seed": 1}',
    "config.yaml": "seed: 1\noverwrite: true\ncorpus: news\nmodel: big\noptim: adam\n",
    "report.json": '{"best": 27.1, "steps": 1000}',
    "trace.json": '{\n  "schemaVersion": 1\n}',
    "checkpoints/last.ckpt": "PK\x03\x04archive",
    "subwords/source.model": "\nmine",
}
"""Files of another program that uses heed too, with the names that heed's own files have in a run folder."""


def of_another_program(folder: str, *names: str) -> Mapping[str, object]:
    for name in names:
        Path(folder, name).parent.mkdir(parents=True, exist_ok=True)
        Path(folder, name).write_text(FOREIGN_RUN[name])
    return {f"{folder}/{name}": Path(folder, name).read_bytes() for name in names}


def test_a_run_of_another_program_is_not_a_run() -> None:
    """Catches a folder that is taken for a run because it lists heed among its packages."""
    before = of_another_program("runs/p", *FOREIGN_RUN)
    outcome = train("run=p", "overwrite=true")
    assert outcome.code == 2
    assert "is not a run of heed" in outcome.line
    assert changed(before) == []


@pytest.mark.parametrize("name", sorted(FOREIGN_RUN.keys() - {"environment.json"}))
def test_a_file_of_another_program_in_a_run_is_not_replaced_with_it(finished: Path, name: str) -> None:
    """Catches files of other programs that are taken for heed's because of their format: any zip, any indented JSON."""
    shutil.copytree(finished, "runs/tiny")
    before = of_another_program("runs/tiny", name)
    outcome = train("run=tiny", "overwrite=true", "seed=2")
    assert outcome.code == 2
    assert f"{name} is damaged, or was not written by heed" in outcome.line
    assert changed(before) == []


def test_the_trace_of_a_profile_is_replaced_with_its_run() -> None:
    """Catches heed's own trace.json that is taken for a file of another program."""
    profiled = ("run=tiny", "debug=profile", "profile.wait_steps=0", "profile.steps=1", "trainer.max_steps=4")
    assert train(*profiled, "overwrite=true").code == 0
    assert Path("runs/tiny/trace.json").stat().st_size > 1000
    outcome = train("run=tiny", "overwrite=true", "seed=2")
    assert outcome.code == 0, outcome.err
    assert not Path("runs/tiny/trace.json").exists()


def test_a_run_inside_the_evaluations_of_another_is_kept(finished: Path) -> None:
    """Catches a run that is removed together with another run, because it lies in that run's folder."""
    for place in ("runs/tiny", "runs/tiny/evaluate/inner"):
        shutil.copytree(finished, place)
    before = snapshot(Path("runs/tiny/evaluate/inner"))
    assert train("run=tiny", "overwrite=true", "seed=2").code == 0
    assert changed(before) == []
    assert not Path("runs/tiny/evaluate/test").exists()


def test_a_checkpoint_behind_a_symlink_is_not_changed(finished: Path) -> None:
    """Catches a backup that is overwritten through the link to it."""
    shutil.copytree(finished, "runs/tiny")
    last = Path("runs/tiny/checkpoints/last.ckpt")
    last.rename("backup.ckpt")
    last.symlink_to(Path("backup.ckpt").absolute())
    before = snapshot(Path())["backup.ckpt"]
    outcome = train("run=tiny", "trainer.max_steps=6")
    assert outcome.code == 0, outcome.err
    assert Path("backup.ckpt").read_bytes() == before
    assert not last.is_symlink()


def test_a_finished_run_is_kept_if_the_run_that_should_replace_it_fails() -> None:
    """Catches a run that `overwrite=true corpus.train=trian` deletes before it reports the typo."""
    assert train("run=tiny").code == 0
    before = snapshot(Path())
    assert "does not exist" in train_without_text("run=tiny", "overwrite=true").line
    assert train("run=tiny", "overwrite=true", "model.hid_dim=-1").code == 2
    assert changed(before) == []
    assert snapshot(Path()).keys() == before.keys()


def test_a_debug_run_does_not_replace_a_finished_one() -> None:
    """Catches a long run that is replaced by a debug run."""
    assert train("run=tiny", "trainer.max_steps=3").code == 0
    before = snapshot(Path())
    outcome = forked(Path(".."), "train", "debug=one_batch", "run=tiny", "runs=runs")
    assert outcome.code == 2
    assert "contains a run with other settings" in outcome.line
    assert changed(before) == []


def test_a_run_is_replaced_on_request_and_foreign_files_in_it_are_kept() -> None:
    """Catches notes, pictures and links in a run folder that are removed with the run."""
    assert train("run=tiny").code == 0
    names = ("notes.txt", "model/notes.txt", "checkpoints/epoch-7.ckpt", "tensorboard/events.out.tfevents.mine")
    before = {**foreign(*(f"runs/tiny/{name}" for name in names))}
    Path("runs/tiny/link").symlink_to("../../elsewhere")
    outcome = train("run=tiny", "overwrite=true", "seed=2")
    assert outcome.code == 0, outcome.err
    assert "the previous run is kept in" in outcome.out
    assert changed(before) == []
    assert Path("runs/tiny/link").is_symlink()
    assert "seed: 2" in Path("runs/tiny/config.yaml").read_text()
    assert not Path("runs/tiny/.replaced").exists()


@pytest.mark.parametrize("checkpoint", [True, False])
def test_another_text_is_refused_and_the_run_is_kept(checkpoint: bool) -> None:
    """Catches a run that is resumed on another text with the old vocabularies, and the same text that is refused."""
    for name, lines in {"t.a": ["1 2 3", "2 3"] * 8, "t.b": ["3 2 1", "3 2"] * 8}.items():
        model_folder.write_lines(Path(name), lines)
    small = [line for line in overrides(Path("runs"), *SHORT) if not line.startswith("corpus")]
    command = [*small, *NO_TEXT, "run=tiny", "trainer.max_steps=4"]
    outcome = forked(Path(".."), "train", *command)
    assert outcome.code == 0, outcome.err
    Path("runs/tiny/report.json").unlink()  # as if it had been killed before that
    if not checkpoint:
        for name in ("checkpoints", "model", "tensorboard"):
            shutil.rmtree(Path("runs/tiny", name))
    before = snapshot(Path("runs"))
    for other in (["3 2 1", "3 4"] * 8, ["3 2", "3 2 1"] * 8, ["3 2 1", "3 2"] * 9):
        model_folder.write_lines(Path("t.a"), ["1 2 3", "2 3"] * (len(other) // 2))
        model_folder.write_lines(Path("t.b"), other)
        outcome = forked(Path(".."), "train", *command)
        assert outcome.code == 2
        assert "the text has changed since this run was begun" in outcome.line
        assert changed(before) == []
    model_folder.write_lines(Path("t.a"), ["1 2 3", "2 3"] * 8)
    Path("t.b").unlink()
    Path("t.b.gz").write_bytes(gzip.compress("\ufeff3 2 1\r\n3 2\r\n".encode() + b"3 2 1\n3 2\n" * 7))
    outcome = forked(Path(".."), "train", *command)
    assert outcome.code == 0, outcome.err


@pytest.mark.parametrize("name", ["multirun.yaml", "runs/multirun.yaml"])
def test_a_sweep_that_fails_keeps_foreign_files(name: str) -> None:
    """Catches a multirun.yaml of another program that is replaced by Hydra's record, or deleted as if it were that."""
    before = foreign(name)
    assert forked(Path(".."), "train", "--multirun", *NO_TEXT, "runs=runs", "seed=1,2").code == 2
    assert changed(before) == []


@pytest.mark.slow
@pytest.mark.parametrize("name", ["runs/multirun.yaml", "runs/reverse/sweep.md"])
def test_a_sweep_keeps_foreign_files(name: str) -> None:
    """Catches a multirun.yaml or sweep.md of another program that a sweep replaces or deletes as its own."""
    before = foreign(name)
    outcome = train("seed=1,2", "hydra.verbose=false", flags=("--multirun",))
    assert changed(before) == []
    assert outcome.code == (2 if name.endswith("sweep.md") else 0), outcome.err
    assert Path("runs/reverse/seed-1/report.json").exists()
    assert not Path("multirun").exists()
    assert {path.name for path in Path("runs").iterdir()} <= {"multirun.yaml", "reverse"}


@pytest.mark.parametrize(
    "setting",
    [
        "hydra.sweep.dir=mine",
        "hydra={sweep: {dir: mine}}",
        "+hydra.job_logging.handlers.f={class: logging.FileHandler, filename: mine/multirun.yaml, mode: w}",
        "hydra.output_subdir=mine",
        "hydra.job.chdir=true,false",
    ],
)
def test_settings_by_which_hydra_would_write_files_are_refused(setting: str) -> None:
    """Catches a foreign file that Hydra replaces with its own record or with a log."""
    before = foreign("mine/multirun.yaml")
    outcome = train("seed=1,2", setting, flags=("--multirun",))
    assert outcome.code == 2
    assert "heed does not let Hydra write its own files" in outcome.line
    assert changed(before) == []


@pytest.mark.parametrize("choice", ["experiment=mine", "experiment=reverse,mine", "experiment=glob(*)"])
def test_a_config_cannot_choose_where_hydra_writes(choice: str) -> None:
    """Catches a user's own option, given alone or as one of a sweep, by which Hydra replaces a file."""
    before = foreign("mine/multirun.yaml")
    Path("options/experiment").mkdir(parents=True)
    Path("options/experiment/mine.yaml").write_text("# @package _global_\nhydra:\n  sweep:\n    dir: mine\n")
    outcome = train("seed=1,2", choice, flags=("--multirun", "--config-dir", "options"))
    assert outcome.code == 2
    assert "hydra.sweep: heed does not let Hydra write its own files" in outcome.line
    assert changed(before) == []


def test_an_evaluation_replaces_only_the_files_of_the_previous_one(own: list[str]) -> None:
    """Catches a user's pictures that are removed with the old heatmaps, and old heatmaps that are left."""
    outcome = evaluate(*own, "output=out", "heatmaps=3")
    assert outcome.code == 0, outcome.err
    first = snapshot(Path("out"))
    before = foreign("out/notes.txt", "out/heatmaps/holiday.png", "out/heatmaps/1.png")
    assert evaluate(*own, "output=out", "heatmaps=2", "search=beam").code == 0
    assert changed(before) == []
    assert snapshot(Path("out")).keys() == {*first, *before} - {"out/heatmaps/0003.png"}
    assert "beam" in Path("out/report.json").read_text()


@pytest.mark.parametrize("name", ["report.json", "hypotheses.txt", "references.txt", "gallery.html", "heatmaps"])
def test_an_evaluation_into_a_folder_with_foreign_files_is_refused(own: list[str], name: str) -> None:
    """Catches a user's report.json that is replaced by that of an evaluation."""
    before = foreign(f"out/{name}")
    outcome = evaluate(*own, "output=out")
    assert outcome.code == 2, outcome.err
    assert "choose another folder with output=DIR" in outcome.line
    assert changed(before) == []


@pytest.mark.parametrize("name", ["report.json", "heatmaps/0001.png"])
def test_a_previous_evaluation_does_not_make_foreign_files_replaceable(own: list[str], name: str) -> None:
    """Catches a user's file called 0001.png that is replaced by a heatmap, because the folder has an evaluation."""
    assert evaluate(*own, "output=out", "heatmaps=0").code == 0
    before = {**snapshot(Path("out")), **foreign(f"out/{name}")}
    outcome = evaluate(*own, "output=out")
    assert outcome.code == 2
    assert f"{name} exists and was not written by an evaluation" in outcome.line
    assert changed(before) == []


@pytest.mark.parametrize("name", ["hypotheses.txt", "references.txt", "gallery.html"])
def test_texts_that_were_edited_since_the_evaluation_are_not_replaced(own: list[str], name: str) -> None:
    """Catches translations corrected by hand in heed's own files that the next evaluation overwrites."""
    assert evaluate(*own, "output=out", "heatmaps=0").code == 0
    Path("out", name).write_text("corrected by hand\n")
    before = snapshot(Path("out"))
    outcome = evaluate(*own, "output=out")
    assert outcome.code == 2
    assert f"{name} exists and was not written by an evaluation" in outcome.line
    assert changed(before) == []


def test_notes_in_a_report_or_a_gallery_are_not_lost(own: list[str]) -> None:
    """Catches a key of a user in report.json, or a paragraph in the gallery, that the same command removes."""
    assert evaluate(*own, "output=out", "heatmaps=0").code == 0
    assert evaluate(*own, "output=out", "heatmaps=0").code == 0  # unchanged files are replaced
    for name in ("gallery.html", "report.json"):
        path = Path("out", name)
        written = path.read_text(encoding="utf-8")
        noted = json.dumps({**json.loads(written), "note": 1}) if name == "report.json" else f"{written}<p>my note</p>"
        path.write_text(noted, encoding="utf-8")
        before = snapshot(Path("out"))
        outcome = evaluate(*own, "output=out", "heatmaps=0")
        assert outcome.code == 2
        assert f"{name} exists and was not written by an evaluation, or was changed since; choose" in outcome.line
        assert changed(before) == []
        path.write_text(written, encoding="utf-8")


def test_an_evaluation_without_digests_of_its_own_is_replaced(own: list[str]) -> None:
    """Catches an unchanged evaluation of an earlier version that is refused."""
    assert evaluate(*own, "output=out", "heatmaps=0").code == 0
    report = json.loads(Path("out/report.json").read_text(encoding="utf-8"))
    del report["files"]["report.json"]
    Path("out/report.json").write_text(json.dumps(report), encoding="utf-8")
    gallery = Path("out/gallery.html").read_text(encoding="utf-8")
    Path("out/gallery.html").write_text(gallery[: gallery.rindex("<!-- sha256 ")], encoding="utf-8")
    assert evaluate(*own, "output=out", "heatmaps=0").code == 0
    assert Path("out/gallery.html").read_text(encoding="utf-8") == gallery


def test_a_note_in_a_report_on_several_seeds_is_not_lost() -> None:
    """Catches a report of means that is replaced without a look at its content."""
    report = {"corpus": "own", "split": "test", "seeds": [1, 2], "runs": {}, "mean": {"bleu": 0.1}}
    write_report(Path(), report)
    write_report(Path(), report)
    Path("report.json").write_text(json.dumps({**json.loads(Path("report.json").read_text()), "note": 1}))
    with pytest.raises(UserError, match=r"contains a report\.json that is not of several seeds"):
        write_report(Path(), report)


@pytest.mark.parametrize("suffix", ["png", "svg"])
def test_a_picture_of_another_program_is_kept(own: list[str], suffix: str) -> None:
    """Catches pictures that are removed because they were drawn with Matplotlib, which heed uses too."""
    assert evaluate(*own, "output=out", "heatmaps=1", f"format={suffix}").code == 0
    Figure().savefig(f"out/heatmaps/0007.{suffix}")
    before = snapshot(Path("out"))
    outcome = evaluate(*own, "output=out", "heatmaps=1")
    assert outcome.code == 2
    assert f"0007.{suffix} exists and was not written by an evaluation" in outcome.line
    assert changed(before) == []
    Path(f"out/heatmaps/0007.{suffix}").unlink()
    assert evaluate(*own, "output=out", "heatmaps=0").code == 0  # its own are removed
    assert list(Path("out/heatmaps").glob("*")) == []


def test_an_alignment_made_by_hand_is_not_overwritten(own: list[str]) -> None:
    """Catches gold alignments, whose format is that of heed's own output, that are overwritten."""
    gold = Path("gold.align")
    gold.write_text("0-0 1-1\n")
    texts = ["source=own/test.en", "target=own/test.fr"]
    outcome = evaluate(*texts, "output=gold.align", command="align")
    assert outcome.code == 2
    assert "output=gold.align already exists; remove it, or choose another output=FILE" in outcome.line
    assert gold.read_text() == "0-0 1-1\n"


def test_an_alignment_that_was_corrected_by_hand_is_kept() -> None:
    """Catches corrections that are lost when the same command is given again, or with a new run in that folder."""
    pairs = zip(model_folder.SOURCES, model_folder.TARGETS, strict=True)
    Path("own.tsv").write_text("".join(f"{one}\t{other}\n" for one, other in pairs))
    model = model_folder.write(Path("runs/en/model"), {"corpus": {"reader": "tsv", "name": "en", **TSV}})
    for _ in range(2):  # its own is replaced
        assert forked(Path(".."), "align", f"model={model}").code == 0
    place = Path("runs/en/align/test.align")
    place.write_text("0-0 1-0\n" + place.read_text())
    before = {str(place): place.read_bytes()}
    outcome = forked(Path(".."), "align", f"model={model}")
    assert outcome.code == 2
    assert f"{place} exists and was not written by heed-align" in outcome.line
    assert own_files(Path("runs/en/align")) == [report_path(place)]
    assert changed(before) == []


TSV = {"src_lang": "en", "tgt_lang": "fr", "train": "own.tsv", "valid": "own.tsv", "test": "own.tsv"}


@pytest.mark.parametrize("key", ["output", "weights"])
def test_an_alignment_does_not_overwrite_other_files(own: list[str], key: str) -> None:
    """Catches a user's file that is overwritten after a mistake such as `output=thesis.tex`."""
    before = foreign("thesis.tex", "x.align.report.json")
    texts = ["source=own/test.en", "target=own/test.fr"]
    keys = {"output": "new.align", key: "thesis.tex"}
    outcome = evaluate(*texts, *(f"{name}={path}" for name, path in keys.items()), command="align")
    assert outcome.code == 2
    assert "thesis.tex already exists" in outcome.line
    assert f"choose another {key}=FILE" in outcome.line
    assert changed(before) == []


def test_weights_do_not_overwrite_other_arrays(own: list[str]) -> None:
    """Catches arrays that are overwritten because their file format is that of heed's own."""
    np.savez("a.npz", np.arange(3))  # numpy calls its first array arr_0
    write_weights(Path("b.npz"), [torch.ones(1, 1)])
    before = {name: Path(name).read_bytes() for name in ("a.npz", "b.npz")}
    texts = ["source=own/test.en", "target=own/test.fr", "output=new.align"]
    for name in before:
        outcome = evaluate(*texts, f"weights={name}", command="align")
        assert outcome.code == 2
        assert f"weights={name} already exists; remove it, or choose another weights=FILE" in outcome.line
    assert changed(before) == []
    assert not Path("new.align").exists()
    assert evaluate(*texts, "weights=own.npz", command="align").code == 0
    assert evaluate(*texts[:2], "output=other.align", "weights=own.npz", command="align").code == 2


NAMES = [
    *("config.yaml", "environment.json", "report.json", "trace.json", "sweep.md", "notes.txt", ".lock", ".replaced"),
    *("checkpoints", "checkpoints/last.ckpt", "checkpoints/best.ckpt", "checkpoints/.last.ckpt.12345678", "subwords"),
    *("subwords/source.model", "model", "model/config.json", "model/weights.safetensors", "model/notes.txt"),
    *("model/source.model", "tensorboard/events.out.tfevents.1.me.2.3", "evaluate", "evaluate/test/report.json"),
    *("evaluate/test/heatmaps/holiday.png", "evaluate/test/heatmaps/0001.png", "evaluate/test/gallery.html"),
    *(
        "evaluate/test",
        "evaluate/test/notes.txt",
        "align/test.align",
        ".model.old/config.json",
        ".model.new",
        "../a.txt",
    ),
    *("../multirun.yaml", ".replaced-partly/config.yaml", "job/config.yaml"),
]
"""Where a user's files may be, relative to a run folder: names that heed writes, and others like them."""

KINDS = ("text", "json", "folder", "link to a file", "link to a folder", "link to nothing", "fifo")

STATES = {
    "nothing": [],
    "finished": None,
    "unfinished": ["report.json"],
    "early": ["report.json", "model", "checkpoints", "tensorboard", "evaluate", "align"],
}
"""The state of a run folder before the command -> the files that it lacks compared with a finished run."""

COMMANDS = [
    *(["train"], ["train", "overwrite=true"], ["train", "overwrite=true", "seed=2"], ["train", "seed=3"]),
    *(["train", "overwrite=true", "model.hid_dim=-1"], ["train", "overwrite=true", "trainer.max_steps=0"]),
    *(["train", "overwrite=true", "batches.sentences=null"], ["train", "overwrite=true", "corpus.train=no"]),
    *(["train", "debug=one_batch", "run=tiny"], ["train", "run=..", "overwrite=true"], ["train", "run=tiny/model"]),
    *(["evaluate"], ["evaluate", "heatmaps=0"], ["evaluate", "split=no"], ["evaluate", "output=runs/tiny"]),
    *(["evaluate", "output=runs/tiny/model"], ["evaluate", "search=beam", "search.beam=-1"]),
    *(["align"], ["align", "output=runs/tiny/notes.txt"], ["align", "weights=runs/tiny/report.json"], ["translate"]),
]


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run whose model was trained, evaluated and used for an alignment."""
    place = tmp_path_factory.mktemp("finished")
    small = overrides(place, *SHORT, "run=tiny")
    assert forked(place, "train", *small).code == 0
    for command in ("evaluate", "align"):
        assert forked(place, command, f"model={place}/tiny/model").code == 0
    return place / "tiny"


def put(path: Path, kind: str) -> bool:
    """Create a user's file unless the path exists; return whether it was created."""
    if os.path.lexists(path) or any(
        os.path.lexists(parent) and (parent.is_symlink() or not parent.is_dir()) for parent in path.parents
    ):
        return False
    path.parent.mkdir(parents=True, exist_ok=True)
    if kind.startswith("link"):
        path.symlink_to(Path({"a file": "mine/file", "a folder": "mine/folder"}.get(kind[8:], "no")).absolute())
    elif kind == "folder":
        foreign(f"{path}/file", f"{path}/report.json")
    elif kind == "fifo":
        os.mkfifo(path)
    else:
        path.write_text('{"app": 1}' if kind == "json" else "years of work")
    return True


def check_nothing_foreign_changes(finished: Path, state: str, files: Mapping[str, str], command: list[str]) -> None:
    shutil.rmtree(Path(), ignore_errors=True)
    foreign("mine/file", *(f"mine/folder/{name}" for name in ("0001.png", "last.ckpt", "report.json", "config.json")))
    run = Path("runs/tiny")
    if state != "nothing":
        shutil.copytree(finished, run)
    for name in STATES[state] or []:
        shutil.rmtree(run / name) if (run / name).is_dir() else (run / name).unlink()
    own = snapshot(Path())
    made = [name for name, kind in files.items() if put(run / name, kind)]
    before = {name: content for name, content in snapshot(Path()).items() if name not in own or name.startswith("mine")}
    given = overrides(Path("runs"), *SHORT, "run=tiny") if command[0] == "train" else ["model=runs/tiny/model"]
    outcome = forked(Path(".."), command[0], *given, *command[1:])
    event(f"{state}, {command[0]}: code {outcome.code}")
    assert outcome.code in (0, 2), (made, outcome.err)
    assert changed({name: content for name, content in before.items() if not isinstance(content, int)}) == []
    assert [name for name in before if not os.path.lexists(name)] == []


FILES = st.dictionaries(st.sampled_from(NAMES), st.sampled_from(KINDS), min_size=1, max_size=4)


@settings(max_examples=6, suppress_health_check=list(HealthCheck))
@example(state="early", files={"checkpoints": "text"}, command=["train"])
@example(state="early", files={"tensorboard": "link to nothing"}, command=["train"])
@given(state=st.sampled_from([*STATES]), files=FILES, command=st.sampled_from(COMMANDS))
def test_nothing_foreign_changes(finished: Path, state: str, files: Mapping[str, str], command: list[str]) -> None:
    """Catches any command that deletes, replaces or moves a file that heed has not written."""
    check_nothing_foreign_changes(finished, state, files, command)


@pytest.mark.slow
@settings(max_examples=24, suppress_health_check=list(HealthCheck))
@given(state=st.sampled_from([*STATES]), files=FILES, command=st.sampled_from(COMMANDS))
def test_nothing_foreign_changes_at_length(
    finished: Path, state: str, files: Mapping[str, str], command: list[str]
) -> None:
    check_nothing_foreign_changes(finished, state, files, command)
