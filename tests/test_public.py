"""The public names and settings, and importing heed without side effects."""

import doctest
import inspect
import subprocess
import sys
from pathlib import Path
from typing import Any, cast

import pytest
from omegaconf import OmegaConf

import heed
import heed.cli.api
from heed.cli.config import compose
from heed.settings import dotted
from tests.support.small_run import overrides

NAMES = "load train evaluate align Translator Translation Evaluation Run UserError __version__".split()

SETTINGS = {
    "train": """
        batches.accumulate batches.sentences batches.tokens checkpoint_steps cleaning.max_characters cleaning.max_len
        cleaning.max_ratio cleaning.keep_duplicates clip_norm corpus.name corpus.reader
        corpus.src_lang corpus.test corpus.tgt_lang corpus.train corpus.valid
        curve_steps device distributed early_stop.min_delta early_stop.patience ema average_last guided_attention
        guided_links init_from heatmaps label_smoothing matmul_precision metric model.attend_end
        model.attended_dim
        model.attention.att_dim model.attention.score model.bidirectional model.dec_layers model.dropout model.emb_dim
        model.enc_dim model.enc_dropout model.enc_layers model.hid_dim model.layer_norm model.query model.readout_dim
        model.readout_dropout model.state_dropout model.tie model.variational optim.betas optim.eps optim.fused optim.lr
        optim.name overwrite precision profile progress_bar r_drop run runs schedule.final schedule.name schedule.steps
        schedule.warmup_steps seed subword_sampling subwords.byte_fallback subwords.character_coverage subwords.joint
        subwords.keep subwords.kind subwords.src_normalization subwords.tgt_normalization subwords.user_defined_symbols
        subwords.vocab_size teacher_forcing.name teacher_forcing.ratio
        trainer.max_epochs trainer.max_steps trainer.validate_epochs trainer.validate_steps
        word_dropout
    """,
    "evaluate": """
        batch_size device end faithfulness format heatmaps level model output references search.max_len search.min_len
        search.name search.no_repeat_ngram seeds split versus
    """,
    "translate": """
        batch_size closest device input interactive model output precision replace_unk search.max_len search.min_len
        search.name search.no_repeat_ngram show_attention split
    """,
    "align": """
        batch_size device gold level method model noisy_copies output reverse source split symmetrisation target
        threshold weights
    """,
    "serve": """
        batching.milliseconds batching.sentences device host limits.beam_size limits.characters limits.max_len
        limits.seconds limits.sentences limits.waiting limits.weights model origins port precision
    """,
    "export": "model output precision split to",
}


def test_the_public_names_are_these() -> None:
    """Catches a public name that was added or removed by accident."""
    assert heed.__all__ == NAMES
    assert set(NAMES) <= set(dir(heed))
    assert all(getattr(heed, name) is not None for name in NAMES)


@pytest.mark.parametrize("name", ["load", "train", "evaluate", "align"])
def test_a_public_function_documents_its_arguments_results_and_errors(name: str) -> None:
    """Catches a function that lacks an example, or the documentation of an argument, its result or its errors."""
    text = inspect.getdoc(getattr(heed, name)) or ""
    for part in ("Args:", "Returns:", "Raises:", "UserError:", ">>> "):
        assert part in text
    parameters = [parameter for parameter in inspect.signature(getattr(heed, name)).parameters if parameter != "self"]
    assert [parameter for parameter in parameters if f"\n    {parameter}: " not in text] == []


@pytest.mark.parametrize("name", SETTINGS)
def test_the_public_settings_are_these(name: str) -> None:
    """Catches a public setting that was added or removed by accident."""
    values = dotted(cast(dict[str, Any], OmegaConf.to_container(compose(name))))
    assert sorted(key for key, value in values.items() if not isinstance(value, dict)) == sorted(SETTINGS[name].split())


def test_an_unknown_name_is_an_attribute_error() -> None:
    """Catches `hasattr(heed, …)` that raises something else."""
    assert not hasattr(heed, "trian")


IMPORT = """
import signal, sys
before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)], dict(__import__("os").environ)
import heed
after = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)], dict(__import__("os").environ)
assert before == after
assert not {"torch", "hydra", "lightning", "matplotlib", "sentencepiece", "numpy"} & set(sys.modules)
"""


def test_importing_heed_changes_nothing_and_loads_little(tmp_path: Path) -> None:
    """Catches an import of heed that sets signal handlers or loads large packages, in a script of any name."""
    script = tmp_path / "heed-mine.py"
    script.write_text(IMPORT)
    subprocess.run([sys.executable, str(script)], check=True)


def test_training_is_a_function(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Catches training that needs the command line, and training that prints unasked."""
    run = heed.train(overrides=overrides(tmp_path, "run=mine"), progress=False)

    assert run.folder == tmp_path / "mine"
    assert run.translator.translate("1 2").source_words == ["1", "2"]
    assert capfd.readouterr().out == ""

    again = heed.train(overrides=overrides(tmp_path, "run=mine"), progress=False)
    assert again.was_finished
    assert again.report == run.report


def _pair(line: str) -> tuple[str, str, str]:
    return line.partition("=")


def test_the_example_of_training_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Catches an example that no longer works; those of a model are run in tests/test_translator.py."""
    monkeypatch.chdir(tmp_path)
    assert doctest.testmod(heed.cli.api) == (0, 5)


def test_settings_can_be_given_as_python_values(tmp_path: Path) -> None:
    """Catches values that must be written as on a command line, such as None and nested dicts."""
    small = overrides(tmp_path)
    run = heed.train(
        overrides={key: _value(value) for key, _, value in map(_pair, small) if key not in GROUPS},
        run="nested",
        early_stop=None,
        model={"hid_dim": 24},
        seed=3,
        progress=False,
        **{key: value for key, _, value in map(_pair, small) if key in GROUPS},
    )
    config = (run.folder / "config.yaml").read_text()
    assert "hid_dim: 24" in config
    assert "emb_dim: 16" in config
    assert "early_stop: null" in config
    assert "seed: 3" in config


GROUPS = ("corpus", "subwords", "teacher_forcing")


def _value(text: str) -> Any:
    return OmegaConf.create(f"x: {text}").x


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"sed": 2}, r"^sed=2: there is no key sed; did you mean seed\?$"),
        ({"model": {"hid_dmi": 2}}, r"there is no key model\.hid_dmi; did you mean model\.hid_dim\?$"),
        ({"corpus": "multi30k", "overrides": {"corpus.src": "de"}}, r"; corpus=multi30k has name, pair, reader, root"),
        ({"attention": "dto"}, r"attention is one of .*did you mean dot\?"),
        ({"seed": "two"}, r"^seed=two: should be a valid integer$"),
    ],
)
def test_a_wrong_setting_is_a_user_error(settings: dict[str, Any], message: str) -> None:
    """Catches errors of Hydra or pydantic that reach a caller."""
    with pytest.raises(heed.UserError, match=message):
        heed.train(**settings, progress=False)


def test_an_unknown_recipe_is_a_user_error() -> None:
    """Catches Hydra's own error, which names its search path in many lines."""
    with pytest.raises(heed.UserError, match=r"experiment is one of .*multi30k_en_de"):
        heed.train("multi30k_en_ed", progress=False)
