"""The description of a model: limits, choices, its plain form, and every option of the config groups built and run."""

import re
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from heed.architecture import Architecture, Tie, build
from heed.models.attention import SCORES
from heed.models.decoder import Query
from heed.search.greedy import greedy
from tests.support.models import BOS, EOS, KINDS, SIZES, build_seq2seq, sentences, small_model, targets

SIZE_NAMES = ["emb_dim", "enc_dim", "hid_dim", "readout_dim", "attended_dim"]
GROUP = sorted(Path(__file__).parents[1].glob("configs/attention/*.yaml"))
LENGTHS = [5, 3, 1]


class TestLimits:
    @settings(deadline=None, max_examples=40)
    @given(name=st.sampled_from(["src_vocab", "tgt_vocab", *SIZE_NAMES]), size=st.integers(max_value=0))
    def test_nothing_is_smaller_than_one(self, name: str, size: int) -> None:
        """Catches a size of zero: torch builds such a layer silently, and it learns nothing."""
        with pytest.raises(ValueError, match=f"^{name} must be at least 1, got {size}$"):
            build_seq2seq(**(SIZES | {name: size}))

    @pytest.mark.parametrize(
        ("score", "name"), [("additive", "att_dim"), ("multi_head", "heads"), ("article", "positions")]
    )
    @pytest.mark.parametrize(("size", "limit"), [(0, "at least 1"), (10**9, "at most 65536")])
    def test_a_score_s_sizes_have_the_same_limits(self, score: str, name: str, size: int, limit: str) -> None:
        """Catches an unchecked size of the attention: zero heads divide by zero, a billion fill the memory."""
        with pytest.raises(ValueError, match=rf"^attention\.{name} must be {limit}"):
            Architecture(attention={"score": score, name: size})

    @settings(deadline=None, max_examples=40)
    @given(dropout=st.floats(allow_nan=True).filter(lambda x: not 0 <= x < 1))
    def test_dropout_is_a_share(self, dropout: float) -> None:
        """Catches a dropout of 1, which drops everything, and NaN, which compares false with both limits."""
        for name in ("dropout", "readout_dropout", "enc_dropout", "state_dropout"):
            with pytest.raises(ValueError, match=re.escape(f"{name} must be in [0, 1), got {dropout}")):
                Architecture(**dict[str, Any]({name: dropout}))

    @settings(deadline=None, max_examples=40)
    @given(pad_id=st.integers().filter(lambda i: not 0 <= i < 12))
    def test_padding_is_a_word_of_both_vocabularies(self, pad_id: int) -> None:
        """Catches ids that are too large, which fail in torch, and negative ids, which select a word from the end."""
        with pytest.raises(ValueError, match=f"pad_id must be in both vocabularies, got {pad_id} for 20 and 12"):
            build_seq2seq(**SIZES, pad_id=pad_id)

    @pytest.mark.parametrize("name", ["enc_layers", "dec_layers"])
    def test_absurd_depth_is_refused_before_it_is_built(self, name: str) -> None:
        """Catches a billion layers that are built one by one, until memory runs out."""
        with pytest.raises(ValueError, match=f"{name} must be at most 64, got 1000000000"):
            Architecture(**dict[str, Any]({name: 10**9}))

    @settings(deadline=None, max_examples=25)
    @given(
        sizes=st.fixed_dictionaries({name: st.integers(1, 5) for name in [*SIZE_NAMES, "att_dim", "positions"]}),
        kind=st.sampled_from([kind for kind in KINDS if kind != "multi_head"]),
        depths=st.tuples(st.integers(1, 2), st.integers(1, 2)),
        bidirectional=st.booleans(),
    )
    def test_compatible_sizes_build_and_others_are_refused_with_the_reason(
        self, sizes: dict[str, int], kind: str, depths: tuple[int, int], bidirectional: bool
    ) -> None:
        """Catches a size that is used in place of another, which only shows if all sizes differ."""
        odd = bidirectional and sizes["enc_dim"] % 2 == 1
        unequal = kind in ("dot", "scaled_dot") and sizes["enc_dim"] != sizes["hid_dim"]
        arguments = SIZES | sizes | dict(zip(("enc_layers", "dec_layers"), depths, strict=True))
        if odd or unequal:
            with pytest.raises(ValueError, match=r"enc_dim must be even|query and key of one size"):
                build_seq2seq(**arguments, score=kind, bidirectional=bidirectional)
            return
        model = build_seq2seq(**arguments, score=kind, bidirectional=bidirectional)
        src, src_len = sentences([1, 1]) if kind == "article" else sentences(LENGTHS)
        logits, weights = model(src, src_len, targets(len(src), 2))
        assert logits.shape == (len(src), 2, 12)
        assert weights.shape == (len(src), 2, src.size(1))


class TestChoices:
    def test_impossible_ties_are_refused(self) -> None:
        """Catches tied matrices of two sizes, which fail inside torch or share the wrong words."""
        with pytest.raises(ValueError, match="tie=decoder needs equal emb_dim and readout_dim, got 6 and 7"):
            small_model(tie="decoder", readout_dim=7)
        with pytest.raises(ValueError, match="tie=all needs one vocabulary, got 20 and 12 subwords"):
            small_model(tie="all")

    @pytest.mark.parametrize(
        ("name", "choices"), [("tie", "none, decoder, all"), ("query", "previous, current, conditional")]
    )
    def test_an_unknown_choice_is_refused_with_the_known_ones(self, name: str, choices: str) -> None:
        """Catches a misspelt choice that is taken for the default, in Python and in config.json."""
        unchecked = Architecture()
        object.__setattr__(unchecked, name, "both")  # these tests check the types of arguments, other callers do not
        with pytest.raises(ValueError, match=f"^{name} must be one of {choices}, got 'both'$"):
            unchecked.__post_init__()
        first = choices.split(", ", maxsplit=1)[0]
        with pytest.raises(ValueError, match=f"^{name}='both': Input should be '{first}'"):
            Architecture.from_dict({name: "both"})

    def test_a_conditional_gru_has_one_layer(self) -> None:
        """Catches upper layers that are built but never run."""
        with pytest.raises(ValueError, match=r"^query=conditional needs dec_layers=1, got 2$"):
            Architecture(query="conditional", dec_layers=2)

    def test_an_unknown_score_is_refused_with_the_known_ones(self) -> None:
        """Catches an unregistered name that is refused only when the model is built, after the text was read."""
        with pytest.raises(ValueError, match=r"^score must be one of article, .*, scaled_dot.*, got 'adittive'$"):
            Architecture(attention={"score": "adittive"})
        with pytest.raises(ValueError, match=r"names no score; give attention\.score"):
            Architecture(attention={"att_dim": 5})

    def test_a_score_has_its_own_settings_and_no_others(self) -> None:
        """Catches a setting without effect, because the score does not have it."""
        with pytest.raises(ValueError, match=r"^attention.att_dim=5: the score 'dot' has no settings$"):
            Architecture(attention={"score": "dot", "att_dim": 5})
        with pytest.raises(ValueError, match=r"^attention.heads=2: the score 'additive' has att_dim$"):
            Architecture(attention={"score": "additive", "heads": 2})
        with pytest.raises(ValueError, match=r"^attention.att_dim='5': Input should be a valid integer$"):
            Architecture(attention={"score": "additive", "att_dim": "5"})

    @pytest.mark.parametrize(
        ("attention", "message"),
        [
            ({"score": "dot"}, "a dot product needs query and key of one size, got query 6 and key 8"),
            ({"score": "multi_head", "heads": 3, "att_dim": 9}, "3 heads cannot share values of size 8 evenly"),
        ],
    )
    def test_an_impossible_attention_is_refused_when_it_is_described(
        self, attention: dict[str, Any], message: str
    ) -> None:
        """Catches an error that comes only after the corpus has been read."""
        with pytest.raises(ValueError, match=f"^{message}"):
            Architecture(enc_dim=8, hid_dim=6, attention=attention)


class TestPlainForm:
    @settings(deadline=None, max_examples=25)
    @given(
        tie=st.sampled_from(Tie.__args__),  # type: ignore[attr-defined]
        query=st.sampled_from(Query.__args__),  # type: ignore[attr-defined]
        kind=st.sampled_from(KINDS),
        readout_dropout=st.none() | st.floats(0, 0.9),
        layers=st.integers(1, 3),
    )
    def test_the_plain_form_gives_the_same_architecture(
        self, tie: Any, query: Any, kind: str, readout_dropout: float | None, layers: int
    ) -> None:
        """Catches a field that is not written or is read as another, so that a model folder describes another model."""
        given = Architecture(
            tie=tie,
            query=query,
            enc_layers=layers,
            readout_dropout=readout_dropout,
            emb_dim=512,
            attention={"score": kind},
        )
        assert Architecture.from_dict(given.to_dict()) == given

    @pytest.mark.parametrize(
        ("flat", "attention"),
        [
            ({"score": "additive", "att_dim": 8, "heads": 1, "positions": 64}, {"score": "additive", "att_dim": 8}),
            ({"score": "additive", "att_dim": 8, "heads": 2}, {"score": "multi_head", "att_dim": 8, "heads": 2}),
            ({"score": "article", "positions": 9, "att_dim": 8}, {"score": "article", "positions": 9}),
            ({"score": "dot", "att_dim": 8}, {"score": "dot"}),
            ({"att_dim": 8}, {"score": "additive", "att_dim": 8}),
            ({}, {"score": "additive", "att_dim": 512}),
        ],
    )
    def test_the_flat_form_of_earlier_folders(self, flat: dict[str, Any], attention: dict[str, Any]) -> None:
        """Catches an old model folder from which another attention is built than the trained one."""
        assert Architecture.from_dict({"hid_dim": 512} | flat).attention == attention

    def test_heads_in_the_flat_form_need_the_additive_score(self) -> None:
        with pytest.raises(ValueError, match="heads=2 needs score=additive, got score=dot"):
            Architecture.from_dict({"heads": 2, "score": "dot"})

    @pytest.mark.parametrize(
        ("values", "message"),
        [
            ({"hid_dim": "8"}, "hid_dim='8': Input should be a valid integer"),
            ({"bidirectional": 1}, "bidirectional=1: Input should be a valid boolean"),
            ({"beam_size": 5}, "beam_size=5: a model has no such setting"),
            ({"attention": "additive"}, "attention='additive': Input should be a valid "),
        ],
    )
    def test_values_of_another_type_and_unknown_keys_are_named(self, values: dict[str, Any], message: str) -> None:
        """Catches a config.json with mistakes, or of another program, that is accepted."""
        with pytest.raises(ValueError, match=re.escape(message)):
            Architecture.from_dict(values)


def test_describing_a_model_draws_no_random_numbers() -> None:
    """Catches a check that builds the attention and so changes the random numbers of a later model."""
    before = torch.get_rng_state()
    Architecture()
    assert torch.equal(torch.get_rng_state(), before)


def described(path: Path, **changes: Any) -> Architecture:
    return Architecture.from_dict(changes | yaml.safe_load(path.read_text(encoding="utf-8")))


@pytest.mark.parametrize("path", GROUP, ids=lambda path: path.stem)
class TestGroupOptions:
    def test_it_describes_a_model_that_can_be_built_at_full_size(self, path: Path) -> None:
        """Catches an option of the group that no default run uses, and that cannot be built at full size."""
        with torch.device("meta"):
            model = build(described(path), 8000, 8000)
        assert {parameter.device.type for parameter in model.parameters()} == {"meta"}

    def test_it_trains_and_translates(self, path: Path) -> None:
        """Catches an option whose model can be built but not trained or used."""
        torch.manual_seed(1)
        small = described(path, emb_dim=8, enc_dim=16, hid_dim=16, readout_dim=8, attended_dim=8)
        model = build(small, 20, 12).train()
        optimizer = torch.optim.Adam(model.parameters(), 1e-2)
        (src, src_len), tgt = sentences(LENGTHS), targets(3, 5)
        losses = []
        for _ in range(10):
            optimizer.zero_grad()
            logits, _ = model(src, src_len, tgt[:, :-1])
            loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), tgt[:, 1:].flatten())
            loss.backward()
            optimizer.step()
            losses.append(float(loss.detach()))
        assert losses[-1] < losses[0]
        for length, hypothesis in zip(LENGTHS, greedy(model.eval(), src, src_len, BOS, EOS, max_len=4), strict=True):
            assert hypothesis.attention.size(1) == length
            torch.testing.assert_close(hypothesis.attention.sum(1), torch.ones(len(hypothesis.attention)))


def test_every_score_of_heed_is_an_option_of_the_group() -> None:
    """Catches a score that no command can choose, and an option that the tests above leave out."""
    own = {name for name, score in SCORES.items() if score.__module__ == "heed.models.attention"}
    assert {described(path).attention["score"] for path in GROUP} == own
