"""Every state of a run folder, and what the same command does with it."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from heed.errors import UserError
from heed.runs.alignment_files import digest
from heed.runs.run_folder import (
    Overwrite,
    State,
    begin,
    check_text,
    differences,
    finish,
    locked,
    run_path,
    state,
)
from tests.support.killed import killed_at

CONFIG: dict[str, Any] = {
    "seed": 1,
    "overwrite": False,
    "optim": {"lr": 1e-5, "betas": [0.9, 0.98]},
    "corpus": {"name": "été", "valid": None},
    "model": {"score": "additive"},
    "subwords": {"kind": "bpe"},
    "label_smoothing": 0.1,
}
CHECKPOINT, SUBWORDS = b"PK heed_format", b"\n\x0e\n\x05<pad>"
WEIGHTS = bytes(8) + b'{"decoder.cells.0.weight_hh":{}}'
"""How checkpoints, subword models and weights begin."""

TEXT = {"train": "a", "valid": "b"}
REPORT = {"best": {"bleu": 93.5}, "steps": 24, "corpus": "été", "history": [], "tokens_per_second": 100.0}


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "runs/tiny"
    with locked(folder):
        yield folder


def changed(**settings: Any) -> dict[str, Any]:
    return CONFIG | settings


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def start(folder: Path, config: Mapping[str, Any] = CONFIG, overwrite: Overwrite = False) -> State:
    """Begin a run if its state requires it, and end before the first checkpoint; return the state before."""
    found = state(folder, config, overwrite)
    if found == "new":
        with begin(folder, config, TEXT):
            pass
    return found


def write_checkpoint(folder: Path, name: str = "last") -> None:
    (folder / "checkpoints").mkdir(exist_ok=True)
    (folder / f"checkpoints/{name}.ckpt").write_bytes(CHECKPOINT)


def work(folder: Path, config: Mapping[str, Any] = CONFIG, done: bool = True) -> dict[str, bytes]:
    """Write all files that a run can have, finished or not; return them."""
    start(folder, config)
    files = {"subwords/source.model": SUBWORDS, "subwords/target.model": SUBWORDS}
    files |= {"trace.json": b'{"written_by": "heed",\n}'}
    files |= {"tensorboard/events.out.tfevents.1.host.2.0.heed-1": b"....brain.Event:2"}
    files |= {f"model/{name}.model": SUBWORDS for name in ("source", "target")}
    files |= {"model/config.json": b'{"format": 3, "heed": "0", "architecture": {}}'}
    files |= {"model/weights.safetensors": WEIGHTS}
    files |= {"evaluate/test/hypotheses.txt": b"x", "evaluate/test/references.txt": b"x"}
    files |= {"evaluate/test/heatmaps/0001.png": b"PNG Matplotlib", "evaluate/test/gallery.html": b"x"}
    files |= {"evaluate/test/report.json": b'{"corpus": "x", "split": "test", "sentences": 1, "search": "greedy"}'}
    links = b"0-0 1?2\n\n"
    files |= {"align/test.align": links, "align/test.align.report.json": json.dumps(digest(links)).encode()}
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    for name in ("last", "best", "previous"):
        write_checkpoint(folder, name)
    if done:
        finish(folder, REPORT)
    return contents(folder)


def test_a_new_folder_keeps_the_settings_as_they_are(folder: Path) -> None:
    """Catches a config that changes when it is written, such as 1e-5, which YAML may read back as a string."""
    assert start(folder) == "new"
    assert yaml.safe_load((folder / "config.yaml").read_text(encoding="utf-8")) == CONFIG


def test_the_same_settings_resume_the_run(folder: Path) -> None:
    """Catches a resumed run that begins again, or that rewrites the files that record its start."""
    before = work(folder, done=False)

    assert start(folder) == "unfinished"
    assert contents(folder) == before


def fail(folder: Path, *work: str) -> None:
    """Begin a run, write these files, and end with a UserError."""
    with locked(folder):
        if state(folder, CONFIG) == "new":
            with begin(folder, CONFIG, TEXT):
                for path in (folder / name for name in work):
                    path.parent.mkdir(exist_ok=True)
                    path.write_bytes(b"PK")
                raise UserError("too large for memory")
        raise UserError("too large for memory")


@pytest.mark.parametrize("name", ["runs/new", "runs/sweep/job", "elsewhere/new"])
def test_a_run_that_could_not_begin_leaves_nothing(tmp_path: Path, name: str) -> None:
    """Catches a folder that is left after every mistake."""
    (tmp_path / "runs").mkdir()
    with pytest.raises(UserError, match="too large"):
        fail(tmp_path / name)
    with pytest.raises(UserError, match="misspelt"), locked(tmp_path / name):
        raise UserError("a misspelt path")
    assert [path.name for path in tmp_path.rglob("*")] == ["runs"]


def test_a_failed_run_with_a_checkpoint_is_kept(tmp_path: Path) -> None:
    """Catches a checkpoint that is removed because the run ends with an error, or because the next start does."""
    for _ in range(2):
        with pytest.raises(UserError, match="too large"):
            fail(tmp_path / "new", "checkpoints/last.ckpt")
        assert (tmp_path / "new/checkpoints/last.ckpt").exists()


def test_a_report_finishes_a_run(folder: Path) -> None:
    """Catches a finished run that would be trained again."""
    start(folder)
    finish(folder, REPORT)

    assert state(folder, CONFIG) == "finished"
    assert json.loads((folder / "report.json").read_text(encoding="utf-8")) == REPORT


@pytest.mark.parametrize("checkpoint", [True, False])
def test_other_settings_are_refused_with_what_differs_and_nothing_is_touched(folder: Path, checkpoint: bool) -> None:
    """Catches a run that continues with other settings than those of its config.yaml, or that is replaced unasked."""
    start(folder)
    if checkpoint:
        write_checkpoint(folder)
    before = contents(folder)

    with pytest.raises(UserError) as refusal:
        state(folder, changed(seed=2, optim={"lr": 1e-5, "betas": [0.9, 0.99]}))

    message = str(refusal.value)
    assert "seed 1 -> 2" in message
    assert "optim.betas [0.9, 0.98] -> [0.9, 0.99]" in message
    assert "optim.lr" not in message
    assert "overwrite=true" in message
    assert contents(folder) == before


@pytest.mark.parametrize(
    ("settings", "name"),
    [
        ({"model": {"score": "dot"}, "seed": 2}, "tiny-dot"),
        ({"seed": 2}, "tiny-seed-2"),
        ({"optim": {"lr": 0.01, "betas": [0.9, 0.98]}}, "tiny-lr-0.01"),
        ({"corpus": {"name": "été", "valid": "data/a b"}}, "tiny-valid-data-a-b"),
        ({"model": {"score": "taken"}}, "tiny-taken-2"),
        ({"model": {}}, "tiny-2"),
    ],
)
def test_a_refusal_offers_a_name_that_works(folder: Path, settings: Mapping[str, Any], name: str) -> None:
    """Catches a suggested name that is taken, that needs quotes, or that does not name the difference."""
    start(folder)
    folder.with_name("tiny-taken").mkdir()
    config = changed(**settings, run="tiny", runs=str(folder.parent))

    with pytest.raises(UserError, match=f"such as run={name}, or"):
        state(folder, config)
    assert state(run_path(str(folder.parent), name), config) == "new"


@pytest.mark.parametrize("checkpoint", [True, False])
def test_another_text_is_refused(folder: Path, checkpoint: bool) -> None:
    """Catches a run that is resumed with a corpus that has changed, and with the vocabularies of the old one."""
    start(folder)
    if checkpoint:
        write_checkpoint(folder)
    before = contents(folder)

    check_text(folder, TEXT)
    with pytest.raises(UserError, match=r"text has changed since this run was begun \(split valid, or"):
        check_text(folder, TEXT | {"valid": "c"})
    assert contents(folder) == before


def test_a_run_of_an_earlier_release_can_be_resumed(folder: Path) -> None:
    """Catches runs that are refused because they lack a record that only later releases write."""
    start(folder)
    environment = json.loads((folder / "environment.json").read_text())
    del environment["text"]
    (folder / "environment.json").write_text(json.dumps(environment))

    assert state(folder, CONFIG) == "unfinished"
    check_text(folder, TEXT)


def test_differences_name_added_and_removed_keys() -> None:
    """Catches a comparison over the keys of one side only."""
    assert differences({"a": 1, "b": {"c": None}}, {"b": {"c": False}, "d": 2}) == [
        "a 1 -> (none)",
        "b.c null -> false",
        "d (none) -> 2",
    ]


def test_a_whole_number_may_be_written_with_and_without_a_point() -> None:
    """Catches a part of a mix whose weight is given as `1.0`, which is its default, 1, and so refused on resuming."""
    assert differences({"weight": 1, "smoothing": 0.0}, {"weight": 1.0, "smoothing": 0}) == []
    assert differences({"weight": 1, "name": "1"}, {"weight": 10.0, "name": "1.0"}) == [
        "weight 1 -> 10",
        'name "1" -> "1.0"',
    ]


@pytest.mark.parametrize("key", ["overwrite", "runs", "run"])
def test_settings_without_effect_may_differ(folder: Path, key: str) -> None:
    """Catches the same command that is refused because it has another folder or `overwrite`."""
    start(folder)

    assert state(folder, changed(**{key: "another"})) == "unfinished"


def test_a_replaced_run_is_kept_aside_until_the_first_checkpoint(folder: Path) -> None:
    """Catches a finished run removed before the new one has a checkpoint, and its files among those of the new one."""
    old = work(folder)

    assert state(folder, changed(seed=2), overwrite=True) == "new"
    assert contents(folder) == old
    with begin(folder, changed(seed=2), TEXT) as begun:
        assert begun.replaced == folder / ".replaced"
        aside = contents(folder / ".replaced")
        assert {name: aside[name] for name in old if name != ".lock"} == {k: v for k, v in old.items() if k != ".lock"}
        assert sorted(path.name for path in folder.iterdir()) == [
            ".lock",
            ".replaced",
            "config.yaml",
            "environment.json",
        ]
        begun.settle()
        assert (folder / ".replaced").exists()
        write_checkpoint(folder)
        begun.settle()
        assert not (folder / ".replaced").exists()
    assert sorted(contents(folder)) == [".lock", "checkpoints/last.ckpt", "config.yaml", "environment.json"]
    assert state(folder, changed(seed=2)) == "unfinished"


@pytest.mark.parametrize("end", [UserError("x"), KeyboardInterrupt(), SystemExit(143), RuntimeError(), None])
def test_a_run_that_ends_before_its_first_checkpoint_restores_the_replaced_one(
    folder: Path, end: BaseException | None
) -> None:
    """Catches a finished run that is lost because the new one ran out of memory or was stopped at once."""
    old = work(folder)

    def run() -> None:
        with begin(folder, changed(seed=2), TEXT):
            for name in ("checkpoints/best.ckpt", "subwords/source.model"):
                (folder / name).parent.mkdir()
                (folder / name).write_bytes(CHECKPOINT if name.endswith("ckpt") else SUBWORDS)
            if end:
                raise end

    if end:
        with pytest.raises(type(end)):
            run()
    else:
        run()
    assert contents(folder) == old


def test_a_debug_run_replaces_only_debug_runs(folder: Path) -> None:
    """Catches `debug=one_batch run=tiny` that replaces a long run."""
    old = work(folder)
    with pytest.raises(UserError, match="contains a run with other settings"):
        state(folder, changed(seed=2, overwrite="debug"), "debug")
    assert state(folder, CONFIG, "debug") == "finished"
    assert contents(folder) == old

    debug = folder.with_name("debug")
    work(debug, changed(overwrite="debug"))
    assert state(debug, changed(seed=2, overwrite="debug"), "debug") == "new"
    with pytest.raises(UserError, match="contains a run with other settings"):
        state(debug, changed(seed=2))


KILLED_AT = ("os.rename", "os.remove", "os.rmdir", "os.mkdir")


def changes_a_folder(event: str, arguments: tuple[Any, ...]) -> bool:
    return event in KILLED_AT or (event == "open" and arguments[1] not in ("r", "rb", None))


@pytest.mark.slow
@pytest.mark.parametrize("checkpoint", [True, False])
def test_after_a_kill_at_any_step_the_next_start_finds_one_complete_run(tmp_path: Path, checkpoint: bool) -> None:
    """Catches an order of steps in which a kill loses files, mixes two runs, or changes foreign files."""
    folder = tmp_path / "tiny"

    def replace() -> None:
        with locked(folder), begin(folder, changed(seed=2), TEXT):
            if checkpoint:
                write_checkpoint(folder)

    with locked(folder):
        work(folder)
    foreign = {"notes.txt": b"mine", "model/notes.txt": b"mine", "evaluate/test/heatmaps/holiday.png": b"mine"}
    for name, content in foreign.items():
        (folder / name).write_bytes(content)
    old = contents(folder)
    steps, killed, seen = 0, True, set()
    while killed:
        killed = killed_at(steps, replace, changes_a_folder)
        for _ in range(2):  # the next start is killed too, while it restores or removes the replaced run
            if killed and steps % 3 == 0:
                killed_at(steps % 7, lambda: locked(folder).__enter__(), changes_a_folder)
        with locked(folder):
            found = contents(folder)
            assert {name: found[name] for name in foreign} == foreign
            seed = yaml.safe_load((folder / "config.yaml").read_text())["seed"]
            seen.add(seed)
            if seed == 1:
                assert found == old
            else:
                assert set(found) == {*foreign, ".lock", "config.yaml", "environment.json", "checkpoints/last.ckpt"}
                with begin(folder, CONFIG, TEXT):  # restore the old run for the next step
                    work_files(folder, old)
                assert contents(folder) == old
        steps += 1
    assert steps > 20
    assert seen == ({1, 2} if checkpoint else {1})


def work_files(folder: Path, files: Mapping[str, bytes]) -> None:
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)


def test_overwrite_keeps_the_jobs_of_a_sweep(folder: Path) -> None:
    """Catches runs/tiny/seed=2, which is another run, or the table of a sweep, removed together with runs/tiny."""
    job = folder / "seed=2"
    (folder / "sweep.md").touch()
    with locked(job):
        start(job, changed(seed=2))
    start(folder)

    assert state(folder, CONFIG, overwrite=True) == "new"
    with begin(folder, CONFIG, TEXT):
        write_checkpoint(folder)

    assert (job / "config.yaml").exists()
    assert (folder / "sweep.md").exists()


@pytest.mark.parametrize("overwrite", [False, True])
@pytest.mark.parametrize(
    "name", ["thesis.tex", "config.yaml", "environment.json", "report.json", "checkpoints/last.ckpt"]
)
def test_a_folder_that_is_not_a_run_is_never_changed(tmp_path: Path, overwrite: bool, name: str) -> None:
    """Catches a folder of another program, with or without a config.yaml, that is overwritten or trained into."""
    folder = tmp_path / "tiny"
    for path in (folder / name, folder / "config.yaml"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("app: 1")
    before = contents(folder)

    with pytest.raises(UserError, match="is not a run of heed"), locked(folder):
        pass
    with pytest.raises(UserError, match="is not a run of heed"):
        state(folder, CONFIG, overwrite)
    assert contents(folder) == before


@pytest.mark.parametrize("overwrite", [False, True])
@pytest.mark.parametrize("name", ["config.yaml", "report.json", "model/config.json"])
def test_foreign_files_in_place_of_heed_s_files_are_refused(folder: Path, name: str, overwrite: bool) -> None:
    """Catches a user's report.json in a run folder that is replaced at the end of the run, or taken for its report."""
    start(folder)
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).write_text('{"app": 1}')
    before = contents(folder)

    with pytest.raises(UserError, match=f"{name} is damaged, or was not written by heed"):
        state(folder, CONFIG, overwrite)
    assert contents(folder) == before


@pytest.mark.parametrize("name", ["subwords", "checkpoints", "model", "config.yaml", "tensorboard"])
def test_nothing_is_removed_through_a_symlink(folder: Path, tmp_path: Path, name: str) -> None:
    """Catches a run that is removed because another run links to it."""
    other = tmp_path / "runs/other"
    with locked(other):
        before = work(other)
    work(folder)
    for path in [*(folder / name).rglob("*"), folder / name]:
        if path.is_file():
            path.unlink()
    if (folder / name).is_dir():
        (folder / name).rmdir()
    (folder / name).symlink_to(other / name)

    with pytest.raises(UserError, match="move it away"):
        state(folder, CONFIG, overwrite=True)
    with pytest.raises(UserError, match="move it away"), begin(folder, CONFIG, TEXT):
        pass
    assert contents(other) == before


def test_a_kill_before_the_config_is_written_leaves_a_new_run(folder: Path) -> None:
    """Catches a folder with only environment.json that is not recognised as heed's."""
    start(folder)
    (folder / "config.yaml").unlink()

    assert start(folder) == "new"
    assert state(folder, CONFIG) == "unfinished"


def test_a_run_that_has_lost_its_settings_is_replaced_only_if_asked(folder: Path) -> None:
    """Catches checkpoints with unknown settings that are continued or removed."""
    work(folder)
    (folder / "config.yaml").unlink()

    with pytest.raises(UserError, match="without its config"):
        state(folder, CONFIG)
    assert state(folder, CONFIG, overwrite=True) == "new"


@pytest.mark.parametrize("damage", [b"\xff\xfe", b"seed: [1", b"", b"- 1"])
def test_a_damaged_config_is_reported_in_one_line(folder: Path, damage: bytes) -> None:
    """Catches a traceback of the YAML reader."""
    start(folder)
    (folder / "config.yaml").write_bytes(damage)

    with pytest.raises(UserError, match=r"config\.yaml is damaged"):
        state(folder, CONFIG)


HOLDER = """
import sys, time
from pathlib import Path
from heed.runs.run_folder import locked
with locked(Path(sys.argv[1])):
    print("locked", flush=True)
    time.sleep(60)
"""


def test_a_run_folder_is_locked_by_one_process_until_that_dies(tmp_path: Path) -> None:
    """Catches two trainings writing the same checkpoints, and a lock that outlives a killed process."""
    command = [sys.executable, "-c", HOLDER, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout
        assert holder.stdout.readline() == "locked\n"

        with pytest.raises(UserError, match="another process trains in"), locked(tmp_path):
            pass

        os.kill(holder.pid, signal.SIGKILL)
    with locked(tmp_path):
        pass


@pytest.mark.parametrize("name", ["", ".", "..", "../other", "a/../../b", "/etc", ".hidden"])
def test_a_name_that_leads_out_of_runs_is_refused(name: str) -> None:
    """Catches run=../.., which with overwrite=true would remove files outside the runs folder."""
    with pytest.raises(UserError, match="expected a name"):
        run_path("runs", name)


def test_a_nested_name_is_a_job_of_a_sweep() -> None:
    """Catches a check that refuses every name with a slash."""
    assert run_path("runs", "tiny/seed=2,optim.lr=0.1") == Path("runs/tiny/seed=2,optim.lr=0.1")


def test_a_folder_that_cannot_be_created_is_reported_in_one_line(tmp_path: Path) -> None:
    """Catches a traceback for runs=/somewhere/that/is/a/file."""
    (tmp_path / "file").touch()

    with pytest.raises(UserError, match="cannot be written"), locked(tmp_path / "file/run"):
        pass
