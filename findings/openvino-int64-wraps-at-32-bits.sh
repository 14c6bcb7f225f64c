#!/usr/bin/env bash
# OpenVINO computes 64-bit integers in 32 bits and hands the wrong numbers back as int64.
#
# Expected: a graph whose tensors are int64 is computed in int64, or refused.
# Happens:  the CPU device converts int64 to int32 inside. Products and even inputs beyond 2,147,483,647 wrap around to
#           negative numbers; the output is int64 again, so its type shows nothing. No error and no warning.
# Versions: openvino 2026.4.1 on CPU, onnxruntime 1.31.1 for comparison.
# Seen:     50000 x 50000 = -1794967296 and 3000000000 x 1 = -1294967296; ONNX Runtime: 2500000000 and 3000000000.
# Matters:  cell indices of a global grid at 0.005 degree, of many years at 0.01 degree, areas in square metres and
#           populations all pass 2^31. Keep indices out of exported graphs, or use two numbers (row, column).
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/python" -m pip install --quiet --disable-pip-version-check \
    openvino==2026.4.1 onnx==1.23.2 onnxruntime==1.31.1 numpy==2.4.6
cd "$work"
"$work/venv/bin/python" - <<'EOF'
import numpy as np
import onnx
import onnxruntime
import openvino
from onnx import TensorProto, helper

integers = [helper.make_tensor_value_info(name, TensorProto.INT64, [None]) for name in ("rows", "columns", "cells")]
graph = helper.make_graph([helper.make_node("Mul", ["rows", "columns"], ["cells"])], "g", integers[:2], integers[2:])
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
onnx.checker.check_model(model)
onnx.save(model, "cells.onnx")
rows, columns = np.array([36000, 50000, 3_000_000_000]), np.array([18000, 50000, 1])
right = onnxruntime.InferenceSession("cells.onnx").run(None, {"rows": rows, "columns": columns})[0]
found = openvino.Core().compile_model("cells.onnx", "CPU")([rows, columns])[0]
print(f"ONNX Runtime {right.tolist()}, OpenVINO {found.tolist()} as {found.dtype}")
if right.tolist() != (rows * columns).tolist():
    raise SystemExit("CHANGED: ONNX Runtime computes otherwise.")
if found.tolist() != [648000000, -1794967296, -1294967296] or found.dtype != np.int64:
    raise SystemExit("CHANGED: OpenVINO computes 64-bit integers in 64 bits, or says that it does not.")
print("as described")
EOF
