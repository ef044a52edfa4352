"""The alignment benchmark writes text with the same words as its gold alignments."""

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

PATH = Path(__file__).parents[2] / "benchmarks" / "alignment" / "text.py"


@pytest.fixture(scope="module")
def text() -> ModuleType:
    spec = importlib.util.spec_from_file_location("alignment_text", PATH)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("tokens", "expected"),
    [
        ("L' homme qu' il aime va au marché .", "le homme que il aime va à le marché ."),
        ("C' est l' ami des enfants du roi .", "ce est le ami de les enfants de le roi ."),
        ("Est-il là-bas ? Y a-t-il du pain ?", "est - il là - bas ? y a il de le pain ?"),
        ("au-dessus de l' eau aujourd' hui", "au - dessus de le eau aujourd' hui"),
    ],
)
def test_french_contractions_are_written_out(text: ModuleType, tokens: str, expected: str) -> None:
    """Catches words that the gold text does not have, and articles written out within a compound."""
    assert text.french(tokens) == expected


@pytest.mark.parametrize(
    ("tokens", "expected"),
    [
        ("I 'm sure you don 't .", "i am sure you do not ."),
        ("We won 't ; you can 't .", "we will not ; you cannot ."),
        ("They 've got Tom 's well-known boat .", "they have got tom 's well - known boat ."),
    ],
)
def test_english_contractions_are_written_out(text: ModuleType, tokens: str, expected: str) -> None:
    """Catches a possessive mistaken for a verb, and *won* and *can* left as stems."""
    assert text.english(tokens) == expected
