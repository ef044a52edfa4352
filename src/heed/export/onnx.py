"""Export a model folder as ONNX: two graphs for any ONNX runtime, and the other files needed to translate.

encode.onnx    the decoder's first state and its memory, for a batch of source sentences
step.onnx      one step of the decoder
config.json    format, heed's version, the precision, the sizes of the vocabularies, the architecture
source.model, target.model, about.json    copied from the model folder
"""

import json
import os
from collections.abc import Mapping
from functools import partial
from importlib.metadata import version
from pathlib import Path

from heed import bundle
from heed.bundle import Bundle, is_onnx
from heed.errors import UserError, needs
from heed.files import replace_folder, replace_whole, write_whole
from heed.models.seq2seq import Seq2Seq
from heed.onnx_model import ENCODE, FILES, FORMAT, STEP, OnnxPrecision


def export_onnx(model: Path, output: Path, precision: OnnxPrecision = "float32") -> None:
    """Write a model folder as ONNX; `heed.load(output)` translates with it, through onnxruntime.

    Args:
        model: a model folder, such as `runs/tiny/model`.
        output: the folder to write; created if needed. An earlier export is replaced.
        precision: `float32`, or `int8`: matrices are stored as bytes, and multiplied as bytes in the decoder.

    Raises:
        UserError: `model` is not a model folder, its score cannot be exported, or `output` contains other files with
            the same names.
        MissingExtra: the package onnx is not installed.

    Example:
        >>> from pathlib import Path
        >>> export_onnx(Path("runs/tiny/model"), Path("tiny-onnx"), "int8")  # doctest: +SKIP
    """
    with needs("onnx"):
        from heed.export.onnx_encode import encode_graph  # noqa: PLC0415
        from heed.export.onnx_graph import model_of  # noqa: PLC0415 - onnx is optional
        from heed.export.onnx_step import step_graph  # noqa: PLC0415
    loaded = bundle.load(model)
    if not isinstance(loaded.model, Seq2Seq):
        raise UserError(f"{model} is already an ONNX model; give the model folder that it was exported from")
    _refuse_strangers(output)
    graphs = {ENCODE: encode_graph(loaded.model, precision), STEP: step_graph(loaded.model, precision)}
    files = {name: model_of(graph, version("heed")).SerializeToString() for name, graph in graphs.items()}
    try:
        replace_folder(output, partial(_write, loaded=loaded, files=files, precision=precision), FILES)
    except OSError as error:
        raise UserError(f"{output} cannot be written ({error.strerror}); choose another output=DIR") from error


def _write(new: Path, loaded: Bundle, files: Mapping[str, bytes], precision: OnnxPrecision) -> None:
    config = {
        "format": FORMAT,
        "heed": version("heed"),
        "precision": precision,
        "src_vocab": len(loaded.src),
        "tgt_vocab": len(loaded.tgt),
        "architecture": loaded.architecture.to_dict(),
    }
    write_whole(new / "config.json", json.dumps(config, indent=2) + "\n")
    write_whole(new / "about.json", json.dumps(loaded.about, indent=2, ensure_ascii=False) + "\n")
    replace_whole(new / "source.model", loaded.src.save)
    replace_whole(new / "target.model", loaded.tgt.save)
    for name, content in files.items():
        write_whole(new / name, content)


def _refuse_strangers(output: Path) -> None:
    """Raise UserError if a file would be overwritten that no export has written, such as the model folder's own."""
    strange = [name for name in FILES if os.path.lexists(output / name) and not _is_own(output / name)]
    if strange:
        raise UserError(f"output={output}: {output / strange[0]} is not of an ONNX export; give another output=DIR")


def _is_own(path: Path) -> bool:
    """Whether this file was written by an export."""
    if not (is_onnx(path.parent) and path.is_file()):
        return False
    with path.open("rb") as file:
        start = file.read(64)
    begins = {ENCODE: PRODUCER, STEP: PRODUCER, "source.model": b"<pad>", "target.model": b"<pad>"}
    return begins.get(path.name, b"{") in start


PRODUCER = b"\x12\x04heed"
"""The field of an ONNX file that names the program that wrote it."""
