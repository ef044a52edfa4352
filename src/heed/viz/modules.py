"""JavaScript modules of this package joined into one, for pages that are a single file."""

import posixpath
import re
from collections.abc import Iterator
from importlib.resources import files

IMPORT = re.compile(r'^import \{[^}]*\} from "(\.{1,2}/[a-z0-9_/.]+\.mjs)";\n', re.MULTILINE)
EXPORT = re.compile(r"^export (?=(?:async )?(?:function|class|const|let)\b)", re.MULTILINE)
OTHER = re.compile(r"^(?:import|export)\b.*", re.MULTILINE)
COMMENT = re.compile(r"^[ ]*(?://[^\n]*|/\*\*.*?\*/)\n", re.MULTILINE | re.DOTALL)


def read_part(name: str) -> str:
    """The text of a file that the pages are made from.

    Args:
        name: Its name in heed.viz's `web`, or its path in the package, such as "export/web/app.mjs".
    """
    return files("heed").joinpath(name if "/" in name else f"viz/web/{name}").read_text(encoding="utf-8")


def join_modules(name: str) -> str:
    """The module with all that it imports, each once and before those that need it, as the text of one module.

    All share one scope, so no two modules may have a top-level name in common. Comments that fill lines are left out.

    Args:
        name: The file's name, as for `read_part`.

    Raises:
        ValueError: An import or export is not of the form `import { a } from "./b.mjs";` or `export const a`.
    """
    return "".join(_plain(part) for part in _in_order(name, set()))


def _in_order(name: str, seen: set[str]) -> Iterator[str]:
    seen.add(name)
    for imported in IMPORT.findall(read_part(name)):
        other = posixpath.normpath(posixpath.join(posixpath.dirname(name), imported))
        if other not in seen:
            yield from _in_order(other, seen)
    yield name


def _plain(name: str) -> str:
    text = EXPORT.sub("", IMPORT.sub("", COMMENT.sub("", read_part(name))))
    if line := OTHER.search(text):
        raise ValueError(f'{name}: cannot join {line[0]!r}; write import {{ a }} from "./b.mjs"; or export const a')
    return text
