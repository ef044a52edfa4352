"""Read tab-separated tables of sentence pairs, written by hand or by spreadsheets."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from heed.data.lines import existing, read_lines
from heed.errors import UserError

Column = int | str
"""A column: its number, from 1, or its name in the header."""

NAMES = {
    "ar": ("arabic", "العربية"),
    "cs": ("czech", "čeština"),
    "de": ("german", "deutsch"),
    "en": ("english",),
    "es": ("spanish", "español"),
    "fa": ("persian", "farsi", "فارسی"),
    "fi": ("finnish", "suomi"),
    "fr": ("french", "français"),
    "he": ("hebrew", "עברית"),
    "hi": ("hindi", "हिन्दी"),
    "it": ("italian", "italiano"),
    "ja": ("japanese", "日本語"),
    "ko": ("korean", "한국어"),
    "lo": ("lao", "ລາວ"),
    "nl": ("dutch", "nederlands"),
    "pl": ("polish", "polski"),
    "pt": ("portuguese", "português"),
    "ru": ("russian", "русский"),
    "si": ("sinhala", "sinhalese", "සිංහල"),
    "sv": ("swedish", "svenska"),
    "th": ("thai", "ไทย"),
    "tr": ("turkish", "türkçe"),
    "uk": ("ukrainian", "українська"),
    "vi": ("vietnamese", "tiếng việt"),
    "zh": ("chinese", "中文"),
}
"""Names of languages in a header, besides their codes."""

ROLES = (("src", "source", "source_text", "src_text"), ("tgt", "target", "trg", "target_text", "translation"))


class Table(NamedTuple):
    """The two columns of a file, and notes on what was left out."""

    src: list[str]
    tgt: list[str]
    notes: list[str]


def read_table(path: str, src_lang: str, tgt_lang: str, columns: Sequence[Column] | None) -> Table:
    """Read the columns `columns`, or those that a header names by language, or the only two columns.

    A header row, the quotes of a spreadsheet and blank lines at the end are left out, with a note. Blank lines
    elsewhere are errors, like any row with too few columns.

    Raises:
        UserError: a column does not exist; the message has the number of the row.
    """
    file = existing(path)
    lines = read_lines(file)
    rows = [line.split("\t") for line in lines]
    notes = []
    while rows and not "".join(rows[-1]).strip():
        rows.pop()
    if len(rows) < len(lines):
        notes.append(f"{file}: {_count(len(lines) - len(rows), 'blank line')} at the end were left out")
    if _is_quoted(rows):
        rows = [[_unquoted(cell) for cell in row] for row in rows]
        notes.append(f"{file}: the quotes around cells, written by a spreadsheet, were left out")
    header = _header(rows, src_lang, tgt_lang, columns)
    if header:
        notes.append(f"{file}: the first row is a header ({', '.join(rows[0])}) and was left out")
    chosen = _chosen(file, rows, header, columns)
    body = list(enumerate(rows, start=1))[1 if header else 0 :]
    src, tgt = ([_cell(file, number, row, column) for number, row in body] for column in chosen)
    return Table(src, tgt, notes)


def _is_quoted(rows: Sequence[Sequence[str]]) -> bool:
    """Whether the quotes in the file were written by a spreadsheet.

    If so, every cell that contains a quote is quoted as a whole, with its inner quotes doubled, and there are either
    inner quotes, or all cells are quoted. Quoted speech in a corpus does not follow these rules in all lines.
    """
    cells = [cell for row in rows for cell in row]
    marked = [cell for cell in cells if '"' in cell]
    if not marked or not all(_is_whole(cell) for cell in marked):
        return False
    return len(marked) == len(cells) or any('""' in cell[1:-1] for cell in marked)


def _is_whole(cell: str) -> bool:
    return len(cell) > 1 and cell[0] == cell[-1] == '"' and '"' not in cell[1:-1].replace('""', "")


def _unquoted(cell: str) -> str:
    return cell[1:-1].replace('""', '"') if _is_whole(cell) else cell


def _header(
    rows: Sequence[Sequence[str]], src_lang: str, tgt_lang: str, columns: Sequence[Column] | None
) -> dict[str, int]:
    """The index of each column by its name, and those of the sides as `<src>` and `<tgt>`; empty without a header."""
    if not rows:
        return {}
    names = [cell.strip() for cell in rows[0]]
    places = {name: place for place, name in reversed(list(enumerate(names)))}
    src, tgt = (
        next((place for place, name in enumerate(names) if name.casefold() in _called(lang, role)), None)
        for lang, role in ((src_lang, ROLES[0]), (tgt_lang, ROLES[1]))
    )
    if src is not None and tgt is not None and src != tgt:
        return {**places, "<src>": src, "<tgt>": tgt}
    named = [column for column in columns or () if isinstance(column, str)]
    return places if named and all(name in places for name in named) else {}


def _called(lang: str, role: tuple[str, ...]) -> set[str]:
    code = lang.casefold()
    return {code, *role, *NAMES.get(code.replace("_", "-").partition("-")[0], ())}


def _chosen(
    file: Path, rows: Sequence[Sequence[str]], header: dict[str, int], columns: Sequence[Column] | None
) -> tuple[int, int]:
    """The indices of the source and target columns."""
    if columns is not None:
        src, tgt = (_place(file, rows, header, column) for column in columns)
        if src == tgt:
            raise UserError(f"corpus.columns=[{','.join(map(str, columns))}] is one column of {file}; name two")
        return src, tgt
    if "<src>" in header:
        return header["<src>"], header["<tgt>"]
    for number, row in enumerate(rows, start=1):
        if len(row) != 2:
            expected = "expected 2 (source, tab, target)"
            raise UserError(f"{file} line {number} has {_count(len(row), 'column')}, {expected}; {_advice(row, rows)}")
    return 0, 1


def _advice(row: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """What to do about a row that has not two columns."""
    if len(row) > 2:
        return "choose two with corpus.columns=[1,2]"
    if row[0].startswith('"') and row[0].count('"') % 2:
        return "its cell goes on in the next line; put the text of each cell on one line"
    if all(len(one) == 1 for one in rows) and any(sign in row[0] for sign in ",;"):
        return "if commas or semicolons stand between its columns, save it as tab-separated text"
    return "remove the line, or put a tab"


def _place(file: Path, rows: Sequence[Sequence[str]], header: dict[str, int], column: Column) -> int:
    if isinstance(column, str):
        if column not in header:
            there = ", ".join(rows[0]) if rows else "nothing"
            raise UserError(f"{file} has no column {column}; its first line is {there}; give corpus.columns by number")
        return header[column]
    if column < 1:
        raise UserError(f"corpus.columns={column}: columns are counted from 1")
    return column - 1


def _cell(file: Path, number: int, row: Sequence[str], column: int) -> str:
    if column >= len(row):
        raise UserError(f"{file} line {number} has {_count(len(row), 'column')}, but column {column + 1} is needed")
    return row[column]


def _count(number: int, thing: str) -> str:
    return f"{number} {thing}" + ("" if number == 1 else "s")
