"""Code and tables that a step is made of, from the text of its imports: nothing is imported, no package is needed.

``python prerequisites.py ROOT...`` prints ``<name>:=<file>|<file>|...`` for every root: a notebook (its path; the name
is its stem) or a module that is run (its dotted name). The Makefile makes prerequisites of these lines.

A module counts with all that it imports, in functions too; imports for type checkers do not count. A package counts by
name: ``from package import name`` and ``package.name`` lead through its ``__init__.py``, which counts itself, to the
file that defines the name, not to its siblings. All that an ``__init__.py`` imports counts where the package is passed
on whole or the name is its own. Packages are ``<name>/``, ``<name>/<name>/`` and ``<name>/src/<name>/``.

A table of ``data/`` counts where its file name is a string of the code, a legend where its name is one; legends and
crosswalks also by the arguments of `read_legend` and `read_crosswalk`, where what only running tells may be anything.
"""

import ast
import gc
import json
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path

HERE = Path(__file__).resolve().parent
READERS = {"read_legend": ("legends/{0}.csv",), "read_crosswalk": ("crosswalks/{0}-to-{1}.csv", "legends/{1}.csv")}
REFERRING = {ast.Name, ast.Attribute, ast.Constant, ast.Call, ast.Import, ast.ImportFrom}

Dotted = tuple[str, ...]
Reference = tuple[Dotted, Dotted | None]  # a module and what of it: an attribute, () all of it, None its import only


@dataclass
class Text:
    """What the code of one file refers to."""

    bound: dict[str, set[tuple[Dotted, Dotted]]] = field(default_factory=dict)  # what a name stands for, by its import
    used: dict[str, set[Dotted]] = field(default_factory=dict)  # names of the code, with the attributes taken of them
    loaded: set[Reference] = field(default_factory=set)  # modules of plain imports, ``import a.b``
    tables: set[str] = field(default_factory=set)  # paths in data/ (* stands for anything), and names that may be files

    def references(self, unused: bool) -> set[Reference]:
        """What the names stand for that the code imports and uses; on demand also those that it does not use."""
        names = self.bound if unused else self.bound.keys() & self.used.keys()
        return self.loaded | {
            (module, first + more) for n in names for module, first in self.bound[n] for more in self.used.get(n, {()})
        }

    def add(self, node: ast.AST, package: Dotted) -> None:
        """Add what one node refers to; relative imports start from the package."""
        if isinstance(node, (ast.Name, ast.Attribute)):
            start, attributes = chain(node)
            if isinstance(start, ast.Name):
                self.used.setdefault(start.id, set()).add(attributes)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            if re.fullmatch(r"[\w.-]+", name := node.value.rpartition("/")[2]):
                self.tables |= {name, f"legends/{name}.csv"}
        elif isinstance(node, ast.Call):
            function = getattr(node.func, "id", getattr(node.func, "attr", ""))
            names = ["*", "*"] if node.keywords else [*map(pattern, node.args), "*", "*"]
            # A legend of any name is one of those that are strings of the code.
            self.tables |= {table.format(*names) for table in READERS.get(function, ())} - {"legends/*.csv"}
        elif isinstance(node, ast.Import):
            for alias in node.names:
                module = tuple(alias.name.split("."))
                self.loaded.add((module, None))
                target = module if alias.asname else module[:1]
                self.bound.setdefault(alias.asname or module[0], set()).add((target, ()))
        elif isinstance(node, ast.ImportFrom):
            module = package[: len(package) + 1 - node.level] if node.level else ()
            module += tuple(node.module.split(".")) if node.module else ()
            for alias in node.names:
                attributes = () if alias.name == "*" else (alias.name,)
                self.bound.setdefault(alias.asname or alias.name, set()).add((module, attributes))


def pattern(node: ast.AST) -> str:
    """The string that an expression gives, with ``*`` for what only running it would tell."""
    if isinstance(node, ast.JoinedStr):
        return "".join(map(pattern, node.values))
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        return pattern(node.left) + pattern(node.right)
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else "*"


def chain(node: ast.AST) -> tuple[ast.AST, Dotted]:
    """``a`` and ``(b, c)`` of the expression ``a.b.c``."""
    attributes: Dotted = ()
    while isinstance(node, ast.Attribute):
        attributes, node = (node.attr, *attributes), node.value
    return node, attributes


def examine(tree: ast.AST, package: Dotted = ()) -> Text:
    """What the code of a file refers to."""
    text, left = Text(), [tree]
    while left:
        node = left.pop()
        kind = type(node)
        if kind in REFERRING:
            text.add(node, package)
        if isinstance(node, ast.Attribute):
            start = chain(node)[0]
            left += [] if isinstance(start, ast.Name) else [start]
        elif isinstance(node, ast.If) and "TYPE_CHECKING" in (*chain(node.test)[1], getattr(node.test, "id", "")):
            left += node.orelse
        elif kind not in (ast.Name, ast.Constant):
            left += ast.iter_child_nodes(node)
    return text


@cache
def locate(module: Dotted) -> Path | None:
    """File of a module of the repository; None for any other."""
    folders: list[Path] = []
    if len(module) == 1:
        folders = [HERE, HERE / module[0], HERE / module[0] / "src"]
    elif (above := locate(module[:-1])) and above.name == "__init__.py":
        folders = [above.parent]
    found = [f / module[-1] / "__init__.py" for f in folders] + [f / f"{module[-1]}.py" for f in folders if f != HERE]
    return next((path for path in found if path.is_file()), None)


@cache
def read_module(module: Dotted, path: Path) -> Text:
    """Text of a module; raises ValueError, with file and line, if it is no Python."""
    try:
        return examine(ast.parse(path.read_bytes()), module if path.name == "__init__.py" else module[:-1])
    except SyntaxError as error:
        raise ValueError(f"{path.relative_to(HERE)}, line {error.lineno}: {error.msg}; correct it.") from None


def read_notebook(path: Path) -> Text:
    """Text of all cells of a notebook; raises ValueError, with cell and line, if one is no Python."""
    try:
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        sources = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{path}: no notebook ({type(error).__name__}: {error}); correct it.") from None
    tree = ast.Module(body=[], type_ignores=[])
    for number, source in enumerate(sources, 1):
        try:
            tree.body += ast.parse(re.sub(r"^(\s*)[%!].*", r"\1pass", source, flags=re.MULTILINE)).body  # magics
        except SyntaxError as error:
            raise ValueError(f"{path}, code cell {number}, line {error.lineno}: {error.msg}; correct it.") from None
    return examine(tree)


def collect(references: set[Reference]) -> dict[Path, Text]:
    """Files that references lead to, with their texts."""
    found: dict[Path, Text] = {}
    left, seen = list(references), set(references)
    while left:
        module, attributes = left.pop()
        path, more = None, set()
        for depth in range(1, len(module) + 1):  # an import executes the packages above a module, then itself
            path = locate(module[:depth])
            if path and path not in found:
                found[path] = read_module(module[:depth], path)
                more |= found[path].references(unused=path.name != "__init__.py")
        if path and path.name == "__init__.py" and attributes is not None:
            inside = module + attributes[:1]
            bound = found[path].bound.get(inside[-1], set()) - {(module, attributes[:1])} if attributes else set()
            if bound:
                more |= {(start, first + attributes[1:]) for start, first in bound}
            elif attributes and locate(inside):
                more.add((inside, attributes[1:]))
            else:
                more |= found[path].references(unused=True)
        left += more - seen
        seen |= more
    return found


def lines(roots: list[str]) -> Iterator[str]:
    """For each root its name and the files that it is made of, relative to the repository."""
    data = HERE / "data"
    tables = {path: path.relative_to(data).as_posix() for glob in ("*.*", "*/*.csv") for path in data.glob(glob)}
    for root in roots:
        notebook = root.endswith(".ipynb")
        text = read_notebook(Path(root)) if notebook else Text(loaded={(tuple(root.split(".")), None)})
        found = collect(text.references(unused=True))
        if not found and not notebook:
            raise ValueError(f"{root}: no module of this repository.")
        named = text.tables.union(*(one.tables for one in found.values())) - {"README.md"}
        composed = [name for name in named if "*" in name]
        files = set(found)
        for table, name in tables.items():
            if name in named or table.name in named or any(fnmatchcase(name, c) for c in composed):
                files.add(table)
        yield f"{Path(root).stem if notebook else root}:=" + "|".join(sorted(str(f.relative_to(HERE)) for f in files))


if __name__ == "__main__":
    gc.disable()  # a short process of many small objects
    try:
        print("\n".join(lines(sys.argv[1:])))
    except ValueError as fault:
        sys.exit(f"prerequisites: {fault}")
