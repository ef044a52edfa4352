"""The model folder: everything that is needed to translate, in formats that contain data and no code.

config.json           format, heed's version, the sizes of the vocabularies, and the `heed.architecture.Architecture`
weights.safetensors   the parameters, float32
source.model          SentencePiece model of the source language
target.model          SentencePiece model of the target language
about.json            its training corpus and its scores; for people and for `evaluate`

Format 3 can be read too; there, vocabulary sizes and attention settings are part of the architecture.
A folder written by `heed.export.onnx` can also be read (`heed.onnx_model`).
"""

import errno
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import nn
from torch.overrides import TorchFunctionMode

from heed.architecture import Architecture, build
from heed.errors import UserError
from heed.files import replace_folder, replace_whole, write_whole
from heed.models.seq2seq import Seq2Seq
from heed.onnx_model import FILES as ONNX_FILES
from heed.onnx_model import FORMAT as ONNX_FORMAT
from heed.onnx_model import OnnxModel
from heed.search.ensemble import Ensemble, ensemble
from heed.text.subwords import PAD, Subwords, is_subword_model

FORMAT = 4
READ = (3, 4)
"""Formats that this version of heed reads."""

SMALLEST = 8
"""A vocabulary size with which a model can be built, whatever its settings."""

FILES = ("config.json", "weights.safetensors", "source.model", "target.model", "about.json")


@dataclass(frozen=True)
class Bundle:
    """A loaded model, its two vocabularies, and the contents of its about.json."""

    model: Seq2Seq | Ensemble | OnnxModel
    src: Subwords
    tgt: Subwords
    architecture: Architecture
    about: Mapping[str, Any]


def save(
    folder: Path, model: Seq2Seq, architecture: Architecture, src: Subwords, tgt: Subwords, about: Mapping[str, object]
) -> None:
    """Write the folder completely or not at all; an existing model folder is replaced when the new one is complete.

    Files that heed has not written stay.

    Args:
        folder: the folder to write.
        model: the model.
        architecture: its architecture.
        src, tgt: the two vocabularies.
        about: the contents of about.json.

    Raises:
        UserError: such a file has the name of a file of the model.
    """
    strange = [name for name in FILES if os.path.lexists(folder / name) and not is_model_file(folder / name)]
    if strange:
        raise UserError(f"{folder / strange[0]} is damaged, or was not written by heed; move it away")
    vocabularies = {"src_vocab": len(src), "tgt_vocab": len(tgt)}
    config = {"format": FORMAT, "heed": version("heed"), **vocabularies, "architecture": architecture.to_dict()}

    def write(new: Path) -> None:
        write_whole(new / "config.json", json.dumps(config, indent=2) + "\n")
        write_whole(new / "about.json", json.dumps(about, indent=2, ensure_ascii=False) + "\n")
        replace_whole(new / "source.model", src.save)
        replace_whole(new / "target.model", tgt.save)
        replace_whole(new / "weights.safetensors", lambda path: _save_weights(model, path))

    replace_folder(folder, write, FILES)


def is_model(folder: Path) -> bool:
    """Whether the folder contains a model written by heed."""
    try:
        config = json.loads((folder / "config.json").read_bytes())
    except (OSError, ValueError, RecursionError):
        return False
    return (
        isinstance(config, dict)
        and {"format", "heed", "architecture"} <= config.keys()
        and isinstance(config["format"], int)
    )


def is_model_file(path: Path) -> bool:
    """Whether this is a file of a model, written by heed into its folder."""
    try:
        return is_model(path.parent) and path.is_file() and _PROOFS[path.name](path)
    except OSError:
        return False


def _is_object(path: Path) -> bool:
    try:
        return isinstance(json.loads(path.read_bytes()), dict)
    except (ValueError, RecursionError):
        return False


def _is_weights(path: Path) -> bool:
    """Whether the header of the file lists the parameters of a heed model."""
    with path.open("rb") as file:
        start = file.read(2**20)
    return start[8:9] == b"{" and b'"decoder.cells.0.' in start


_PROOFS: Mapping[str, Callable[[Path], bool]] = {
    "config.json": _is_object,
    "weights.safetensors": _is_weights,
    "source.model": is_subword_model,
    "target.model": is_subword_model,
    "about.json": _is_object,
}


def is_onnx(folder: Path) -> bool:
    """Whether the folder contains a model that was exported as ONNX."""
    try:
        config = json.loads((folder / "config.json").read_bytes())
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(config, dict) and config.get("format") == ONNX_FORMAT


def _save_weights(model: Seq2Seq, path: Path) -> None:
    """Save the parameters; tied parameters are saved once, by their first name.

    They are copied, because on a GPU a GRU's weights share one block of memory, which
    `safetensors.torch.save_model` refuses.
    """
    names: dict[int, str] = {}
    weights, tied = {}, {}
    for name, value in sorted(model.state_dict(keep_vars=True).items()):
        first = names.setdefault(id(value), name)
        if first == name:
            weights[name] = value.detach().cpu().clone(memory_format=torch.contiguous_format)
        else:
            tied[name] = first
    try:
        save_file(weights, path, tied or None)
    except SafetensorError as error:  # raised by safetensors if the disk is full
        raise OSError(errno.EIO, str(error), str(path)) from error


def load(folder: Path, device: str | torch.device = "cpu") -> Bundle:
    """Read a model folder, which may be untrusted: nothing in it is executed.

    Raises:
        UserError: the folder does not exist, is incomplete or damaged, or has another format.
    """
    exported = is_onnx(folder)
    _check_complete(folder, ONNX_FILES if exported else FILES)
    config = _read_config(folder / "config.json")
    src, tgt = Subwords.load(folder / "source.model"), Subwords.load(folder / "target.model")
    for side, subwords in (("src", src), ("tgt", tgt)):
        if config.vocabularies[side] != len(subwords):
            raise UserError(
                f"{folder}: config.json has {side}_vocab={config.vocabularies[side]!r}, but its subword model has "
                f"{len(subwords)}; the files belong to different models; copy the folder again"
            )
    about = _read_json(folder / "about.json")
    if exported:
        return Bundle(_read_onnx(folder, torch.device(device), len(tgt)), src, tgt, config.architecture, about)
    model = _read_weights(folder / "weights.safetensors", config.architecture, len(src), len(tgt)).to(device).eval()
    return Bundle(model, src, tgt, config.architecture, about)


def read_architecture(folder: Path) -> Architecture:
    """The architecture of a model folder, without its weights. Raise UserError as `load` does."""
    _check_complete(folder, FILES)
    return _read_config(folder / "config.json").architecture


def check_architecture(architecture: Architecture) -> None:
    """Raise ValueError for an architecture that cannot be built; no memory is allocated."""
    with torch.device("meta"), Unfilled():
        build(architecture, SMALLEST, SMALLEST, PAD)


def _read_onnx(folder: Path, device: torch.device, tgt_vocab: int) -> OnnxModel:
    if device.type != "cpu":
        raise UserError(f"{folder} is an ONNX model, which runs only on the CPU; give device=auto or device=cpu")
    return OnnxModel(folder, tgt_vocab)


def _check_complete(folder: Path, files: Sequence[str]) -> None:
    try:
        if not folder.is_dir():
            raise UserError(f"{folder} is not a model folder; give the model folder of a run, such as runs/tiny/model")
        missing = [name for name in files if not (folder / name).is_file()]
        advice = f"give {folder / 'model'}" if (folder / "model").is_dir() else "copy it again, or give another folder"
    except OSError as error:
        raise UserError(f"{folder} cannot be read ({error.strerror}); ask its owner for permission") from error
    if missing:
        raise UserError(f"{folder} is not a model folder: {', '.join(missing)} missing; {advice}")


def load_ensemble(folders: str | Sequence[str], device: str | torch.device = "cpu") -> Bundle:
    """The model of one folder, or an ensemble of several folders, with the architecture and `about` of the first.

    Raises:
        UserError: as for `load`; no folder is given; or the models have different vocabularies.
    """
    names = [folders] if isinstance(folders, str) else list(folders)
    if not names:
        raise UserError("model=[] names no model folder; give model=DIR, or model=[DIR,DIR] for an ensemble")
    members = [load(Path(name), device) for name in names]
    first = members[0]
    for name, other in zip(names[1:], members[1:], strict=True):
        sides = {"source": (first.src, other.src), "target": (first.tgt, other.tgt)}
        differ = [f"{side}.model" for side, (one, another) in sides.items() if one != another]
        if differ:
            raise UserError(
                f"{names[0]} and {name} differ in {' and '.join(differ)}; an ensemble needs models with the same two "
                "vocabularies, such as runs that differ only in their seed"
            )
    return replace(first, model=ensemble([member.model for member in members]))


def _read_json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise UserError(f"{path} is damaged ({error}); copy the model folder again") from error
    if not isinstance(content, dict):
        raise UserError(f"{path} is damaged (expected a JSON object); copy the model folder again")
    return content


@dataclass(frozen=True)
class _Config:
    """The contents of config.json."""

    architecture: Architecture
    vocabularies: Mapping[str, object]


def _read_config(path: Path) -> _Config:
    config = _read_json(path)
    if config.get("format") not in (*READ, ONNX_FORMAT):
        raise UserError(
            f"{path} has format {config.get('format')!r}, but heed {version('heed')} reads {READ[0]} to {READ[-1]}; "
            f"use the version of heed that wrote it ({config.get('heed')!r}), or retrain"
        )
    architecture = config.get("architecture")
    if not isinstance(architecture, dict):
        raise UserError(f"{path} has no architecture; copy the model folder again")
    sizes = architecture if config["format"] == 3 else config
    vocabularies = {side: sizes.get(f"{side}_vocab") for side in ("src", "tgt")}
    if config["format"] == 3:
        architecture = {name: value for name, value in architecture.items() if name not in ("src_vocab", "tgt_vocab")}
    with _plain_faults(path):
        # not recorded in folders written before this was a setting
        return _Config(Architecture.from_dict({"query": "previous", **architecture}), vocabularies)


@contextmanager
def _plain_faults(config: Path) -> Iterator[None]:
    """Raise UserError for an architecture that cannot be built."""
    try:
        yield
    except (TypeError, ValueError, RuntimeError) as error:
        reason = str(error).partition("\n")[0]
        raise UserError(
            f"{config} does not describe a model that heed can build: {reason}; copy the model folder again"
        ) from error


class Unfilled(TorchFunctionMode):
    """Skips normal random initialisation, which on the meta device would import torch's compiler, for seconds."""

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        keywords = kwargs or {}
        if function.__name__ == "normal_":
            return keywords["tensor"] if "tensor" in keywords else args[0]
        return function(*args, **keywords)


def _read_weights(path: Path, architecture: Architecture, src_vocab: int, tgt_vocab: int) -> Seq2Seq:
    """The model with its weights. Shapes are checked before memory is allocated, so a wrong config.json cannot fill it.

    The file contains tied parameters once, under one of their names.
    """
    with _plain_faults(path.parent / "config.json"), torch.device("meta"), Unfilled():
        model = build(architecture, src_vocab, tgt_vocab, PAD)
    parameters = dict(model.named_parameters(remove_duplicate=False))
    _compare(path, _shapes(path), parameters)
    # copied, because the file is mapped into memory: overwriting the file would change the model
    values = {name: value.float().clone() for name, value in load_file(path).items()}
    if broken := [name for name, value in values.items() if not value.isfinite().all()]:
        raise UserError(f"{path} contains NaN or infinity ({broken[0]}); copy the model folder again, or retrain")
    stored = {id(parameters[name]): nn.Parameter(value) for name, value in values.items()}
    model.load_state_dict({name: stored[id(parameter)] for name, parameter in parameters.items()}, assign=True)
    return model


def _shapes(path: Path) -> dict[str, tuple[int, ...]]:
    try:
        with safe_open(path, framework="pt") as file:
            return {name: tuple(file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise UserError(f"{path} is damaged ({error}); copy the model folder again") from error


def _compare(path: Path, shapes: Mapping[str, tuple[int, ...]], parameters: Mapping[str, nn.Parameter]) -> None:
    faults = [
        f"{name} is {shape}, expected {tuple(parameters[name].shape) if name in parameters else 'none'}"
        for name, shape in shapes.items()
        if name not in parameters or shape != parameters[name].shape
    ]
    stored = {id(parameters.get(name)) for name in shapes}
    faults += [f"{name} is missing" for name, parameter in parameters.items() if id(parameter) not in stored]
    if faults:
        raise UserError(f"{path} does not fit its config.json: {faults[0]}; copy the model folder again")
