"""The bodies of requests and answers, which define the OpenAPI document."""

import math
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from heed.maps import Level, Symmetrisation


def _whole(text: str) -> str:
    """Refuse a string that JSON allows but that is not valid UTF-8."""
    if any("\ud800" <= sign <= "\udfff" for sign in text):
        raise ValueError("has half of a surrogate pair")
    return text


def _is_lines(value: object) -> object:
    """Refuse anything but lines, before pydantic reports an error for each member of the union."""
    given = value if isinstance(value, list) else [value]
    lines = [_whole(line) for line in given if isinstance(line, str)]
    if not lines or len(lines) < len(given):
        raise ValueError("expected a sentence, or a list of one or more")
    return value


def _is_setting(value: object) -> object:
    """The same for the value of a setting."""
    if isinstance(value, str):
        return _whole(value)
    if not isinstance(value, bool | int | float | None) or (isinstance(value, float) and not math.isfinite(value)):
        raise ValueError("expected a finite number, a name, true, false or null")
    return value


Text = Annotated[str, AfterValidator(_whole)]
Name = Annotated[Text, Field(max_length=200)]
Lines = Annotated[Text | Annotated[list[Text], Field(min_length=1)], BeforeValidator(_is_lines)]
Setting = Annotated[bool | int | float | Name | None, BeforeValidator(_is_setting)]
Count = Annotated[int, Field(ge=1)]


class Asked(BaseModel):
    """Base of all bodies; refuses unknown keys, strings such as "3" for numbers, and numbers that are not finite."""

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)


class Translate(Asked):
    """Sentences to translate."""

    text: Annotated[Lines, Field(description="one sentence, or several", examples=[["a dog barks", "a cat"]])]
    model: Annotated[Name | None, Field(description="its name; null: the first that GET /model lists")] = None
    search: Annotated[Name, Field(description="greedy, beam, sample or mbr")] = "greedy"
    n_best: Annotated[Count | None, Field(description="translations of each sentence; null: all of the search")] = 1
    settings: Annotated[
        dict[Name, Setting],
        Field(description="settings of the search, such as beam_size", examples=[{}], max_length=20),
    ] = {}
    prefix: Annotated[Lines | None, Field(description="how translations begin: one for all, or one for each")] = None
    attention: Annotated[bool, Field(description="also return words, attention and alignment")] = False
    level: Annotated[Level, Field(description="the unit of the attention: a word, or a piece (subword)")] = "word"


class Align(Asked):
    """Translations to align with their sources."""

    sources: Annotated[Lines, Field(examples=["a dog barks"])]
    targets: Annotated[Lines, Field(description="the translation of each", examples=["un chien aboie"])]
    model: Annotated[Name | None, Field(description="its name; null: the first that GET /model lists")] = None
    threshold: Annotated[
        Annotated[float, Field(gt=0, le=1)] | None,
        Field(description="link all pairs with at least this weight; null: the largest weight of each target word"),
    ] = None
    level: Level = "word"
    reverse: Annotated[Name | None, Field(description="a model of the other direction, to combine both")] = None
    symmetrisation: Symmetrisation = "agreement"
    attention: Annotated[bool, Field(description="also return the attention")] = False


class Score(Asked):
    """Translations to score."""

    sources: Annotated[Lines, Field(examples=["a dog barks"])]
    targets: Annotated[Lines, Field(description="the translation of each", examples=["un chien aboie"])]
    model: Annotated[Name | None, Field(description="its name; null: the first that GET /model lists")] = None


class NextWords(Asked):
    """A translation to continue."""

    text: Annotated[Text, Field(description="one sentence", examples=["a dog barks"])]
    prefix: Annotated[Text, Field(description="the beginning of its translation, in whole words", examples=["un"])] = ""
    model: Annotated[Name | None, Field(description="its name; null: the first that GET /model lists")] = None
    count: Annotated[Count, Field(description="the largest number of words")] = 8
    level: Annotated[Level, Field(description="piece: each alternative is one subword")] = "word"


class Candidate(BaseModel):
    """A translation; the last five values are null unless attention was requested."""

    text: str
    score: Annotated[
        float,
        Field(description="log-probability in nats, normalised by length in beam search; expected utility with mbr"),
    ]
    finished: Annotated[bool, Field(description="whether the model ended it; if not, it was cut at the maximum length")]
    source_words: list[str] | None
    words: list[str] | None
    attention: Annotated[list[list[float]] | None, Field(description="rows are words, columns are source words")]
    alignment: Annotated[list[tuple[int, int]] | None, Field(description="source word, word; counted from 0")]
    unknown: Annotated[
        list[int] | None, Field(description="source words with characters that the vocabulary lacks; counted from 0")
    ]


class Translated(Candidate):
    """The best translation of a sentence, and the requested others, best first."""

    others: list[Candidate]


class Translations(BaseModel):
    """Answer of /translate, in the order of the sentences."""

    model: str
    translations: list[Translated]


class Aligned(BaseModel):
    """A pair of sentences and its links."""

    source_words: list[str]
    target_words: list[str]
    links: Annotated[list[tuple[int, int]], Field(description="source word, target word; counted from 0")]
    attention: list[list[float]] | None


class Alignments(BaseModel):
    """Answer of /align, in the order of the pairs."""

    model: str
    pairs: list[Aligned]


class Scores(BaseModel):
    """Answer of /score, in the order of the pairs."""

    model: str
    scores: Annotated[list[float], Field(description="log-probability of each target in nats")]


class Alternative(BaseModel):
    """A word, and the joint probability of its subwords after the prefix."""

    word: Annotated[str | None, Field(description="null: the translation could end here")]
    probability: float


class Alternatives(BaseModel):
    """Answer of /alternatives, the most probable first; empty for a sentence without words."""

    model: str
    alternatives: list[Alternative]


class Model(BaseModel):
    """A model that is served."""

    name: str
    src_lang: str
    tgt_lang: str
    parameters: int
    members: Annotated[int, Field(description="models whose probabilities are averaged")]
    src_vocab: int
    tgt_vocab: int
    device: str
    precision: str
    architecture: Mapping[str, Any]
    valid: Annotated[Mapping[str, float], Field(description="its scores on its validation split")]


class Models(BaseModel):
    """Answer of GET /model; the first is the default."""

    heed: Annotated[str, Field(description="version")]
    models: list[Model]
    limits: Mapping[str, float]


class Health(BaseModel):
    """Answer of GET /health."""

    status: str


class Error(BaseModel):
    """Answer to a request that failed: one line."""

    error: str
