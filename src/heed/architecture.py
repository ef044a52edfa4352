"""The description of a model's sizes and choices, used by configs, by a model folder's config.json and by callers."""

import inspect
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, get_args, get_type_hints

import torch
from pydantic import ConfigDict, PydanticSchemaGenerationError, TypeAdapter, ValidationError
from torch import nn

from heed import extensions
from heed.models.attention import SCORES, Attn, Score, check_limits
from heed.models.decoder import Decoder, Query
from heed.models.dropout import Dropout
from heed.models.embedding import Embedding
from heed.models.encoder import Encoder
from heed.models.seq2seq import Seq2Seq, initialise

Tie = Literal["none", "decoder", "all"]
"""Which layers share one matrix: none; the decoder's embedding and the output layer; or these and the encoder's."""

MOST_LAYERS = 64
"""Far more than can be trained. Layers are built one by one, so without a limit a typing error would never end."""


@dataclass(frozen=True)
class Architecture:
    """Sizes and choices of a model, except its vocabularies.

    Args:
        emb_dim, hid_dim: sizes of the embeddings and of the decoder's state.
        enc_dim: the size of an encoder state, both directions together.
        attended_dim: the size of the vector that attention gives to the decoder's GRU.
        dropout: for the embeddings, between layers, and for the readout unless `readout_dropout` is set.
        enc_dropout: for the encoder states that attention reads; see `heed.models.dropout`.
        state_dropout: for the recurrent states.
        query: explained in `heed.models.decoder`.
        attend_end: if false, attention cannot attend to the end of the source.
        attention: `{"score": NAME}` and the settings of that score, such as `{"score": "additive", "att_dim": 512}`.

    Raises:
        ValueError: a value is out of range, or two values contradict each other; the message is one line.

    >>> small = Architecture(hid_dim=8, enc_dim=8, attention={"score": "dot"})
    >>> small.tie
    'none'
    """

    emb_dim: int = 256
    enc_dim: int = 512
    hid_dim: int = 512
    readout_dim: int = 512
    attended_dim: int = 512
    enc_layers: int = 1
    dec_layers: int = 1
    bidirectional: bool = True
    dropout: float = 0.2
    readout_dropout: float | None = None
    enc_dropout: float = 0.0
    state_dropout: float = 0.0
    variational: bool = False
    layer_norm: bool = False
    tie: Tie = "none"
    query: Query = "current"
    attend_end: bool = True
    attention: Mapping[str, Any] = field(default_factory=lambda: {"score": "additive", "att_dim": 512})

    def __post_init__(self) -> None:
        _check_sizes(self)
        _check_choices(self)
        _check_attention(self)

    @classmethod
    def from_dict(cls, mapping: Mapping[str, Any]) -> "Architecture":
        """An architecture from plain values, each of exactly the type of its field.

        Also reads formats of config.json before format 4, in which `score`, `att_dim`, `heads` and `positions` are
        keys beside the sizes.

        Raises:
            ValueError: a key is unknown, or a value has another type; the message is one line.

        >>> Architecture.from_dict({"score": "additive", "att_dim": 8, "heads": 2}).attention
        {'score': 'multi_head', 'att_dim': 8, 'heads': 2}
        """
        values, types = _nested(mapping), get_type_hints(cls)
        for name, value in values.items():
            if name not in types:
                raise ValueError(f"{name}={value!r}: a model has no such setting")
            _check_type(name, value, types[name])
        return cls(**values)

    def to_dict(self) -> dict[str, Any]:
        """The values as a dict that `from_dict` reads."""
        return asdict(self) | {"attention": dict(self.attention)}


def build(architecture: Architecture, src_vocab: int, tgt_vocab: int, pad_id: int = 0) -> Seq2Seq:
    """A new model with random weights, for vocabularies of these sizes in which `pad_id` is padding.

    Raises:
        ValueError: the vocabularies do not fit the architecture.

    >>> model = build(Architecture(hid_dim=8, enc_dim=8, attention={"score": "dot"}), src_vocab=20, tgt_vocab=12)
    >>> sum(parameter.numel() for parameter in model.decoder.attention.parameters())
    8704
    """
    a = architecture
    _check_vocabularies(a, src_vocab, tgt_vocab, pad_id)
    readout_dropout = a.dropout if a.readout_dropout is None else a.readout_dropout
    dropout = Dropout(a.dropout, a.enc_dropout, a.state_dropout, readout_dropout, a.variational)
    # random numbers are drawn in this order; with another order, the same seed gives another model
    src_embedding = Embedding(src_vocab, a.emb_dim, padding_idx=pad_id)
    tgt_embedding = src_embedding if a.tie == "all" else Embedding(tgt_vocab, a.emb_dim, padding_idx=pad_id)
    output = nn.Linear(a.readout_dim, tgt_vocab)
    if a.tie != "none":
        output.weight = tgt_embedding.weight
    attention = _attention(a)
    encoder = Encoder(src_embedding, a.enc_dim, a.enc_layers, a.bidirectional, dropout, a.layer_norm)
    decoder = Decoder(
        tgt_embedding, attention, output, a.enc_dim, a.hid_dim, a.dec_layers, dropout, a.layer_norm, a.query
    )
    model = Seq2Seq(encoder, decoder, a.attend_end)
    initialise(model, pad_id)
    return model


def _attention(a: Architecture) -> Attn:
    return Attn(a.hid_dim, a.enc_dim, None, a.enc_dim, a.attended_dim, _score(a))


def _score(a: Architecture) -> Score:
    settings = {name: value for name, value in a.attention.items() if name != "score"}
    return SCORES[a.attention["score"]](a.hid_dim, a.enc_dim, **settings)


def _check_sizes(a: Architecture) -> None:
    for name in ("emb_dim", "enc_dim", "hid_dim", "readout_dim", "attended_dim"):
        check_limits(name, getattr(a, name))
    for name in ("enc_layers", "dec_layers"):
        check_limits(name, getattr(a, name), MOST_LAYERS)
    if a.bidirectional and a.enc_dim % 2:
        raise ValueError(f"enc_dim must be even, because it is divided between two directions; got {a.enc_dim}")
    for name in ("dropout", "enc_dropout", "state_dropout", "readout_dropout"):
        share = getattr(a, name)
        if share is not None and not 0 <= share < 1:
            raise ValueError(f"{name} must be in [0, 1), got {share}")


def _check_choices(a: Architecture) -> None:
    for name, choices in (("tie", get_args(Tie)), ("query", get_args(Query))):
        if getattr(a, name) not in choices:
            raise ValueError(f"{name} must be one of {', '.join(choices)}, got {getattr(a, name)!r}")
    if a.query == "conditional" and a.dec_layers > 1:
        raise ValueError(f"query=conditional needs dec_layers=1, got {a.dec_layers}")
    if a.tie != "none" and a.emb_dim != a.readout_dim:
        raise ValueError(f"tie={a.tie} needs equal emb_dim and readout_dim, got {a.emb_dim} and {a.readout_dim}")


def _check_attention(a: Architecture) -> None:
    """Check the names and types of the attention's settings, then build the attention without using memory."""
    if "score" not in a.attention:
        raise ValueError(f"attention={dict(a.attention)} names no score; give attention.score")
    signature = score_settings(a.attention["score"])
    for name, value in a.attention.items():
        if name != "score" and name not in signature:
            own = ", ".join(signature) or "no settings"
            raise ValueError(f"attention.{name}={value!r}: the score {a.attention['score']!r} has {own}")
        if name != "score":
            _check_type(f"attention.{name}", value, signature[name].annotation)
    for name, parameter in signature.items():
        if parameter.default is parameter.empty and name not in a.attention:
            raise ValueError(f"attention.{name} has no value, which the score {a.attention['score']!r} needs")
    try:
        with torch.device("meta"):
            _attention(a)
    except ValueError as error:
        names_setting = str(error).partition(" ")[0].partition("=")[0] in signature
        raise ValueError(f"attention.{error}" if names_setting else str(error)) from error


def score_settings(score: object) -> dict[str, inspect.Parameter]:
    """The settings of a score: all arguments of its class after the sizes of query and key.

    Raises:
        ValueError: there is no such score; the message lists the names.
    """
    if score not in SCORES:
        extensions.load()
    if not isinstance(score, str) or score not in SCORES:
        raise ValueError(f"score must be one of {', '.join(SCORES)}, got {score!r}")
    try:
        signature = inspect.signature(SCORES[score], eval_str=True)
    except NameError:  # the annotation exists only for type checkers
        signature = inspect.signature(SCORES[score])
    return dict(list(signature.parameters.items())[2:])


def _check_type(name: str, value: object, annotation: Any) -> None:
    """Raise ValueError for a value of another type. An annotation that cannot be checked accepts everything."""
    if annotation is inspect.Parameter.empty or isinstance(annotation, str):
        return
    try:
        adapter: TypeAdapter[Any] = TypeAdapter(annotation, config=ConfigDict(strict=True))
    except PydanticSchemaGenerationError:
        return
    try:
        adapter.validate_python(value)
    except ValidationError as error:
        raise ValueError(f"{name}={value!r}: {error.errors()[0]['msg']}") from error


def _check_vocabularies(a: Architecture, src_vocab: int, tgt_vocab: int, pad_id: int) -> None:
    for name, size in (("src_vocab", src_vocab), ("tgt_vocab", tgt_vocab)):
        if size < 1:
            raise ValueError(f"{name} must be at least 1, got {size}")
    if not 0 <= pad_id < min(src_vocab, tgt_vocab):
        raise ValueError(f"pad_id must be in both vocabularies, got {pad_id} for {src_vocab} and {tgt_vocab} subwords")
    if a.tie == "all" and src_vocab != tgt_vocab:
        raise ValueError(
            f"tie=all needs one vocabulary, got {src_vocab} and {tgt_vocab} subwords: "
            "train the subwords jointly (subwords.joint=true)"
        )


FLAT = ("score", "att_dim", "heads", "positions")
"""Settings of attention that were keys beside the sizes before format 4."""


def _nested(mapping: Mapping[str, Any]) -> dict[str, Any]:
    """The values of an old format, with the attention's settings moved below `attention` and unused ones dropped."""
    values = {name: value for name, value in mapping.items() if name not in FLAT}
    flat = {name: value for name, value in mapping.items() if name in FLAT}
    if not flat or "attention" in values:
        return dict(mapping)
    score, heads = flat.pop("score", "additive"), flat.get("heads", 1)
    if heads != 1:
        if score not in ("additive", "multi_head"):
            raise ValueError(f"heads={heads} needs score=additive, got score={score}")
        score = "multi_head"
    own = score_settings(score)
    return values | {"attention": {"score": score} | {name: value for name, value in flat.items() if name in own}}
