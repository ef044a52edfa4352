"""Files from an untrusted source: they cannot execute code or make heed read other files."""

import json
import os
import pickle
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest
import torch

from heed import bundle
from heed.runs.environment import environment
from tests.support.commands import Outcome, forked
from tests.support.model_folder import SOURCES, TARGETS, write, write_lines
from tests.support.small_run import overrides


class Hostile:
    """Its pickle creates a folder when it is loaded."""

    def __init__(self, sentinel: Path) -> None:
        self.sentinel = sentinel

    def __reduce__(self) -> tuple[Callable[..., object], tuple[str]]:
        return os.mkdir, (str(self.sentinel),)


@pytest.fixture
def sentinel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A path that exists once hostile code has run."""
    monkeypatch.chdir(tmp_path)
    return tmp_path / "owned"


def test_the_pickle_of_these_tests_is_hostile(sentinel: Path) -> None:
    """Catches a harmless pickle, with which the other tests would pass even if it were loaded."""
    pickle.loads(pickle.dumps(Hostile(sentinel)))

    assert sentinel.exists()


@pytest.mark.parametrize("name", bundle.FILES)
@pytest.mark.parametrize("form", ["pickle", "torch"])
def test_a_pickle_in_a_model_folder_is_refused_without_being_loaded(
    sentinel: Path, tmp_path: Path, name: str, form: str
) -> None:
    """Catches torch.load, or any other unpickling, of a file in a model folder."""
    folder = write(tmp_path / "model")
    if form == "torch":
        torch.save({"weights": Hostile(sentinel)}, folder / name)
    else:
        (folder / name).write_bytes(pickle.dumps(Hostile(sentinel)))

    found = forked(tmp_path, "translate", "model=model", stdin=b"a dog\n")

    assert (found.code, found.out, found.err.count("\n")) == (2, "", 1)
    assert f"model/{name}" in found.err
    assert not sentinel.exists()


@pytest.mark.parametrize("key", ["architecture", "heed", "top"])
def test_a_target_in_a_model_folder_s_config_is_data(sentinel: Path, tmp_path: Path, key: str) -> None:
    """Catches a config.json whose `_target_` is called."""
    path = write(tmp_path / "model") / "config.json"
    config = json.loads(path.read_text())
    call = {"_target_": "os.mkdir", "path": str(sentinel), "_args_": [str(sentinel)]}
    config |= call if key == "top" else {key: call | (config[key] if key == "architecture" else {})}
    path.write_text(json.dumps(config))

    found = forked(tmp_path, "translate", "model=model", "search.max_len=4", stdin=b"a dog\n")

    if key == "architecture":
        assert (found.code, found.err.count("\n")) == (2, 1)
        assert "_target_" in found.err or "_args_" in found.err
    assert "Traceback" not in found.err
    assert not sentinel.exists()


def test_a_target_in_a_run_folder_s_config_is_only_compared(sentinel: Path, tmp_path: Path) -> None:
    """Catches an untrusted config.yaml that calls code or reads the environment, by Hydra or by YAML tags."""
    run = tmp_path / "runs/reverse"
    (run / "checkpoints").mkdir(parents=True)
    (run / "checkpoints/last.ckpt").touch()
    (run / "environment.json").write_text(json.dumps(environment({})))
    arguments = overrides(Path("runs"))
    for hostile in (
        f"model: {{_target_: os.mkdir, path: {sentinel}}}\nrun: reverse\n",
        f"!!python/object/apply:os.mkdir ['{sentinel}']\n",
        "run: ${oc.env:HOME}\n",
    ):
        (run / "config.yaml").write_text(hostile)

        found = forked(tmp_path, "train", *arguments)

        assert (found.code, found.err.count("\n")) == (2, 1)
        assert "other settings" in found.err or "is damaged" in found.err
        assert str(Path.home()) not in found.err.replace(str(tmp_path), "")
    assert not sentinel.exists()


CALLS = {
    "callbacks": "callbacks:\n    x: {_target_: torch.save, obj: 1, f: owned}\n",
    "job_logging": "job_logging:\n    handlers:\n      x: {(): torch.save, obj: 1, f: owned}\n",
    "hydra_logging": "hydra_logging:\n    handlers:\n      x: {(): torch.save, obj: 1, f: owned}\n",
    "job.env_set": "job:\n    env_set: {HEED_CACHE: owned}\n",
    "launcher._target_": "launcher:\n    _target_: torch.save\n",
}


def train_with(folder: Path, hydra: Iterable[str], *flags: str, seeds: str = "1") -> Outcome:
    """A training of one update with an untrusted recipe that has these lines below `hydra:`."""
    (folder / "theirs/experiment").mkdir(parents=True)
    recipe = "# @package _global_\nhydra:\n  " + "  ".join(hydra)
    (folder / "theirs/experiment/nice.yaml").write_text(recipe, encoding="utf-8")
    small = overrides(Path("runs"), "trainer.max_steps=1", "trainer.validate_steps=1", "heatmaps=0")
    return forked(folder, "train", *flags, "--config-dir", "theirs", *small, "experiment=nice", f"seed={seeds}")


def test_a_config_of_options_calls_nothing(sentinel: Path, tmp_path: Path) -> None:
    """Catches an untrusted recipe that makes Hydra call a function: as a callback, or as a part of its logging."""
    found = train_with(tmp_path, CALLS.values())

    assert found.code == 0
    assert not sentinel.exists()


@pytest.mark.parametrize("key", CALLS)
def test_a_config_of_options_calls_nothing_in_a_sweep(sentinel: Path, tmp_path: Path, key: str) -> None:
    """Catches a recipe that makes Hydra call a function in a sweep, which Hydra runs: there the recipe is refused."""
    found = train_with(tmp_path, [CALLS[key]], "--multirun", seeds="1,2")

    assert found.code == 2
    assert f"hydra.{key}: heed does not let Hydra write its own files, or call what a config names" in found.err
    assert not sentinel.exists()


@pytest.mark.parametrize(
    ("option", "fault"),
    [
        (
            "model: !!python/object/apply:os.mkdir [{sentinel}]\n",
            "line 2 is not YAML with plain values: could not",
        ),
        ("model: [hid_dim\n", "is not YAML with plain values: "),
        ("model:\n\thid_dim: 8\n", "line 3 is not YAML with plain values: found character"),
    ],
    ids=["tag", "unclosed", "tab"],
)
@pytest.mark.parametrize("flags", [[], ["--multirun"]])
def test_an_option_that_is_not_plain_yaml_is_reported_in_one_line(
    sentinel: Path, tmp_path: Path, option: str, fault: str, flags: list[str]
) -> None:
    """Catches a traceback from the YAML library, and an object that it creates for an untrusted tag."""
    (tmp_path / "theirs/experiment").mkdir(parents=True)
    (tmp_path / "theirs/experiment/nice.yaml").write_text(f"# @package _global_\n{option.format(sentinel=sentinel)}")

    found = forked(tmp_path, "train", *flags, "--config-dir", "theirs", "experiment=nice")

    assert not sentinel.exists()
    assert found.code == 2
    assert fault in found.line
    assert "experiment/nice.yaml" in found.line
    assert "Traceback" not in found.err


@pytest.mark.parametrize("form", ["pickle", "torch"])
def test_a_hostile_checkpoint_is_not_executed(sentinel: Path, tmp_path: Path, form: str) -> None:
    """Catches a resumed run that unpickles any file in its folder."""
    arguments = overrides(Path("runs"), "trainer.max_steps=4", "trainer.validate_steps=2", "heatmaps=0")
    assert forked(tmp_path, "train", *arguments).code == 0
    (tmp_path / "runs/reverse/report.json").unlink()
    for path in (tmp_path / "runs/reverse/checkpoints").glob("*.ckpt"):
        content = torch.load(path, weights_only=True) | {"callbacks": Hostile(sentinel)}
        if form == "torch":
            torch.save(content, path)
        else:
            path.write_bytes(pickle.dumps(content))

    found = forked(tmp_path, "train", *arguments)

    assert not sentinel.exists()
    assert (found.code, found.err.count("\n")) == (2, 1)
    assert "last.ckpt" in found.err
    assert "cannot be read" in found.err


OUTSIDE = ["/etc", "../other", "own/../../other", "own/../../../etc/passwd"]


@pytest.mark.parametrize("command", ["evaluate", "align"])
@pytest.mark.parametrize("reader", ["files", "tsv"])
@pytest.mark.parametrize("path", OUTSIDE)
def test_a_model_folder_cannot_have_other_files_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str, reader: str, path: str
) -> None:
    """Catches a model folder whose "corpus" is a private file: it would be copied into the gallery beside the model."""
    here = tmp_path / "here"
    for name in ("other.en", "other.fr", "other"):
        (tmp_path / name).write_text("private\tprivate\n")
    own = {"reader": reader, "name": "own", "src_lang": "en", "tgt_lang": "fr", "test": path}
    write(here / "model", {"src_lang": "en", "tgt_lang": "fr", "corpus": own})
    monkeypatch.chdir(here)

    found = forked(here, command, "model=model")

    assert (found.code, found.out, found.err.count("\n")) == (2, "", 1)
    assert "names a corpus outside" in found.err
    assert not any("private" in file.read_text() for file in here.rglob("*.txt"))


@pytest.mark.parametrize("lang", ["/../../../etc/passwd", "x/../../../other"])
def test_a_language_code_cannot_name_a_file_outside(sentinel: Path, tmp_path: Path, lang: str) -> None:
    """Catches a language code that is not checked, although it is the last part of a file name."""
    own = {"reader": "files", "name": "own", "src_lang": lang, "tgt_lang": lang, "test": "own/test"}
    write(tmp_path / "model", {"corpus": own})

    found = forked(tmp_path, "evaluate", "model=model")

    assert (found.code, found.err.count("\n")) == (2, 1)
    assert "names a corpus outside" in found.err


def test_a_name_cannot_send_escape_sequences_to_the_terminal(sentinel: Path, tmp_path: Path) -> None:
    """Catches escape sequences from a model folder: they can rewrite what the terminal shows, or its title."""
    own = {"reader": "reverse", "name": "\x1b]0;owned\x07", "test": 3}
    write(tmp_path / "model", {"src_lang": "\x1b[31m", "tgt_lang": ["fr"], "corpus": own})

    found = forked(tmp_path, "evaluate", "model=model")

    assert (found.code, found.err.count("\n")) == (2, 1)
    assert "\x1b" not in found.err + found.out


def test_a_page_shows_untrusted_text_and_runs_none_of_it(sentinel: Path, tmp_path: Path) -> None:
    """Catches a corpus whose name or lines become part of the gallery's own script."""
    script = "</script><script>alert(1)</script>"
    write_lines(tmp_path / "own/test.en", [script, *SOURCES])
    write_lines(tmp_path / "own/test.fr", [script, *TARGETS])
    own = {"reader": "files", "name": "own</title><script>", "src_lang": "en", "tgt_lang": "fr", "test": "own/test"}
    write(tmp_path / "run/model", {"src_lang": "en", "tgt_lang": "fr", "corpus": own})

    found = forked(tmp_path, "evaluate", "model=run/model", "heatmaps=0", "search.max_len=4")

    page = (tmp_path / "run/evaluate/test/gallery.html").read_text(encoding="utf-8")
    assert found.code == 0
    assert "<script>alert" not in page
    assert "</title><script>" not in page


def test_any_bytes_from_a_pipe_keep_their_lines(sentinel: Path, tmp_path: Path) -> None:
    """Catches lines that are lost or added at invalid UTF-8, a carriage return, or a last line without a line feed."""
    write(tmp_path / "model")
    every_byte = b"\n".join(bytes([a, b]) for a in range(0, 256, 5) for b in range(0, 256, 7) if 10 not in (a, b))

    found = forked(tmp_path, "translate", "model=model", "search.max_len=4", stdin=every_byte)

    assert found.out.count("\n") == every_byte.count(b"\n") + 1
    assert "are not UTF-8" in found.err


def test_a_half_copied_folder_says_what_is_missing(sentinel: Path, tmp_path: Path) -> None:
    """Catches a traceback for a copy that was cut short."""
    write(tmp_path / "whole")
    shutil.copytree(tmp_path / "whole", tmp_path / "half", ignore=shutil.ignore_patterns("weights*", "about*"))

    found = forked(tmp_path, "translate", "model=half")

    assert found.code == 2
    assert found.err.startswith("heed-translate: half is not a model folder: weights.safetensors, about.json missing")
