"""Join JavaScript modules of this package into one, for pages that are a single file."""

import posixpath
import re
from collections.abc import Iterator
from importlib.resources import files

IMPORT = re.compile(r'^import \{[^}]*\} from "(\.{1,2}/[a-z0-9_/.]+\.mjs)";\n', re.MULTILINE)
EXPORT = re.compile(r"^export (?=(?:async )?(?:function|class|const|let)\b)", re.MULTILINE)
OTHER = re.compile(r"^(?:import|export)\b.*", re.MULTILINE)
COMMENT = re.compile(r"^[ ]*(?://[^\n]*|/\*\*.*?\*/)\n", re.MULTILINE | re.DOTALL)


def read_part(name: str) -> str:
    """Read a file that pages are made from.

    Args:
        name: The name of a file in heed/viz/web, or a path in the package, such as "export/web/app.mjs".
    """
    return files("heed").joinpath(name if "/" in name else f"viz/web/{name}").read_text(encoding="utf-8")


def join_modules(name: str) -> str:
    """Join a module and all its imports, each once and before the modules that need it, into one module.

    They share one scope, so two modules must not have the same top-level name. Comments on their own lines are removed.

    Args:
        name: The file's name, as for `read_part`.

    Raises:
        ValueError: An import or export does not have the form `import { a } from "./b.mjs";` or `export const a`.
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
