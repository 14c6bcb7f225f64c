"""What notebooks import when they run: ``python tests/loaded.py NOTEBOOK...`` prints JSON, by notebook.

Under ``loaded`` the files of the repository that Python loads for the notebook's imports, lazy ones in functions too;
under ``used`` the files that define what the notebook uses, and what the code of these objects uses: names are looked
up in the objects themselves. The counterpart of prerequisites.py, which only reads text.
"""

import ast
import dis
import functools
import json
import os
import re
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import Any

import cartopy.crs
import matplotlib.pyplot
import onnx
import onnxruntime
import pandas
import pydantic
import rasterio
import sklearn.ensemble
import torch
import xarray
import xgboost

ROOT = Path(__file__).resolve().parent.parent
SLOW = (
    cartopy,
    matplotlib,
    onnx,
    onnxruntime,
    pandas,
    pydantic,
    rasterio,
    sklearn,
    torch,
    xarray,
    xgboost,
)  # loaded once


def file_of(module: ModuleType | None) -> str | None:
    """Path of a module in the repository, relative to it; None for any other module."""
    path = getattr(module, "__file__", None)
    inside = path and Path(path).is_relative_to(ROOT) and ".venv" not in Path(path).parts
    return Path(path).relative_to(ROOT).as_posix() if path and inside else None


def codes(code: CodeType) -> Iterator[CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from codes(constant)


def looked_up(function: FunctionType) -> Iterator[Any]:
    """Objects behind the global names in a function; of modules, the attributes that are taken of them."""
    for code in codes(function.__code__):
        value = None
        for step in dis.get_instructions(code):
            if step.opname == "LOAD_GLOBAL":
                value = function.__globals__.get(step.argval)
            elif step.opname in ("LOAD_ATTR", "LOAD_METHOD") and isinstance(value, ModuleType):
                value = getattr(value, step.argval, None)
            else:
                value = None
            if not isinstance(value, ModuleType):
                yield value


def parts(value: Any) -> Iterator[Any]:
    """Objects that an object is made of."""
    if isinstance(value, FunctionType):
        yield from looked_up(value)
        yield from value.__defaults__ or ()
    elif isinstance(value, type):
        yield from value.__mro__[1:]
        yield from vars(value).values()
    elif isinstance(value, functools.partial):
        yield from (value.func, *value.args, *value.keywords.values())
    elif isinstance(value, dict):
        yield from value.values()
    elif isinstance(value, list | tuple | set | frozenset):
        yield from value
    else:
        yield from (getattr(value, name, None) for name in ("__wrapped__", "__func__", "fget", "func"))


def used(starts: list[Any]) -> set[str]:
    """Files that define the functions and classes that objects lead to."""
    files, seen, left = set(), set(), list(starts)
    while left:
        value = left.pop()
        if value is None or id(value) in seen:
            continue
        seen.add(id(value))
        if isinstance(value, FunctionType | type):
            file = file_of(sys.modules.get(value.__module__))
            if file is None:
                continue
            files.add(file)
        left += parts(value)
    return files


def load_lazy() -> None:
    """Import what functions of loaded modules import when they are called."""
    before = 0
    while before != len(sys.modules):
        before = len(sys.modules)
        files = list(filter(None, map(file_of, [*sys.modules.values()])))
        packages = "|".join({file.split("/")[0] for file in files if "/" in file})
        for file in files:
            for name in re.findall(
                rf"^ +from ((?:{packages})\b[\w.]*) import", (ROOT / file).read_text(), re.MULTILINE
            ):
                import_module(name)


def examine(book: Path) -> dict[str, list[str]]:
    cells = json.loads(book.read_text())["cells"]
    tree = ast.parse("\n".join("".join(c["source"]) for c in cells if c["cell_type"] == "code"))
    scope: dict[str, Any] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            exec(compile(ast.Module([node], []), book.name, "exec"), scope)
    taken = [getattr(scope.get(node.value.id), node.attr, None) for node in ast.walk(tree)
             if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name)]  # fmt: skip
    starts = [v for v in (*scope.values(), *taken) if file_of(sys.modules.get(getattr(v, "__module__", None) or ""))]
    load_lazy()
    files = filter(None, map(file_of, [*sys.modules.values()]))
    return {"loaded": sorted({*files} - {"tests/loaded.py"}), "used": sorted(used(starts))}


def main() -> None:
    found = {}
    for book in map(Path, sys.argv[1:]):
        read, write = os.pipe()
        if os.fork() == 0:  # a process for each notebook, in which nothing of the repository is loaded yet
            os.write(write, json.dumps(examine(book)).encode())
            os._exit(0)
        os.close(write)
        with os.fdopen(read) as stream:
            found[book.stem] = json.loads(stream.read())
        os.wait()
    print(json.dumps(found))


if __name__ == "__main__":
    main()
