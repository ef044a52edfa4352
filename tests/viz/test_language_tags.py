import pytest

from heed.viz.language_tags import SHORTEST, language_tag


@pytest.mark.parametrize(
    ("code", "tag"),
    [
        ("en", "en"),
        ("fra", "fr"),
        ("ger", "de"),
        ("zho_Hans", "zh-Hans"),
        ("zh_tw", "zh-TW"),
        ("zh-hant-hk", "zh-Hant-HK"),
        ("es_419", "es-419"),
        ("en_US.UTF-8", "en-US"),
        ("nan", "nan"),
        (" JA ", "ja"),
    ],
)
def test_usual_spellings_become_a_tag(code: str, tag: str) -> None:
    """Catches a code that a browser does not know: it would choose the wrong letter shapes and the wrong voice."""
    assert language_tag(code) == tag


@pytest.mark.parametrize("code", [None, "", "cn", "jp", "src"])
def test_what_is_not_a_language_has_no_tag_or_is_one_of_three_letters(code: str | None) -> None:
    """Catches a country's code mistaken for a language's. Three letters may be any of 7,000 languages."""
    assert language_tag(code) == (code if code == "src" else None)


@pytest.mark.parametrize("code", ["english", "en fr", '"><b>', "x", "e1", "a" * 1000])
def test_other_texts_have_no_tag(code: str) -> None:
    assert language_tag(code) is None


def test_every_code_of_two_letters_is_its_own_tag() -> None:
    two = [code for code in SHORTEST if len(code) == 2]
    assert len(two) == 184
    assert [language_tag(code) for code in two] == two
    assert len(SHORTEST) == 184 * 2 + 20
