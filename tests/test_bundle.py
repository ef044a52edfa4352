import json
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from heed import bundle
from heed.architecture import Architecture, build
from heed.errors import UserError
from heed.models.seq2seq import Seq2Seq
from heed.passes import Model
from heed.runs.environment import environment
from heed.runs.run_folder import locked
from heed.text.subwords import Subwords
from tests.support.models import sentences, targets

SRC = Subwords.train(["a dog", "the old cat"], kind="char", vocab_size=30)
TGT = Subwords.train(["un chien", "le vieux chat"], kind="char", vocab_size=30)
JOINT = Subwords.train(["a dog", "un chien"], kind="char", vocab_size=30)
ABOUT = {"corpus": "tiny", "bleu": 93.5, "sentence": "où ?", "aer": None}
SIZES: dict[str, Any] = dict(emb_dim=6, enc_dim=8, hid_dim=8, readout_dim=6, attended_dim=5, att_dim=7, positions=9)


def architecture(**changes: Any) -> Architecture:
    return Architecture.from_dict(SIZES | changes)


def built(described: Architecture) -> Seq2Seq:
    return build(described, len(SRC), len(TGT)).eval()


def write(folder: Path, seed: int = 1, **changes: Any) -> Seq2Seq:
    """Write a model folder with small sizes, and return its model."""
    torch.manual_seed(seed)
    model = built(architecture(**changes))
    bundle.save(folder, model, architecture(**changes), SRC, TGT, ABOUT)
    return model


def logits(model: Model) -> torch.Tensor:
    with torch.no_grad():
        found: torch.Tensor = model(*sentences([5, 3, 1], vocab=12), targets(3, 4))[0]
    return found


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write(tmp_path / "model")
    return tmp_path / "model"


Damage = Callable[[Path], object]


class TestRoundTrip:
    @pytest.mark.parametrize("score", ["article", "additive", "general", "multi_head"])
    def test_a_loaded_model_is_the_saved_one(self, tmp_path: Path, score: str) -> None:
        """Catches a parameter that keeps its initial value: the outputs must be equal in every bit."""
        changes: dict[str, Any] = dict(score=score, dropout=0.5, enc_layers=2, dec_layers=2)
        changes |= dict(att_dim=8, heads=2) if score == "multi_head" else {}
        model = write(tmp_path, **changes)
        found = bundle.load(tmp_path)
        assert torch.equal(logits(found.model), logits(model))
        assert not found.model.training
        assert (found.src, found.tgt) == (SRC, TGT)
        assert found.architecture == architecture(**changes)
        assert found.about == ABOUT

    @pytest.mark.parametrize("tie", ["decoder", "all"])
    def test_tied_parameters_come_back_tied(self, tmp_path: Path, tie: str) -> None:
        """Catches tied parameters that are loaded as copies, which further training would make different."""
        model = build(architecture(tie=tie), len(JOINT), len(JOINT)).eval()
        bundle.save(tmp_path, model, architecture(tie=tie), JOINT, JOINT, {})
        loaded = bundle.load(tmp_path).model
        assert isinstance(loaded, Seq2Seq)
        assert torch.equal(logits(loaded), logits(model))
        assert loaded.decoder.output.weight is loaded.decoder.embedding.weight
        assert (loaded.encoder.embedding.weight is loaded.decoder.embedding.weight) == (tie == "all")
        assert sum(value.numel() for value in load_file(tmp_path / "weights.safetensors").values()) == sum(
            parameter.numel() for parameter in model.parameters()
        )

    def test_weights_that_share_one_block_of_memory_are_stored_separately(self, tmp_path: Path) -> None:
        """Catches a model that cannot be saved on a GPU, where all weights of a GRU are in one block of memory."""
        model = built(architecture(enc_layers=2)).eval()
        weights = list(model.encoder.gru.parameters())
        block = torch.cat([weight.detach().flatten() for weight in weights])
        for weight, part in zip(weights, block.split([weight.numel() for weight in weights]), strict=True):
            weight.data = part.view_as(weight)
        bundle.save(tmp_path, model, architecture(enc_layers=2), SRC, TGT, ABOUT)
        assert torch.equal(logits(bundle.load(tmp_path).model), logits(model))

    def test_saving_does_not_change_the_model(self, tmp_path: Path) -> None:
        """Catches a change of the model by a save, which is done in the middle of training."""
        model = write(tmp_path).train()
        before = [parameter.clone() for parameter in model.parameters()]
        bundle.save(tmp_path, model, architecture(), SRC, TGT, ABOUT)
        assert model.training
        assert all(torch.equal(a, b) for a, b in zip(before, model.parameters(), strict=True))

    def test_the_folder_has_the_documented_files_in_formats_without_code(self, folder: Path) -> None:
        """Catches additional files, which users would not copy, and pickles, which execute code."""
        assert {path.name for path in folder.iterdir()} == set(bundle.FILES)
        config = json.loads((folder / "config.json").read_text())
        assert set(config) == {"format", "heed", "src_vocab", "tgt_vocab", "architecture"}
        assert "_target_" not in json.dumps(config)
        assert json.loads((folder / "about.json").read_text(encoding="utf-8")) == ABOUT
        assert all(value.dtype == torch.float32 for value in load_file(folder / "weights.safetensors").values())


@pytest.mark.parametrize("heads", [1, 2])
def test_a_folder_of_format_3_is_read(folder: Path, heads: int) -> None:
    """Catches a release that cannot read folders of format 3, or reads them as another model."""
    model = write(
        folder, heads=heads, att_dim=8, query="previous"
    )  # all models of format 3 had this query, so their folders do not name it
    sizes = {key: value for key, value in SIZES.items() if key != "att_dim"}
    flat = sizes | dict(src_vocab=len(SRC), tgt_vocab=len(TGT), score="additive", att_dim=8, heads=heads)
    (folder / "config.json").write_text(json.dumps({"format": 3, "heed": "0.1.0", "architecture": flat}))
    loaded = bundle.load(folder)
    assert torch.equal(logits(loaded.model), logits(model))
    assert loaded.architecture == architecture(heads=heads, att_dim=8, query="previous")


READ_ELSEWHERE = """
import sys

def watch(event, arguments):
    if event.startswith("pickle.") or event in ("exec", "compile") and b"heed-model" in str(arguments).encode():
        print("ran code:", event, arguments)

from pathlib import Path
from heed import bundle
sys.addaudithook(watch)
found = bundle.load(Path(sys.argv[1]))
total = sum(float(parameter.detach().double().sum()) for parameter in found.model.parameters())
print(found.tgt.decode(found.tgt.encode("le chat")), total, "torch._dynamo" in sys.modules)
"""


def test_a_moved_folder_is_loaded_from_any_directory_without_running_code(tmp_path: Path) -> None:
    """Catches a folder that depends on an absolute path, a working directory or its run, and code that is run.

    It also catches an import of torch's compiler, which takes seconds, before the first translation.
    """
    model = write(tmp_path / "runs" / "one" / "model")
    shutil.move(tmp_path / "runs" / "one" / "model", tmp_path / "heed-model")
    shutil.rmtree(tmp_path / "runs")
    (tmp_path / "cwd").mkdir()
    finished = subprocess.run(
        [sys.executable, "-c", READ_ELSEWHERE, "../heed-model"],
        cwd=tmp_path / "cwd",
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )
    total = sum(float(parameter.detach().double().sum()) for parameter in model.parameters())
    assert finished.stdout == f"le chat {total} False\n"


class TestSavingOver:
    def test_only_the_files_of_the_old_model_are_removed(self, tmp_path: Path) -> None:
        """Catches weights of one model beside settings of another, and a user's notes removed with the old model."""
        write(tmp_path / "model", seed=1)
        (tmp_path / "model" / "notes.txt").write_text("mine")
        model = write(tmp_path / "model", seed=2, hid_dim=4)
        assert torch.equal(logits(bundle.load(tmp_path / "model").model), logits(model))
        assert [path.name for path in tmp_path.iterdir()] == ["model"]
        assert {path.name for path in (tmp_path / "model").iterdir()} == {*bundle.FILES, "notes.txt"}
        assert (tmp_path / "model" / "notes.txt").read_text() == "mine"

    def test_another_program_s_model_is_not_replaced(self, tmp_path: Path) -> None:
        """Catches the config.json of another library's model that is overwritten."""
        (tmp_path / "config.json").write_text('{"architectures": ["MarianMTModel"]}')
        with pytest.raises(UserError, match=r"config\.json is damaged, or was not written by heed"):
            write(tmp_path)
        assert [path.name for path in tmp_path.iterdir()] == ["config.json"]

    @pytest.mark.parametrize("end", ["killed", "failed"])
    def test_an_interrupted_save_keeps_the_complete_old_model(self, tmp_path: Path, end: str) -> None:
        """Catches new subwords beside old weights of the same sizes, which would silently translate nonsense."""
        model = write(tmp_path / "model", seed=1)

        class Last(Subwords):
            """A vocabulary that is saved after config, about and source subwords, and before the weights."""

            def save(self, path: Path) -> None:
                super().save(path)
                if end == "killed":
                    os.kill(os.getpid(), signal.SIGKILL)
                raise OSError("No space left on device")

        other = built(architecture())
        if end == "failed":
            with pytest.raises(OSError, match="No space left"):
                bundle.save(tmp_path / "model", other, architecture(), TGT, Last(SRC.model), {})
        elif (child := os.fork()) == 0:
            try:
                bundle.save(tmp_path / "model", other, architecture(), TGT, Last(SRC.model), {})
            finally:
                os._exit(0)  # not reached by a process that is killed
        else:
            assert os.waitpid(child, 0)[1] == signal.SIGKILL
        found = bundle.load(tmp_path / "model")
        assert torch.equal(logits(found.model), logits(model))
        assert (found.src, found.tgt, found.about) == (SRC, TGT, ABOUT)
        write(tmp_path / "model", seed=2)
        assert [path.name for path in tmp_path.iterdir()] == ["model"]


def change_config(change: Callable[[dict[str, Any]], object]) -> Damage:
    def damage(folder: Path) -> None:
        path = folder / "config.json"
        config = json.loads(path.read_text())
        change(config)
        path.write_text(json.dumps(config))

    return damage


def set_key(**keys: Any) -> Damage:
    return change_config(lambda config: config["architecture"].update(keys))


def set_attention(**keys: Any) -> Damage:
    return change_config(lambda config: config["architecture"]["attention"].update(keys))


def cut(name: str, keep: float) -> Damage:
    def damage(folder: Path) -> None:
        content = (folder / name).read_bytes()
        (folder / name).write_bytes(content[: int(len(content) * keep)])

    return damage


def fill(name: str, content: bytes) -> Damage:
    return lambda folder: (folder / name).write_bytes(content)


def lying_header(folder: Path) -> None:
    """Write a header that names a matrix far larger than the file."""
    path = folder / "weights.safetensors"
    content = path.read_bytes()
    size = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + size])
    header["decoder.output.weight"] = {"dtype": "F32", "shape": [10**6, 10**6], "data_offsets": [0, 4 * 10**12]}
    lie = json.dumps(header).encode()
    path.write_bytes(len(lie).to_bytes(8, "little") + lie + content[8 + size :])


def about_folder(folder: Path) -> None:
    (folder / "about.json").unlink()
    (folder / "about.json").mkdir()


def of_another_size(folder: Path) -> None:
    write(folder.parent / "other", hid_dim=4)
    shutil.copy(folder.parent / "other" / "weights.safetensors", folder)


def without(name: str) -> Damage:
    def damage(folder: Path) -> None:
        path = folder / "weights.safetensors"
        save_file({key: value for key, value in load_file(path).items() if key != name}, path)

    return damage


def not_a_number(folder: Path) -> None:
    """Set a weight to NaN: beam search would find nothing, and sampling would choose an id that does not exist."""
    path = folder / "weights.safetensors"
    weights = load_file(path)
    weights["decoder.readout.bias"][1] = float("nan")
    save_file(weights, path)


def and_then(*damages: Damage) -> Damage:
    return lambda folder: [damage(folder) for damage in damages]


NESTED = b'{"architecture": ' + b"[" * 100_000 + b"]" * 100_000 + b"}"

DAMAGES: dict[str, tuple[Damage, str]] = {
    "weights cut short": (cut("weights.safetensors", 0.7), r"weights.safetensors is damaged"),
    "weights cut in the header": (cut("weights.safetensors", 0.01), r"weights.safetensors is damaged"),
    "weights empty": (cut("weights.safetensors", 0), r"weights.safetensors is damaged"),
    "weights' header lies": (lying_header, r"weights.safetensors is damaged"),
    "weights of another size": (of_another_size, r"does not fit its config.json: .* is \(.*\), expected \("),
    "weights lack a matrix": (without("decoder.bridge.weight"), r"decoder.bridge.weight is missing"),
    "weights not a number": (not_a_number, r"weights.safetensors contains NaN or infinity \(decoder.readout.bias\)"),
    "weights of no model": (fill("weights.safetensors", b"\x02\x00\x00\x00\x00\x00\x00\x00{}"), r"is missing"),
    "pickle in the place of weights": (fill("weights.safetensors", b"\x80\x04cos\nsystem\n."), r"is damaged"),
    "another score": (set_key(attention={"score": "general"}), r"does not fit its config.json: .*additive|attn"),
    "another score's name": (set_attention(score="soft"), r"score must be one of .*, got 'soft'"),
    "unknown key": (set_key(beam_size=5), r"config.json does not describe a model .*beam_size=5: a model has no such"),
    "key of code": (set_key(_target_="os.system"), r"config.json does not describe a model .*_target_"),
    "text for a size": (set_key(hid_dim="8"), r"hid_dim='8': Input should be a valid integer"),
    "negative size": (set_key(hid_dim=-8), r"hid_dim must be at least 1, got -8"),
    "a setting of another score": (set_attention(heads=2), r"attention.heads=2: the score 'additive' has att_dim"),
    "attention as text": (set_key(attention="additive"), r"attention='additive': Input should be a valid"),
    "huge matrix": (set_attention(att_dim=65536), r"does not fit its config.json: .*expected \((1, )?65536"),
    "huge matrix, not in the weights": (
        and_then(set_attention(att_dim=65536), *(without(f"decoder.attention.attn.{n}") for n in (
            "query.weight", "query.bias", "key.weight", "energy.weight"))),
        r"decoder.attention.attn.query.weight is missing",
    ),
    "huge beyond counting": (set_key(hid_dim=10**30), r"hid_dim must be at most 65536"),
    "overflow": (set_key(hid_dim=10**10), r"hid_dim must be at most 65536"),
    "huge depth": (set_key(dec_layers=10**9), r"dec_layers must be at most 64, got 1000000000"),
    "vocabulary of another model": (
        change_config(lambda c: c.update(src_vocab=5)), r"src_vocab=5, but its subword model has"
    ),
    "no vocabulary size": (change_config(lambda c: c.pop("tgt_vocab")), r"tgt_vocab=None"),
    "other format": (change_config(lambda c: c.update(format=99)), r"has format 99, but heed .* reads 3 to 4"),
    "no format": (change_config(lambda c: c.pop("format")), r"has format None"),
    "no architecture": (change_config(lambda c: c.pop("architecture")), r"config.json has no architecture"),
    "config not JSON": (fill("config.json", b"format: 1\n"), r"config.json is damaged \(Expecting value"),
    "config not text": (fill("config.json", b"\xff\xfe"), r"config.json is damaged \('utf-8' codec"),
    "config a list": (fill("config.json", b"[1]"), r"config.json is damaged \(expected a JSON object"),
    "config nested without end": (fill("config.json", NESTED), r"config.json is damaged \(maximum recursion"),
    "about not JSON": (cut("about.json", 0.5), r"about.json is damaged"),
    "subwords garbage": (fill("target.model", b"garbage\n\x00" * 9), r"target.model.*SentencePiece model"),
    "subwords empty": (cut("source.model", 0), r"source.model"),
    "subwords cut short": (cut("source.model", 0.5), r"source.model|subword model has"),
    "a file is a folder": (about_folder, r"is not a model folder: about.json missing"),
} | {
    f"{name} missing": ((lambda folder, name=name: (folder / name).unlink()), rf"is not a model folder: {name} missing")
    for name in bundle.FILES
}  # fmt: skip


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_folder_is_reported_in_one_line(folder: Path, damage: str) -> None:
    """Catches a traceback, a damaged folder that is accepted, and a damaged folder that fills the memory."""
    harm, message = DAMAGES[damage]
    harm(folder)
    with pytest.raises(UserError) as caught:
        bundle.load(folder)
    line = str(caught.value)
    assert re.search(message, line)
    assert "\n" not in line
    assert str(folder) in line
    assert len(line.replace(str(folder), "")) < 250


def test_a_full_disk_keeps_the_old_model(folder: Path) -> None:
    """Catches a model lost when a new one cannot be written completely; a file size limit acts as the full disk."""
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    (folder.parent / "environment.json").write_text(json.dumps(environment({})))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2**20, hard))
    try:
        with (
            pytest.raises(UserError, match=r"weights\.safetensors.*; what was saved before is intact"),
            locked(folder.parent),
        ):
            write(folder, seed=2, att_dim=20_000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    assert {path.name for path in folder.parent.iterdir()} == {".lock", "environment.json", "model"}


def test_a_missing_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"nowhere is not a model folder; give the model folder of a run"):
        bundle.load(tmp_path / "nowhere")


def test_the_message_for_a_run_folder_names_its_model(folder: Path) -> None:
    """Catches a message that does not help with the most likely mistake: the run folder instead of its model folder."""
    with pytest.raises(UserError, match=rf"about\.json missing; give {folder}$"):
        bundle.load(folder.parent)


def test_loading_draws_no_random_numbers(folder: Path) -> None:
    """Catches a load that changes the random numbers of the program that loads the model."""
    before = torch.get_rng_state()
    bundle.load(folder)
    assert torch.equal(torch.get_rng_state(), before)
