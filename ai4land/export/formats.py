"""One graph in three formats: ONNX, ``.pt2`` of torch.export, and TorchScript; for windows of any size.

The graph is a module that takes the inputs of its description in their order, and gives its outputs in theirs.
"""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import nn

OPSET = 20
SUFFIXES = {"onnx": ".onnx", "torch.export": ".pt2", "torchscript": ".torchscript.pt"}
_FINE = {"y": 4, "x": 6}  # groups of cells of the window that is exported; any number is taken afterwards
_COARSE = 5  # cells along the first coarse axis of the example, one more along every other
_LEAST, _LARGEST = 2, 4096  # groups of cells along a side: torch.export takes a single one for a constant


def example_inputs(about: dict[str, Any]) -> tuple[torch.Tensor, ...]:
    """Inputs of a small window, all zeros, as a description says.

    Parameters
    ----------
    about : dict
        ``inputs``: each with ``name``, ``dtype`` and ``shape`` (numbers, and names of sizes that are free);
        ``multiple``: of which ``y`` and ``x`` are multiples.
    """
    free = _free(about)
    sizes = {name: _COARSE + number for number, name in enumerate(free)}
    sizes |= {name: _FINE[name] * about["multiple"] for name in free if name in _FINE}
    return tuple(
        torch.zeros([sizes.get(n, n) for n in one["shape"]], dtype=getattr(torch, one["dtype"]))
        for one in about["inputs"]
    )


def _free(about: dict[str, Any]) -> list[str]:
    """Names of the sizes that are free, in order of appearance."""
    return list(dict.fromkeys(n for one in about["inputs"] for n in one["shape"] if isinstance(n, str)))


def _sizes(about: dict[str, Any]) -> tuple[dict[int, Any] | None, ...]:
    """Free sizes of every input, as torch.export wants them."""
    dims: dict[str, Any] = {}
    for name in _free(about):
        if name in _FINE:
            dims[name] = about["multiple"] * torch.export.Dim(f"{name}_groups", min=_LEAST, max=_LARGEST)
        else:
            dims[name] = torch.export.Dim(name, min=1, max=_LARGEST)
    return tuple(
        {axis: dims[n] for axis, n in enumerate(one["shape"]) if isinstance(n, str)} or None for one in about["inputs"]
    )


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the notes of the exporters on themselves."""
    log = logging.getLogger("torch.onnx")
    before = log.level
    log.setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            yield
        finally:
            log.setLevel(before)


def write_formats(graph: nn.Module, about: dict[str, Any], stem: Path) -> list[Path]:
    """Write a graph as ONNX, ``.pt2`` and TorchScript.

    Parameters
    ----------
    graph : torch.nn.Module
        ``forward(*inputs)``, batch 1.
    about : dict
        Of the graph: ``inputs``, ``outputs``, ``multiple``; see `example_inputs`.
    stem : pathlib.Path
        The files are ``<stem>.onnx``, ``<stem>.pt2`` and ``<stem>.torchscript.pt``.

    Returns
    -------
    list of pathlib.Path
        In the order of `SUFFIXES`.

    References
    ----------
    ONNX, https://onnx.ai/onnx/repo-docs/IR.html; the weights are in the one file.
    """
    stem.parent.mkdir(parents=True, exist_ok=True)
    paths = [stem.with_name(stem.name + suffix) for suffix in SUFFIXES.values()]
    graph, example = graph.eval(), example_inputs(about)
    with torch.no_grad(), _quiet():
        program = torch.export.export(graph, example, dynamic_shapes={"values": _sizes(about)}, strict=False)
        torch.onnx.export(
            program, dynamo=True, opset_version=OPSET, external_data=False, verbose=False, f=str(paths[0]),
            input_names=[one["name"] for one in about["inputs"]],
            output_names=[one["name"] for one in about["outputs"]],
        )  # fmt: skip
        torch.export.save(program, paths[1])
        torch.jit.trace(graph, example, check_trace=False).save(str(paths[2]))
    return paths
