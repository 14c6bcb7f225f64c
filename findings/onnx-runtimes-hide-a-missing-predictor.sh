#!/usr/bin/env bash
# A missing predictor stops at the first ReLU or maximum of an ONNX graph, each runtime at another one.
#
# Expected: NaN goes through an exported network as through NumPy and PyTorch: the cell's output is NaN, and seen.
# Happens:  OpenVINO's Relu and Clip give 0 for NaN and its Softmax gives NaN for the missing class and 0 for the others.
#           ONNX Runtime's ReduceMax passes over NaN or not, depending on where it stands, and ArgMax of both never
#           chooses NaN where NumPy's always does. The cell gets an ordinary class.
# Versions: openvino 2026.4.1 on CPU, onnxruntime 1.31.1.
# Seen:     Relu of [1, nan, 3]: OpenVINO [1, 0, 3], ONNX Runtime [1, nan, 3]; ArgMax of it: both 2, NumPy 1; ReduceMax of
#           [1, nan, 3] and [nan, 2, 1]: ONNX Runtime 3 and nan, OpenVINO 3 and 2.
# Matters:  coasts, lakes and years without data are NaN in every predictor. A check that the output has no NaN passes
#           under one runtime and fails under the other. Test the input for NaN before the graph, not the output after.
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

scores = np.array([[1, np.nan, 3], [np.nan, 2, 1]], "f4")


def run(operator, kind=TensorProto.FLOAT, axes=(), **settings):
    """Output of one operator under ONNX Runtime and OpenVINO."""
    node = helper.make_node(operator, ["x", *(["axes"] if axes else [])], ["y"], **settings)
    constants = [helper.make_tensor("axes", TensorProto.INT64, [len(axes)], axes)] if axes else []
    into = [helper.make_tensor_value_info("x", TensorProto.FLOAT, [None, 3])]
    out = [helper.make_tensor_value_info("y", kind, None)]
    graph = helper.make_graph([node], "g", into, out, constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    onnx.save(model, "one.onnx")
    first = onnxruntime.InferenceSession("one.onnx").run(None, {"x": scores})[0]
    return first, openvino.Core().compile_model("one.onnx", "CPU")([scores])[0]


nan = np.nan
relu, largest = run("Relu"), run("ReduceMax", axes=(1,), keepdims=0)
chosen = run("ArgMax", TensorProto.INT64, axis=1, keepdims=0)
for name, (first, second) in {"Relu": relu, "ReduceMax": largest, "ArgMax": chosen}.items():
    print(f"{name}: ONNX Runtime {first.tolist()}, OpenVINO {second.tolist()}")
print(f"ArgMax by NumPy {scores.argmax(1).tolist()}")
same = np.array_equal(relu[0], scores, equal_nan=True) and np.array_equal(relu[1], [[1, 0, 3], [0, 2, 1]])
same &= np.array_equal(largest[0], [3, nan], equal_nan=True) and np.array_equal(largest[1], [3, 2])
if not same or chosen[0][0] != 2 or chosen[1][0] != 2 or scores.argmax(1)[0] != 1:
    raise SystemExit("CHANGED: NaN goes through the operators otherwise.")
print("as described")
EOF
