"""What works without heed's extras, and the message if one is missing."""

import json
import subprocess
import sys
from importlib import import_module
from importlib.metadata import distribution, distributions, packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from heed.errors import MissingExtra, UserError, needs
from tests.support.model_folder import write, write_lines

BLOCK = """
import json, sys

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in absent:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

absent = set(json.loads(sys.argv[1]))
sys.meta_path.insert(0, Absent())
"""
"""Importing a package named in the first argument fails as if it were not installed."""


def closure(name: str) -> set[str]:
    """A distribution and its dependencies, without extras."""
    brought: set[str] = set()
    waiting = [name]
    while waiting:
        brought.add(canonicalize_name(waiting[-1]))
        requirements = map(Requirement, distribution(waiting.pop()).requires or [])
        needed = [each for each in requirements if each.marker is None or each.marker.evaluate({"extra": ""})]
        waiting += [each.name for each in needed if canonicalize_name(each.name) not in brought]
    return brought


def python(code: str, installed: set[str]) -> "subprocess.CompletedProcess[str]":
    """Run code in a process in which only these distributions can be imported."""
    owners = packages_distributions().items()
    absent = [name for name, owner in owners if not {*map(canonicalize_name, owner)} & installed]
    arguments = [sys.executable, "-c", BLOCK + code, json.dumps(absent)]
    return subprocess.run(arguments, input="a dog\n", capture_output=True, text=True, check=False)


def test_importing_heed_needs_nothing() -> None:
    """Catches an import of torch, which takes seconds, in every program that imports heed."""
    outcome = python("import heed, heed.errors", {"heed"})
    assert outcome.returncode == 0, outcome.stderr


COMMAND = """
import sys
from heed.cli.entry import {name}
sys.argv = ["heed-{name}", *{arguments!r}]
{name}()
"""


def command(name: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return python(COMMAND.format(name=name, arguments=arguments), closure("heed"))


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(write(tmp_path_factory.mktemp("run") / "model"))


@pytest.mark.parametrize("name", ["translate", "align"])
def test_commands_that_only_need_a_model_need_no_extra(name: str, model: str, tmp_path: Path) -> None:
    """Catches a core command that fails without a trainer, a downloader or a metric, which it does not use."""
    for side in ("source", "target"):
        write_lines(tmp_path / side, ["a dog"])
    files = [f"{side}={tmp_path / side}" for side in ("source", "target", "output")] if name == "align" else []
    outcome = command(name, f"model={model}", *files)
    assert outcome.returncode == 0, outcome.stderr


@pytest.mark.parametrize(
    ("name", "given"), [("train", ()), ("evaluate", ()), ("translate", ("model=m", "split=train", "output=made"))]
)
def test_a_command_of_an_extra_names_it(name: str, given: tuple[str, ...]) -> None:
    """Catches a traceback of a command whose extra is not installed."""
    outcome = command(name, *given)
    assert outcome.returncode == 2
    (line,) = outcome.stderr.splitlines()
    assert line.startswith(f"heed-{name}: ")
    assert line.endswith("pip install 'heed[train]'")


def test_a_plot_without_its_extra_names_it(model: str) -> None:
    """Catches a trainer that must be installed to translate, and "No module named matplotlib", without the extra."""
    outcome = python(f"import heed; heed.load({model!r}).translate('a dog').plot()", closure("heed"))
    assert outcome.stderr.splitlines()[-1].endswith("pip install 'heed[plot]'")


def test_the_core_does_not_depend_on_a_trainer() -> None:
    """Catches a dependency that moved from an extra into the core, with which the tests above would prove nothing."""
    others = {canonicalize_name(each.name) for each in distributions()} - closure("heed")
    assert others >= {"lightning", "matplotlib", "requests", "sacrebleu", "sacremoses", "tensorboard", "torchtext"}


MISSING = {
    "training.trainer": ("train", "lightning"),
    "data.batches": ("train", "torchtext"),
    "metrics.bleu": ("train", "sacrebleu"),
    "viz.drawing": ("plot", "matplotlib"),
    "serving.app": ("serve", "fastapi"),
    "export.onnx_graph": ("onnx", "onnx"),
}
"""Modules, the extra that installs what they import, and the first package of it that they import."""


def test_a_missing_extra_is_named_in_one_line() -> None:
    """Catches "No module named lightning", which does not say what to install."""
    code = "from heed.errors import MissingExtra, needs\n"
    for module, (extra, _) in MISSING.items():
        code += f"try:\n    with needs({extra!r}):\n        import heed.{module}\nexcept MissingExtra as error:\n"
        code += "    print(error)\n"
    outcome = python(code, closure("heed"))
    assert outcome.stdout.splitlines() == [
        f"{package} is not installed; install it with: pip install 'heed[{extra}]'"
        for extra, package in MISSING.values()
    ]


def test_a_missing_extra_is_an_error_of_the_user_and_of_the_import() -> None:
    """Catches a traceback on the command line, and a caller's `except ImportError` that no longer fits."""
    with pytest.raises(UserError) as refusal, needs("plot"):
        import_module("nowhere.to_be_found")
    assert isinstance(refusal.value, MissingExtra)
    assert isinstance(refusal.value, ImportError)
    assert str(refusal.value).startswith("nowhere is not installed;")


def test_a_module_of_heed_that_is_missing_is_a_bug_in_heed() -> None:
    """Catches advice to install an extra that would not help."""
    with pytest.raises(ModuleNotFoundError, match=r"heed\.nowhere"), needs("plot"):
        import_module("heed.nowhere")
