"""An exported ONNX model compared with the model itself, on new batches and lengths."""

import json
import re
import shutil
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

import onnx
import pytest
import torch
from onnx import TensorProto
from torch import Tensor

import heed
from heed import bundle
from heed.attribution import Method
from heed.errors import UserError
from heed.export.onnx import export_onnx
from heed.export.onnx_encode import encode_graph
from heed.export.onnx_graph import model_of
from heed.export.onnx_step import step_graph
from heed.faithfulness import counterfactual
from heed.models.seq2seq import Seq2Seq
from heed.onnx_model import ENCODE, STEP, OnnxModel, OnnxPrecision
from heed.search.beam import beam
from heed.search.greedy import greedy
from tests.support import model_folder
from tests.support.commands import forked
from tests.support.models import BOS, EOS, KINDS, sentences, small_model, targets

OPTIONS: list[dict[str, Any]] = [
    *(dict(score=kind, query=query) for kind in KINDS for query in ("previous", "current")),
    dict(layer_norm=True),
    dict(layer_norm=True, enc_layers=3, dec_layers=2, score="coverage", query="previous"),
    dict(layer_norm=True, bidirectional=False, enc_layers=2),
    dict(enc_layers=3, dec_layers=3, score="multi_head"),
    dict(bidirectional=False),
    dict(tie="decoder", query="previous"),
    dict(tie="all", tgt_vocab=20),
    dict(score="multi_head", heads=4, att_dim=8, query="previous", dec_layers=2),
    dict(score="article", positions=3),
    dict(score="article", attend_end=False),
    dict(score="multi_head", attend_end=False, query="previous", layer_norm=True),
    *(dict(score=kind, query="conditional") for kind in KINDS),
    dict(layer_norm=True, query="conditional"),
]
"""Every kind of attention with every query, and every option of encoder and decoder; one has only 3 positions."""


def exported(folder: Path, model: Seq2Seq, precision: OnnxPrecision = "float32") -> OnnxModel:
    """The two graphs of a model, read back from files."""
    for name, graph in ((ENCODE, encode_graph(model, precision)), (STEP, step_graph(model, precision))):
        (folder / name).write_bytes(model_of(graph, "0").SerializeToString())
    return OnnxModel(folder, model.decoder.output.out_features)


def named(options: dict[str, Any]) -> str:
    return ",".join(f"{name}={value}" for name, value in options.items())


def difference(one: Tensor, other: Tensor) -> float:
    return float((one - other).abs().max())


@pytest.mark.filterwarnings("ignore:source of")
@pytest.mark.parametrize("options", OPTIONS, ids=named)
def test_logits_and_attention_are_the_models(tmp_path: Path, options: dict[str, Any]) -> None:
    """Catches gates in another order, a loop of fixed length, padding that is read, and an option that is ignored."""
    model = small_model(sharp=2.0, **options)
    other = exported(tmp_path, model)
    vocab = options.get("tgt_vocab", 12)

    for lengths, width in (([4, 1, 7], None), ([2], None), ([9, 3, 8, 1, 5], 11), ([6, 6], 6)):
        src, src_len = sentences(lengths, width)
        tgt = targets(len(lengths), 6, vocab=vocab)
        with torch.inference_mode():
            for one, another in zip(model(src, src_len, tgt), other(src, src_len, tgt), strict=True):
                assert difference(one, another) < 1e-4


@pytest.mark.filterwarnings("ignore:source of")
@pytest.mark.parametrize("options", OPTIONS, ids=named)
def test_the_initial_state_and_memory_are_the_models(tmp_path: Path, options: dict[str, Any]) -> None:
    """Catches a state or a memory that only happens to give the right words, such as coverage that begins too late."""
    model = small_model(sharp=2.0, **options)
    other = exported(tmp_path, model)
    src, src_len = sentences([5, 2, 8], 10)

    with torch.inference_mode():
        (state, memory), (another, its_memory) = model.encode(src, src_len), other.encode(src, src_len)
    assert all(difference(one, two) < 1e-4 for one, two in zip(state, another, strict=True))
    assert torch.equal(memory.mask, its_memory.mask)
    assert difference(memory.values, its_memory.values) < 1e-4
    assert difference(memory.keys * memory.mask.unsqueeze(2), its_memory.keys * memory.mask.unsqueeze(2)) < 1e-4


@pytest.mark.filterwarnings("ignore:source of")
@pytest.mark.parametrize("options", OPTIONS, ids=named)
def test_whole_translations_are_the_models(tmp_path: Path, options: dict[str, Any]) -> None:
    """Catches a state that is right only for a few steps, and a state whose rows a search cannot select."""
    model = small_model(sharp=2.0, **options)
    other = exported(tmp_path, model)
    src, src_len = sentences([7, 2, 5, 9, 1], 9)

    searches: list[Any] = [greedy, partial(beam, beam_size=4)]
    for search in searches:
        expected, found = (search(each, src, src_len, BOS, EOS) for each in (model, other))
        pairs = zip(flat(expected), flat(found), strict=True)
        assert all(one.ids == two.ids and difference(one.attention, two.attention) < 1e-4 for one, two in pairs)
        assert sum(len(one.ids) for one in flat(expected)) > len(src)


def flat(results: list[Any]) -> list[Any]:
    return [one for result in results for one in (result if isinstance(result, list) else [result])]


@pytest.mark.parametrize("options", [OPTIONS[i] for i in (0, 5, 6, 14, 15, 19, -1)], ids=named)
def test_int8_gives_nearly_the_same_numbers(tmp_path: Path, options: dict[str, Any]) -> None:
    """Catches scales of the wrong axis, a zero that is not exact, and rows that are rounded with the wrong scale."""
    model = small_model(sharp=2.0, **options)
    other = exported(tmp_path, model, "int8")
    src, src_len = sentences([4, 1, 7])
    tgt = targets(3, 6, vocab=options.get("tgt_vocab", 12))

    with torch.inference_mode():
        (logits, weights), (its_logits, its_weights) = model(src, src_len, tgt), other(src, src_len, tgt)
    assert 0 < float((weights - its_weights).abs().mean()) < 0.01
    assert 0 < float((logits - its_logits).abs().mean()) < 0.05 * float(logits.std())


def test_in_int8_a_sentence_does_not_depend_on_its_batch(tmp_path: Path) -> None:
    """Catches inputs that are rounded by the largest number of a whole batch, so that translations change with it."""
    other = exported(tmp_path, small_model(sharp=3.0, layer_norm=True), "int8")
    src, src_len = sentences([4, 6, 7])
    tgt = targets(3, 6)

    with torch.inference_mode():
        together = other(src, src_len, tgt)
        for row, length in enumerate(src_len.tolist()):
            alone = other(src[row : row + 1, :length], src_len[row : row + 1], tgt[row : row + 1])
            assert difference(together[0][row], alone[0][0]) < 1e-4
            assert difference(together[1][row, :, :length], alone[1][0]) < 1e-4


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return model_folder.write(tmp_path / "model")


@pytest.fixture
def onnx_folder(tmp_path: Path, folder: Path) -> Path:
    export_onnx(folder, tmp_path / "onnx")
    return tmp_path / "onnx"


def test_the_folder_is_a_translator(folder: Path, onnx_folder: Path) -> None:
    """Catches an export that some method of a translator, or some search, cannot use."""
    one, other = heed.load(folder, "cpu", "float32"), heed.load(onnx_folder)
    lines, given = model_folder.SOURCES, model_folder.TARGETS

    for options in ({}, dict(search="beam", n_best=3), dict(search="sample", seed=3), dict(prefix="un chien")):
        for expected, found in zip(one.translate(lines, **options), other.translate(lines, **options), strict=True):
            assert [each.text for each in found.candidates] == [each.text for each in expected.candidates]
            assert abs(found.score - expected.score) < 1e-3
            assert found.attention == pytest.approx(expected.attention, abs=1e-4)
    assert other.score(lines, given) == pytest.approx(one.score(lines, given), abs=1e-3)
    assert other.align(lines, given) == one.align(lines, given)
    assert (other.src_lang, str(other.device)) == ("en", "cpu")
    assert other.bundle.architecture == one.bundle.architecture


def test_an_ensemble_may_have_exported_members(tmp_path: Path, folder: Path, onnx_folder: Path) -> None:
    """Catches an ensemble that uses only its torch models and ignores the exported ones."""
    second = model_folder.write(tmp_path / "second", seed=4)
    expected = heed.load([folder, second], "cpu", "float32").translate(model_folder.SOURCES, "beam")
    found = heed.load([onnx_folder, second]).translate(model_folder.SOURCES, "beam")
    alone = heed.load(second, "cpu", "float32").translate(model_folder.SOURCES, "beam")

    assert [one.text for one in found] == [one.text for one in expected] != [one.text for one in alone]
    assert [one.score for one in found] == pytest.approx([one.score for one in expected], abs=1e-3)


@pytest.mark.parametrize("precision", ["float32", "int8"])
def test_the_files_are_valid_onnx_of_one_opset(tmp_path: Path, folder: Path, precision: OnnxPrecision) -> None:
    """Catches operators of another domain or opset, and a batch size that is fixed."""
    export_onnx(folder, tmp_path / "onnx", precision)
    config = json.loads((tmp_path / "onnx/config.json").read_text())

    assert (config["format"], config["precision"]) == ("onnx 1", precision)
    for name in (ENCODE, STEP):
        model = onnx.load(tmp_path / "onnx" / name)
        onnx.checker.check_model(model, full_check=True)
        assert [(one.domain, one.version) for one in model.opset_import] == [("", 17)]
        first = [part.type.tensor_type.shape.dim[0] for part in (*model.graph.input, *model.graph.output)]
        assert {dim.dim_param for dim in first} == {"batch"}


def test_int8_is_a_quarter_of_float32(tmp_path: Path) -> None:
    """Catches a matrix that stays float32, and tied embeddings that are stored twice."""
    model = small_model(emb_dim=64, readout_dim=64, enc_dim=128, hid_dim=128, tgt_vocab=500, tie="decoder", att_dim=64)
    sizes = {}
    for precision in ("float32", "int8"):
        (tmp_path / precision).mkdir()
        exported(tmp_path / precision, model, precision)
        sizes[precision] = sum(path.stat().st_size for path in (tmp_path / precision).iterdir())

    parameters = sum(parameter.numel() for parameter in model.parameters())
    # with `query` current, the first step needs attention from before it, so both graphs contain attention
    parameters += sum(parameter.numel() for parameter in model.decoder.attention.parameters())
    assert 3.5 * parameters < sizes["float32"] < 4 * parameters + 30_000
    assert sizes["int8"] < 0.3 * sizes["float32"] + 30_000


def test_an_export_replaces_an_export_and_nothing_else(tmp_path: Path, folder: Path, onnx_folder: Path) -> None:
    """Catches a model folder, or somebody's files, lost to a mistyped output."""
    before = (onnx_folder / STEP).read_bytes()
    export_onnx(folder, onnx_folder, "int8")
    assert json.loads((onnx_folder / "config.json").read_text())["precision"] == "int8"
    assert (onnx_folder / STEP).read_bytes() != before

    weights = (folder / "weights.safetensors").read_bytes()
    with pytest.raises(UserError, match="not of an ONNX export"):
        export_onnx(folder, folder)
    assert (folder / "weights.safetensors").read_bytes() == weights
    assert heed.load(folder).translate("a dog").text

    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / STEP).write_text("my own")
    with pytest.raises(UserError, match=r"step\.onnx is not of an ONNX export"):
        export_onnx(folder, tmp_path / "mine")
    with pytest.raises(UserError, match="already an ONNX model"):
        export_onnx(onnx_folder, tmp_path / "again")
    loaded = bundle.load(folder)
    assert isinstance(loaded.model, Seq2Seq)
    with pytest.raises(UserError, match="move it away"):
        bundle.save(onnx_folder, loaded.model, loaded.architecture, loaded.src, loaded.tgt, {})


def test_a_score_from_outside_is_refused(tmp_path: Path) -> None:
    """Catches a score exported with the equations of the class that it was derived from."""
    model = small_model(score="dot")
    model.decoder.attention.attn = type("Mine", (type(model.decoder.attention.attn),), {})(8, 8)

    with pytest.raises(UserError, match="the score Mine cannot be written as ONNX"):
        step_graph(model, "float32")


def damaged(folder: Path) -> None:
    (folder / STEP).write_bytes(b"no graph")


def of_another_model(folder: Path) -> None:
    (folder / STEP).write_bytes(model_of(step_graph(small_model(), "float32"), "0").SerializeToString())


def swapped(folder: Path) -> None:
    shutil.copy(folder / ENCODE, folder / STEP)


def incomplete(folder: Path) -> None:
    (folder / ENCODE).unlink()


def naming_another_file(folder: Path) -> None:
    """Weights in another file, which the format allows: here a file outside the folder."""
    model = onnx.load(folder / STEP)
    stolen = model.graph.initializer[0]
    stolen.ClearField("raw_data")
    stolen.data_location = TensorProto.EXTERNAL
    stolen.external_data.add(key="location", value="../secret")
    (folder.parent / "secret").write_bytes(bytes(100_000))
    (folder / STEP).write_bytes(model.SerializeToString())


@pytest.mark.parametrize("harm", [damaged, of_another_model, swapped, incomplete, naming_another_file])
def test_a_folder_that_is_not_whole_is_refused_in_one_line(onnx_folder: Path, harm: Any) -> None:
    """Catches a traceback, wrong numbers, and an untrusted graph that reads files of this machine."""
    harm(onnx_folder)

    with pytest.raises(UserError, match=re.escape(str(onnx_folder))) as refusal:
        heed.load(onnx_folder)
    assert "\n" not in str(refusal.value)


def test_what_onnx_cannot_do_is_refused(onnx_folder: Path) -> None:
    """Catches a precision or a device that is ignored silently."""
    with pytest.raises(UserError, match="precision=bfloat16"):
        heed.load(onnx_folder, precision="bfloat16")
    with pytest.raises(UserError, match="on the CPU"):
        bundle.load(onnx_folder, "meta")


@pytest.mark.parametrize("method", ["saliency", "difference", "norm", "product", "posterior"])
def test_what_needs_the_weights_is_refused(folder: Path, onnx_folder: Path, method: Method) -> None:
    """Catches a traceback, and an ensemble that is explained by some of its members alone."""
    for models in ([onnx_folder], [folder, onnx_folder]):
        translator = heed.load(models)
        translations = [translator.translate("a dog barks")]
        with pytest.raises(UserError, match="supports only method=attention"):
            translator.maps(translations, method)
        assert len(translator.maps(translations, "attention")) == 1
    with pytest.raises(UserError, match="faithfulness cannot be measured on an ONNX model"):
        counterfactual(heed.load(onnx_folder), translations)


def test_the_command_writes_what_the_function_does(tmp_path: Path, folder: Path, onnx_folder: Path) -> None:
    """Catches a command that does not pass its first word or its precision to the function."""
    made = forked(tmp_path, "export", "onnx", f"model={folder}", f"output={tmp_path}/made")
    assert (made.code, made.err) == (0, "")
    assert re.fullmatch(r"written to .*/made: encode\.onnx [\d.]+ MB, step\.onnx [\d.]+ MB\n", made.out)
    for name in (ENCODE, STEP, "config.json"):
        assert (tmp_path / "made" / name).read_bytes() == (onnx_folder / name).read_bytes()

    refused = forked(tmp_path, "export", "onnx", f"model={folder}", f"output={folder}")
    assert (refused.code, refused.err.count("\n")) == (2, 1)


PAGE = Path(__file__).parents[2] / "docs" / "deploy.md"


def test_the_example_in_the_docs_translates_as_heed_does(tmp_path: Path, onnx_folder: Path) -> None:
    """Catches inputs and outputs with other names in the docs, and an example that needs torch or heed after all."""
    (code,) = re.findall(r"```python\n(import sys\n.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    (tmp_path / "greedy.py").write_text(code, encoding="utf-8")
    assert len([line for line in code.splitlines() if line.strip()]) <= 40
    for forbidden in ("torch", "heed"):
        (tmp_path / f"{forbidden}.py").write_text(
            "raise ImportError", encoding="utf-8"
        )  # imported first, beside the script

    translator = heed.load(onnx_folder)
    for line in ("a dog barks", "the small house is red", "two birds sing"):
        command = [sys.executable, str(tmp_path / "greedy.py"), str(onnx_folder), line]
        text, *pairs = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
        expected = translator.translate(line)
        assert text.split() == expected.text.split()
        assert [pair.partition(" <- ")[0] for pair in pairs] == expected.pieces
