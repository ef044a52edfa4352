"""The import contracts of pyproject.toml: each must report a forbidden import, or it checks nothing."""

import ast
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import grimp
import pytest

ROOT = Path(__file__).parents[1]
LAYERS = "Layers import lower layers only"

BREACHES = {
    LAYERS: ("viz/heatmap.py", "heed.data.corpus"),
    "data imports text, but not models, metrics or viz": ("data/batches.py", "heed.models.attention"),
    "search imports models and metrics, but not text or viz": ("search/beam.py", "heed.text.subwords"),
    "models imports torch and jaxtyping alone": ("models/encoder.py", "numpy"),
    "models reaches its fast code from encoder and decoder alone": ("models/cell.py", "heed.models.fast.replay"),
    "Only text.subwords imports sentencepiece": ("data/corpus.py", "sentencepiece"),
    "Only data.batches imports torchtext": ("data/module.py", "torchtext"),
    "Only data.fetch imports requests": ("data/corpus.py", "requests"),
    "Only export and onnx_model import onnx and onnxruntime": ("translator.py", "onnxruntime"),
    "Only viz imports matplotlib": ("training/module.py", "matplotlib.pyplot"),
    "Only training and data.module import lightning": ("data/batches.py", "lightning.pytorch"),
    "lightning is imported under one name": ("training/module.py", "pytorch_lightning"),
    "Only cli imports hydra and omegaconf": ("training/module.py", "omegaconf"),
    "Only serving imports fastapi, uvicorn and prometheus_client": ("cli/serve.py", "uvicorn"),
}
"""Name of a contract -> a file, and an import to add to it that only this contract forbids."""


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    shutil.copytree(ROOT / "src", tmp_path / "src", ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path


def test_every_contract_has_a_breach() -> None:
    """Catches a contract that is added without a proof that it can fail."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    assert [contract["name"] for contract in contracts] == list(BREACHES)


@pytest.mark.parametrize("contract", BREACHES)
def test_a_breach_breaks_its_contract(copy: Path, contract: str) -> None:
    """Catches a contract that was loosened, is misspelt, or names a module that no longer exists."""
    file, module = BREACHES[contract]
    with (copy / "src/heed" / file).open("a") as source:
        source.write(f"\nimport {module}\n")

    assert broken(copy) == [contract]


def test_a_new_module_needs_a_layer(copy: Path) -> None:
    """Catches a module at the top of heed that no contract covers."""
    (copy / "src/heed/attic.py").touch()

    assert broken(copy) == [LAYERS]


@pytest.mark.parametrize("folder", ["tests", "scripts", "benchmarks"])
def test_only_tests_import_from_tests_and_only_from_support(folder: str) -> None:
    """Catches imports between test files, and a script or a benchmark that depends on tests."""
    imports = [
        (path.name, node.module)
        for path in sorted((ROOT / folder).rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == "tests"
    ]
    shared = ("tests.support",) if folder == "tests" else ()
    assert [each for each in imports if not str(each[1]).startswith(shared)] == []


def test_models_import_only_torch_and_jaxtyping() -> None:
    """Catches an import in models of a package that no contract names."""
    graph = grimp.build_graph("heed", include_external_packages=True, cache_dir=None)
    models = {"heed.models", *graph.find_descendants("heed.models")}
    imported = {name.split(".")[0] for module in models for name in graph.find_modules_directly_imported_by(module)}

    assert imported - set(sys.stdlib_module_names) == {"heed", "torch", "jaxtyping"}


def broken(folder: Path) -> list[str]:
    """Check a copy of the sources, and return the names of the broken contracts."""
    command = [str(Path(sys.executable).with_name("lint-imports")), "--no-logo", "--no-cache"]
    environment = {"PYTHONPATH": str(folder / "src")}
    report = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False).stdout
    assert "Contracts: " in report, report
    return re.findall(r"^(.*) BROKEN", report, re.MULTILINE)
