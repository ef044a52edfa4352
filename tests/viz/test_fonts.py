import json
import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from fontTools.fontBuilder import FontBuilder  # type: ignore[import-untyped]
from fontTools.ttLib.tables._g_l_y_f import Glyph  # type: ignore[import-untyped]
from matplotlib import font_manager

from heed.viz import fonts
from heed.viz.fonts import BASE, LAST_RESORT, families, readable, script

# Scripts that matplotlib's own fonts do not cover. Tests must not depend on other fonts of the machine.
WORDS = {"Chinese, Japanese and Korean": "我喜欢", "Devanagari": "हिन्दी", "Thai": "ภาษา", "emoji": "🥨"}


@pytest.fixture(autouse=True)
def bare_machine(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A machine with no fonts but matplotlib's own."""
    own = Path(font_manager.__file__).parent
    bundled = [entry for entry in font_manager.fontManager.ttflist if own in Path(entry.fname).parents]
    monkeypatch.setattr(font_manager.fontManager, "ttflist", bundled)
    monkeypatch.setattr(fonts, "findSystemFonts", list)
    monkeypatch.setattr(fonts, "_warned", set())
    fonts._families.cache_clear()
    fonts._add_new_fonts.cache_clear()
    yield
    fonts._families.cache_clear()
    fonts._add_new_fonts.cache_clear()


def make_font(path: Path, family: str, chars: str) -> Path:
    """A real font in which each of the characters is the same blank glyph."""
    builder = FontBuilder(1000, isTTF=True)
    names = [".notdef", *(f"uni{ord(char):04X}" for char in chars)]
    builder.setupGlyphOrder(names)
    builder.setupCharacterMap({ord(char): name for char, name in zip(chars, names[1:], strict=True)})
    builder.setupGlyf({name: Glyph() for name in names})
    builder.setupHorizontalMetrics(dict.fromkeys(names, (600, 0)))
    builder.setupHorizontalHeader(ascent=800, descent=-200)
    builder.setupNameTable({"familyName": family, "styleName": "Regular"})
    builder.setupOS2(sTypoAscender=800, usWinAscent=800, usWinDescent=200)
    builder.setupPost()
    builder.save(path)
    return path


def install(folder: Path, family: str, chars: str) -> None:
    font_manager.fontManager.addfont(make_font(folder / f"{family}.ttf", family, chars))


def test_european_and_semitic_scripts_need_no_other_font(caplog: pytest.LogCaptureFixture) -> None:
    assert families(["chat", "où?", "Ωμέγα", "кошка", "العربية", "שלום", "Việt", "a\u0301", "→"]) == [BASE, LAST_RESORT]
    assert not caplog.records


@pytest.mark.parametrize(("name", "word"), WORDS.items())
def test_scripts_are_named_as_people_do(name: str, word: str) -> None:
    assert {script(char) for char in word} == {name}


def test_scripts_of_marks_and_strange_characters() -> None:
    assert {script(char) for char in "。「！ひカ한"} == {"Chinese, Japanese and Korean"}
    assert script("\ue000") == "U+E000"


@pytest.mark.parametrize(
    ("name", "package"),
    [
        ("Chinese, Japanese and Korean", "fonts-noto-cjk"),
        ("Devanagari", "fonts-noto-core"),
        ("Thai", "fonts-noto-core"),
        ("emoji", "fonts-symbola"),
    ],
)
def test_a_script_without_a_font_is_named_once_with_what_to_install(
    name: str, package: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Catches boxes without a warning, and a warning for every character or every picture."""
    with caplog.at_level(logging.WARNING):
        assert families([WORDS[name]]) == [BASE, LAST_RESORT]
        assert families([WORDS[name], "chat"]) == [BASE, LAST_RESORT]
        assert families([WORDS[name][0]]) == [BASE, LAST_RESORT]
    assert len(caplog.messages) == 1
    assert f"shows {name} characters" in caplog.messages[0]
    assert caplog.messages[0].endswith(f"apt-get install {package}")


def test_what_no_font_shows_is_named_in_the_picture() -> None:
    """Catches boxes, which look the same for all characters, and names instead of characters that can be shown."""
    assert readable(["chat", "猫好a", "a猫", "नमस्ते", "où?"]) == ["chat", "[CJK]a", "a[CJK]", "[Devanagari]", "où?"]


def test_each_script_has_its_own_warning(caplog: pytest.LogCaptureFixture) -> None:
    families(WORDS.values())
    assert len(caplog.messages) == len(WORDS)


def test_joiners_and_selectors_need_no_glyph(caplog: pytest.LogCaptureFixture) -> None:
    """Catches warnings about characters that nobody sees, as inside emoji and Persian words."""
    assert families(["a\N{ZERO WIDTH JOINER}b\ufe0f\u00ad\u202e\t"]) == [BASE, LAST_RESORT]
    assert not caplog.records


def test_an_installed_font_fills_the_gap(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    install(tmp_path, "Han Test", "我喜欢")
    assert families(["我", "chat"]) == [BASE, "Han Test", LAST_RESORT]
    assert not caplog.records


def test_the_font_that_covers_most_comes_first(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Catches a sentence drawn in two fonts although one font covers it."""
    install(tmp_path, "A Few", "我")
    install(tmp_path, "Most", "我喜")
    install(tmp_path, "Rare", "欢")
    assert families(["我喜"]) == [BASE, "Most", LAST_RESORT]
    assert families(["我喜欢"]) == [BASE, "Most", "Rare", LAST_RESORT]
    assert not caplog.records


def test_han_is_drawn_as_the_language_draws_it(tmp_path: Path) -> None:
    """Catches Japanese shapes in Chinese sentences; the same code points look different."""
    for region in ("JP", "KR", "SC"):
        install(tmp_path, f"Noto Sans CJK {region}", "直接の한")
    install(tmp_path, "A Serif", "直接の한")
    assert families(["直接"])[1] == "Noto Sans CJK SC"
    assert families(["直の"])[1] == "Noto Sans CJK JP"
    assert families(["直한"])[1] == "Noto Sans CJK KR"


def test_a_font_installed_after_matplotlib_listed_the_fonts_is_found(tmp_path: Path) -> None:
    """Catches an installed font that is not used because matplotlib reads its older list of fonts from disk."""
    code = "from heed.viz.fonts import families; import json; print(json.dumps(families(['\\U0010abcd'])))"
    config, data = tmp_path / "config", tmp_path / "data"
    (data / "fonts").mkdir(parents=True)
    env = {**os.environ, "MPLCONFIGDIR": str(config), "XDG_DATA_HOME": str(data)}

    def start() -> tuple[list[str], str]:
        result = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True)
        return json.loads(result.stdout), result.stderr

    before, warning = start()
    assert before == [BASE, LAST_RESORT]
    assert "U+10ABCD" in warning
    assert list(config.glob("fontlist*.json")), "matplotlib has written its list"
    make_font(data / "fonts" / "new.ttf", "New Font", "\U0010abcd")
    after, warning = start()
    assert after == [BASE, "New Font", LAST_RESORT]
    assert "U+10ABCD" not in warning


def test_a_broken_font_file_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "broken.ttf").write_bytes(b"no font at all")
    good = make_font(tmp_path / "good.ttf", "Good", "我")
    monkeypatch.setattr(fonts, "findSystemFonts", lambda: [str(tmp_path / "broken.ttf"), str(good)])
    assert families(["我"]) == [BASE, "Good", LAST_RESORT]


def test_a_font_that_was_removed_is_passed_over(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Catches a font that is used because it is in matplotlib's list, although its file was removed."""
    install(tmp_path, "Gone", "我")
    (tmp_path / "Gone.ttf").unlink()
    assert families(["我"]) == [BASE, LAST_RESORT]
    assert len(caplog.messages) == 1
