"""Command lines become checked configs, and outcomes become exit codes."""

import logging
import os
import signal
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path

import pytest
from omegaconf import DictConfig, OmegaConf

import heed.cli.command
from heed.cli.command import Command, Task
from heed.cli.entry import COMMANDS, FEW, KEPT, POLICY, PRIMITIVES, SPINS, choose, start
from heed.cli.export import KINDS
from heed.cli.sweep import job_name
from heed.cli.translate import Settings
from heed.errors import UserError
from heed.signals import Terminated
from heed.training.ranks import GRACE

Enter = Callable[..., int]

CONSOLE_SCRIPT = (
    "import sys; sys.argv = ['.venv/bin/heed-translate']; from heed.cli.entry import translate; translate()"
)


class Recorder:
    """A task of a command: stores the settings that it is called with, then raises the given exception."""

    def __init__(self) -> None:
        self.settings: list[Settings] = []
        self.jobs: list[str | None] = []
        self.fails: dict[object, BaseException] = {}

    def __call__(self, settings: Settings) -> None:
        self.settings.append(settings)
        self.jobs.append(job_name())
        model = settings.model
        if isinstance(model, str) and model in self.fails:
            raise self.fails[model]


@pytest.fixture
def task() -> Recorder:
    return Recorder()


@pytest.fixture
def enter(task: Recorder, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Enter]:
    """Run the command as from a command line in an empty folder; return the exit code."""
    root, handlers = logging.getLogger(), logging.getLogger().handlers[:]
    monkeypatch.setattr("heed.cli.translate.task", Task(task, Settings))
    monkeypatch.setenv("HYDRA_FULL_ERROR", "0")  # the command sets it; monkeypatch restores the old value
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> int:
        monkeypatch.setattr(sys, "argv", ["heed-translate", *arguments])
        with pytest.raises(SystemExit) as leaving:
            Command("translate")()
        assert isinstance(leaving.value.code, int)
        return leaving.value.code

    yield run
    root.handlers[:] = handlers


def test_a_warning_is_one_line_without_the_code_that_gave_it(enter: Enter, monkeypatch: pytest.MonkeyPatch) -> None:
    """Catches Python's own format: a path into torch and a line of its source, which do not help a user."""
    monkeypatch.setattr(warnings, "formatwarning", warnings.formatwarning)
    assert enter("model=m") == 0
    said = warnings.formatwarning("positions 4 to 6 cannot be attended", UserWarning, "module.py", 1789)
    assert said == "heed-translate: positions 4 to 6 cannot be attended\n"


def test_a_config_arrives_composed_and_resolved(enter: Enter, task: Recorder) -> None:
    """Catches overrides that are lost, and Hydra's own settings passed to the task."""
    assert enter("model=somewhere", "search=beam", "search.beam_size=3") == 0
    (settings,) = task.settings
    assert settings.model == "somewhere"
    assert settings.search["beam_size"] == 3


def test_nothing_is_written(enter: Enter, tmp_path: Path) -> None:
    """Catches Hydra's outputs/, .hydra/ and log files in the folder in which a command is run."""
    assert enter("model=somewhere") == 0
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["modle=x"], "modle=x: there is no key modle; did you mean model?"),
        (["model=x", "serch=beam"], "serch=beam: there is no key serch; did you mean search?"),
        (["model=x", "search=bem"], "search=bem: search is one of beam, greedy, mbr, sample; did you mean beam?"),
        (["model=x", "search=3"], "search=3: search is one of beam, greedy, mbr, sample"),
        (["model=x", "search=beam", "search.beam_siz=3"], "did you mean search.beam_size?"),
        (
            ["model=x", "search.beam_size=3"],
            "search.beam_size=3: search.beam_size is a setting of search=beam; give search=beam",
        ),
        (["model=x", "batch_size=many"], "batch_size=many: should be a valid integer"),
        (["model=x", "batch_size=0"], "batch_size=0: should be greater than or equal to 1"),
        (["model=x", "+batchsize=3"], "batchsize=3: there is no such key; did you mean batch_size?"),
        (["model=x", "optim=adam"], "optim=adam: there is no key optim"),
        (["model=x", "~search"], "search: has no value"),
        ([], "model: has no value; give model=…"),
        (
            ["--multirun", "--cfg", "job", "model=a,b"],
            "--cfg prints one config, and --multirun runs several; leave one",
        ),
        (["translate"], "translate: not a setting; write key=value"),
        (["model=x", "search=greedy,beam"], "add --multirun"),
        (
            ["model=my,model"],
            "model=my,model: several values; add --multirun to run each, or type \"model='my,model'\"",
        ),
        (["model=x", "batch_size=${nowhere}"], "nowhere"),
        (["--sentences", "3", "model=x"], "write settings as key=value, without dashes"),
        (["--cfg", "everything"], "invalid choice: 'everything'"),
        (["model=x", "--config-dir", "nowhere"], "--config-dir nowhere: there is no such folder"),
    ],
)
def test_a_mistake_is_reported_in_one_line(
    enter: Enter, task: Recorder, capfd: pytest.CaptureFixture[str], arguments: list[str], expected: str
) -> None:
    """Catches Hydra's own message of many lines, exit code 1, and a task that is run despite the mistake."""
    assert enter(*arguments) == 2
    out, err = capfd.readouterr()
    assert out == ""
    assert err.startswith("heed-translate: ")
    assert err.count("\n") == 1
    assert expected in err
    assert task.settings == []


@pytest.mark.parametrize("model", ["a (b)/c=d", "it's #1", "x=[", "~", "été/模型", "a,b", "a b", "\\", "2024", "nan"])
def test_a_value_arrives_as_it_is_typed(enter: Enter, task: Recorder, model: str) -> None:
    """Catches paths that must be quoted by the rules of Hydra's grammar."""
    typed = f"'{model}'" if model == "a,b" else model  # a comma separates the values of a sweep
    assert enter(f"model={typed}") == 0
    (settings,) = task.settings
    assert settings.model == model


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("[~/a (b),été/c's]", ["{home}/a (b)", "été/c's"]),
        ("[~/a, ~/b]", ["{home}/a", "{home}/b"]),
        ("~/runs/x", "{home}/runs/x"),
        ("~", "~"),
        ("a/~/b", "a/~/b"),
    ],
)
def test_paths_below_home_and_in_lists_arrive_too(
    enter: Enter, task: Recorder, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, typed: str, expected: str | list[str]
) -> None:
    """Catches a folder called ~, because a shell does not expand ~ after `key=`, and lists read as one string."""
    monkeypatch.setenv("HOME", str(tmp_path))
    assert enter(f"model={typed}") == 0
    (settings,) = task.settings
    filled = [each.format(home=tmp_path) for each in ([expected] if isinstance(expected, str) else expected)]
    assert settings.model == (filled[0] if isinstance(expected, str) else filled)


def test_what_the_user_can_fix_is_one_line(enter: Enter, task: Recorder, capfd: pytest.CaptureFixture[str]) -> None:
    """Catches a traceback for a missing file, and a message of two lines."""
    task.fails["x"] = UserError("data/x is missing;\n  give another")

    assert enter("model=x") == 2
    assert capfd.readouterr().err == "heed-translate: data/x is missing; give another\n"


def test_a_bug_in_heed_keeps_its_traceback(enter: Enter, task: Recorder, capfd: pytest.CaptureFixture[str]) -> None:
    """Catches a bug that is shown as the user's mistake, even a ValueError, the base class of UserError."""
    task.fails["x"] = ValueError("a bug")

    assert enter("model=x") == 1
    err = capfd.readouterr().err
    assert err.startswith("Traceback")
    assert "raise self.fails[model]" in err
    assert err.endswith("ValueError: a bug\n")


@pytest.mark.parametrize(
    ("fault", "code"), [(KeyboardInterrupt(), 130), (Terminated(), 143), (SystemExit(3), 3), (SystemExit(1), 1)]
)
def test_signals_and_exits_keep_their_exit_codes(enter: Enter, task: Recorder, fault: BaseException, code: int) -> None:
    """Catches Ctrl-C and a handled SIGTERM that end like success, or with a traceback."""
    task.fails["x"] = fault

    assert enter("model=x") == code


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
@pytest.mark.parametrize("resumes", [True, False])
def test_a_signal_unwinds_the_task(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    number: int,
    code: int,
    resumes: bool,
) -> None:
    """Catches cleanup that is skipped, signal handlers that are not restored, and a stop without a message."""
    before = [signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)]
    monkeypatch.setattr(sys, "argv", ["heed-translate", "model=x"])
    monkeypatch.setenv("HYDRA_FULL_ERROR", "0")
    monkeypatch.chdir(tmp_path)
    cleared = []

    def translate(settings: Settings) -> None:
        try:
            signal.raise_signal(number)
        finally:
            cleared.append(True)

    monkeypatch.setattr("heed.cli.translate.task", Task(translate, Settings))
    with pytest.raises(SystemExit) as leaving:
        Command("translate", resumes)()

    assert leaving.value.code == code
    assert cleared
    said = "heed-translate: stopped; the same command resumes from what is saved, or starts again\n"
    assert capfd.readouterr().err == (said if resumes else "")
    assert [signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)] == before


def test_ctrl_c_during_the_imports_is_silent() -> None:
    """Catches a traceback through torch's imports after Ctrl-C."""
    with subprocess.Popen(
        [sys.executable, "-v", "-c", CONSOLE_SCRIPT], stdin=subprocess.DEVNULL, stderr=subprocess.PIPE
    ) as process:
        assert process.stderr is not None
        for line in process.stderr:  # -v names each module as it is imported
            if line.startswith(b"import 'omegaconf.version'"):
                break
        process.send_signal(signal.SIGINT)
        rest = process.stderr.read()
    assert process.returncode == -signal.SIGINT  # a shell reports it as exit code 130
    assert b"Traceback" not in rest


def test_only_the_first_of_several_processes_reports_a_mistake_at_once(
    enter: Enter, task: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Catches the same error line from every process: the others wait, and torchrun ends them meanwhile."""
    waited: list[float] = []
    monkeypatch.setattr(time, "sleep", waited.append)
    monkeypatch.setenv("WORLD_SIZE", "2")

    for rank in ("0", "1"):
        monkeypatch.setenv("RANK", rank)
        assert enter("model=x", "seach=beam") == 2
    assert waited == [GRACE / 2]


def test_help_is_for_a_newcomer(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    """Catches Hydra's template: a dump of the config under "powered by Hydra"."""
    monkeypatch.setattr(sys, "argv", ["heed-translate", "--help"])
    start("translate")
    out = capfd.readouterr().out
    assert out.count("heed-translate ") >= 3
    assert "model=DIR" in out


def test_the_config_can_be_shown(enter: Enter, task: Recorder, capfd: pytest.CaptureFixture[str]) -> None:
    """Catches --cfg job refused because a value is missing: people use it to find out what is missing."""
    assert enter("--cfg", "job", "search=beam") == 0
    shown = OmegaConf.create(capfd.readouterr().out)
    assert isinstance(shown, DictConfig)
    assert shown.search.beam_size == 5
    assert OmegaConf.is_missing(shown, "model")
    assert task.settings == []


def test_an_unknown_package_is_a_mistake_of_the_user(enter: Enter) -> None:
    """Catches exit code 1, which is Hydra's own for its errors."""
    assert enter("--cfg", "job", "--package", "nowhere") == 2


def test_a_sweep_runs_every_job_under_a_name_of_its_own(
    enter: Enter, task: Recorder, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Catches jobs with the same name, a failed job that ends the sweep, and files in the current folder."""
    task.fails["b"] = UserError("no model here")

    assert enter("--multirun", "model=a,b,c", "search=beam,greedy") == 2
    assert len(task.settings) == 6
    assert len(set(task.jobs)) == 6
    assert "model-a+search-beam" in task.jobs
    assert list(tmp_path.iterdir()) == []
    assert capfd.readouterr().err.count("heed-translate: no model here") == 2


def test_a_job_is_named_by_what_is_swept(enter: Enter, task: Recorder) -> None:
    """Catches settings that are not swept in the name, which make it too long, and a / in it, as in model=../x."""
    assert enter("--multirun", "model=../a/b,c", "batch_size=3", "device=cpu") == 0
    assert task.jobs == ["model-.._a_b", "model-c"]


def test_a_job_s_name_can_be_given_to_another_command(enter: Enter, task: Recorder) -> None:
    """Catches characters that Hydra interprets: model=runs/seed=1,2 would be two jobs."""
    assert enter("--multirun", "model=a,b", "batch_size=1,2") == 0
    names = task.jobs[:]
    task.settings.clear()
    for name in names:
        assert enter(f"model=runs/{name}/model") == 0
    assert [settings.model for settings in task.settings] == [f"runs/{name}/model" for name in names]


def test_a_sweep_can_vary_what_a_pattern_matches_and_what_is_added(enter: Enter, task: Recorder) -> None:
    """Catches a check of the first job that loses a prefix such as ++, and one that a pattern without values ends."""
    assert enter("--multirun", "model=a", "search=glob(*)", "++search.seed=1,2") == 0
    assert [settings.search["seed"] for settings in task.settings] == [1, 2] * 4


def test_a_single_job_has_no_sweep_name(enter: Enter, task: Recorder) -> None:
    """Catches a single run whose folder is named after its overrides, as if it were part of a sweep."""
    assert enter("model=x") == 0
    assert task.jobs == [None]


@pytest.mark.parametrize(("given", "expected"), [(None, KEPT), ("7", "7")])
def test_onednn_keeps_less_compiled_code(given: str | None, expected: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Catches processes that grow by a gigabyte, and a variable of the user that is overwritten."""
    monkeypatch.setenv(PRIMITIVES, str(given))
    if given is None:
        monkeypatch.delenv(PRIMITIVES)
    monkeypatch.setattr(sys, "argv", ["heed-train"])
    seen = []
    monkeypatch.setattr(heed.cli.command, "Command", lambda *_, **__: lambda: seen.append(os.environ[PRIMITIVES]))
    start("train")
    assert seen == [expected]


@pytest.mark.parametrize(
    ("given", "expected"), [({}, FEW), ({SPINS: "7"}, "7"), ({POLICY: "active"}, None)], ids=["none", "count", "policy"]
)
def test_a_waiting_thread_leaves_its_core_early(
    given: dict[str, str], expected: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Catches threads that spin beside another program, and a choice of the user that is overwritten."""
    monkeypatch.setattr(os, "environ", given)
    monkeypatch.setattr(sys, "argv", ["heed-train"])
    seen = []
    monkeypatch.setattr(heed.cli.command, "Command", lambda *_, **__: lambda: seen.append(os.environ.get(SPINS)))
    start("train")
    assert seen == [expected]


@pytest.mark.parametrize(
    ("name", "arguments"),
    [*((name, ["modle=x"]) for name in COMMANDS), ("train", ["--multirun", "seed=1,2", "modle=x,y"])],
)
def test_a_misspelt_key_is_reported_before_torch_is_imported(tmp_path: Path, name: str, arguments: list[str]) -> None:
    """Catches seconds of waiting for the message, messages at exit, files that are left, and another exit code."""
    code = f"import sys; sys.modules['torch'] = None; from heed.cli.entry import {name}; {name}()"
    command = [sys.executable, "-c", code, *arguments]
    found = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)

    expected = f"heed-{name}: {arguments[-1]}: there is no key modle; did you mean model? (--cfg job shows them all)\n"
    assert (found.returncode, found.stdout, found.stderr) == (2, "", expected)
    assert list(tmp_path.iterdir()) == []


def test_the_package_can_be_run_without_a_command(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Catches `python -m heed --version` that prints how to use it and fails."""
    monkeypatch.setattr(sys, "argv", ["heed", "--version"])
    choose()
    monkeypatch.setattr(sys, "argv", ["heed", "--help"])
    choose()
    version_line, usage = capsys.readouterr().out.splitlines()
    assert version_line == f"heed {version('heed')}"
    assert usage.startswith("usage: python -m heed COMMAND [SETTINGS]; COMMAND is one of train, ")
    monkeypatch.setattr(sys, "argv", ["heed", "trian"])
    with pytest.raises(SystemExit) as ended:
        choose()
    assert ended.value.code == 2
    assert capsys.readouterr().err == f"{usage}\n"


def test_every_format_of_export_can_be_named_without_its_key() -> None:
    """Catches a format that only `to=` can name."""
    assert COMMANDS["export"]["shorthands"] == {kind: f"to={kind}" for kind in KINDS}


def test_a_closed_pipe_ends_it_quietly(tmp_path: Path) -> None:
    """Catches a traceback, or the interpreter's complaint about stdout, after `… | head`."""
    read_end, write_end = os.pipe()
    os.close(read_end)
    command = [sys.executable, "-m", "heed", "translate", "--cfg", "job"]
    with os.fdopen(write_end, "w") as out:
        found = subprocess.run(command, cwd=tmp_path, stdout=out, stderr=subprocess.PIPE, text=True, check=False)

    assert (found.returncode, found.stderr) == (141, "")
