"""Language codes in the forms that people and corpora use."""

import pytest

from heed.metrics.languages import SPACELESS, language, script


@pytest.mark.parametrize(
    ("codes", "expected"),
    [
        ("zh zho chi cmn ZH zh_CN zh-TW zh-Hans-CN zho_Hans zho_Hant cn CN cn_Hans", "zh"),
        ("ja jpn jp JP ja_JP jpn_Jpan ja_JP.UTF-8", "ja"),
        ("pt por pt_BR pt-BR", "pt"),
        ("fa per fas pes fa_IR", "fa"),
        ("he iw heb", "he"),
        ("de ger deu deu_Latn de_AT@euro", "de"),
        ("cs cz cze ces", "cs"),
        ("uk ua ukr", "uk"),
    ],
)
def test_one_language_has_one_code(codes: str, expected: str) -> None:
    """Catches forms that are not known: ISO 639-2 and -3, BCP 47, FLORES, locales, country codes used for languages."""
    assert {language(code) for code in codes.split()} == {expected}


@pytest.mark.parametrize("code", ["zho_Hans", "cn", "yue", "nan", "lzh", "jp", "tha_Thai", "lao", "khm", "mya", "bod"])
def test_languages_without_spaces_are_known_by_their_script(code: str) -> None:
    """Catches a table that lacks related languages: a sentence of Cantonese would be scored as one word."""
    assert script(code) in SPACELESS


@pytest.mark.parametrize("code", ["ko", "vi", "zh-Latn", "en_US", "hi", "ar"])
def test_languages_with_spaces_are_scored_by_words(code: str) -> None:
    """Catches text with spaces, such as pinyin, that is scored by characters."""
    assert script(code) not in SPACELESS


@pytest.mark.parametrize("code", ["", " ", "target", "xx", "zz", "english", "??", "a-b-c-d-e-f-g-h"])
def test_what_is_not_a_code_is_not_a_language(code: str) -> None:
    """Catches an exception for text that is not a code, and an unknown language taken for English."""
    assert language(code) != "en"
    assert script(code) not in SPACELESS
