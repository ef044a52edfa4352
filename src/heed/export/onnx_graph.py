"""Build an ONNX graph node by node; values are referred to by name.

torch's exporter is not used, because it silently writes wrong numbers for a GRU, or a loop with the fixed length of the
example. Here the model's equations are written operator by operator.
"""

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor

from heed.models.cell import EPSILON

Precision = Literal["float32", "int8"]
"""How matrices are stored and multiplied; see `Graph`."""

OPSET = 17
"""The first opset with layer normalisation."""

IR_VERSION = 8
"""The file format that came with this opset."""

ZERO = 128
"""The byte value for 0.

Bytes are unsigned, in inputs and matrices. With signed matrices, which are faster, onnxruntime's products silently
overflow on CPUs without VNNI instructions. With signed inputs, products are slower than in float32.
"""

Axis = int | str
"""A fixed size, or the name of a variable one."""

FLOAT, INT32, INT64, BOOL = TensorProto.FLOAT, TensorProto.INT32, TensorProto.INT64, TensorProto.BOOL


class Matrix(NamedTuple):
    """Names of a stored matrix, with a row for each output, and of its rows' scales if it is stored as bytes."""

    rows: str
    scale: str | None


class Graph:
    """A graph under construction: nodes and constants, in the order in which they are added.

    With `precision` int8, each row of a matrix is stored as bytes and a scale, and `linear` multiplies bytes. It rounds
    each row of its input relative to the row's largest number, so that results of a sentence do not depend on the rest
    of the batch. Biases and all vectors stay float32.
    """

    def __init__(self, name: str, precision: Precision = "float32") -> None:
        self.name, self.precision = name, precision
        self.nodes: list[onnx.NodeProto] = []
        self.constants: dict[str, onnx.TensorProto] = {}
        self.matrices: list[tuple[Tensor, Matrix]] = []

    def add(self, operator: str, *inputs: str, **attributes: Any) -> str:
        """Add a node with one output; return its name."""
        return self.add_several(operator, 1, *inputs, **attributes)[0]

    def add_several(self, operator: str, count: int, *inputs: str, **attributes: Any) -> list[str]:
        """Add a node with `count` outputs; return their names."""
        label = f"{self.name}.{len(self.nodes)}.{operator}"
        outputs = [label if count == 1 else f"{label}.{number}" for number in range(count)]
        self.nodes.append(helper.make_node(operator, inputs, outputs, name=label, **attributes))
        return outputs

    def constant(self, value: Any, dtype: Any = np.float32, name: str | None = None) -> str:
        """Add a constant; equal unnamed constants are stored once."""
        array = np.array(value, dtype=dtype, order="C")
        key = name or f"{self.name}.{array.dtype}.{array.tolist()}"
        self.constants.setdefault(key, numpy_helper.from_array(array, key))
        return key

    def ints(self, *values: int) -> str:
        """A constant list of integers, such as axes or a shape."""
        return self.constant(values, np.int64)

    def vector(self, name: str, parameter: Tensor) -> str:
        """A parameter that stays float32."""
        return self.constant(parameter.detach().numpy(), name=name)

    def matrix(self, name: str, parameter: Tensor) -> Matrix:
        """Store a matrix, or several stacked ones; a matrix that is used twice (tied embeddings) is stored once."""
        for stored, matrix in self.matrices:
            if stored is parameter:
                return matrix
        self.matrices.append((parameter, self._store(name, parameter.detach().numpy())))
        return self.matrices[-1][1]

    def _store(self, name: str, values: NDArray[np.float32]) -> Matrix:
        if self.precision == "float32":
            return Matrix(self.constant(values, name=name), None)
        stored, scale = rounded(values)
        return Matrix(self.constant(stored, np.uint8, name), self.constant(scale, name=f"{name}.scale"))

    def look_up(self, matrix: Matrix, ids: str) -> str:
        """The rows `ids` of a matrix."""
        rows = self.add("Gather", matrix.rows, ids)
        return rows if matrix.scale is None else self._restored(rows, self.add("Gather", matrix.scale, ids))

    def floats(self, matrix: Matrix) -> str:
        """The whole matrix in float32; a runtime computes it only once, when it loads the graph."""
        return matrix.rows if matrix.scale is None else self._restored(matrix.rows, matrix.scale)

    def _restored(self, stored: str, scale: str) -> str:
        centred = self.add("Sub", self.add("Cast", stored, to=FLOAT), self.constant(float(ZERO)))
        return self.add("Mul", centred, scale)

    def linear(self, inputs: str, name: str, weight: Tensor, bias: Tensor | None) -> str:
        """The result of `torch.nn.Linear`."""
        product = self.multiply(inputs, self.matrix(f"{name}.weight", weight))
        return product if bias is None else self.add("Add", product, self.vector(f"{name}.bias", bias))

    def multiply(self, inputs: str, matrix: Matrix) -> str:
        """The product with the transpose of a matrix."""
        turned = self.add("Transpose", matrix.rows, perm=[1, 0])
        if matrix.scale is None:
            return self.add("MatMul", inputs, turned)
        stored, scale = self._rounded(inputs)
        zero = self.constant(ZERO, np.uint8)
        whole = self.add("Cast", self.add("MatMulInteger", stored, turned, zero, zero), to=FLOAT)
        return self.add("Mul", self.add("Mul", whole, scale), self.add("Transpose", matrix.scale, perm=[1, 0]))

    def _rounded(self, inputs: str) -> tuple[str, str]:
        """Each row as bytes with a scale."""
        largest = self.add("ReduceMax", self.add("Abs", inputs), axes=[-1], keepdims=1)
        scale = self.add("Div", self.add("Max", largest, self.constant(1e-30)), self.constant(127.0))
        whole = self.add("Round", self.add("Div", inputs, scale))
        return self.add("Cast", self.add("Add", whole, self.constant(float(ZERO))), to=TensorProto.UINT8), scale

    def normalised(self, inputs: str, name: str, gain: Tensor, shift: Tensor) -> str:
        """Layer normalisation over the last axis."""
        parameters = self.vector(f"{name}.weight", gain), self.vector(f"{name}.bias", shift)
        return self.add("LayerNormalization", inputs, *parameters, axis=-1, epsilon=EPSILON)

    def part(self, inputs: str, index: int, axis: int) -> str:
        """The slice at `index` of an axis, without that axis."""
        return self.add("Gather", inputs, self.constant(index, np.int64), axis=axis)

    def unsqueezed(self, inputs: str, axis: int) -> str:
        """The value with a new axis of size one."""
        return self.add("Unsqueeze", inputs, self.ints(axis))

    def squeezed(self, inputs: str, axis: int) -> str:
        """The value without an axis of size one."""
        return self.add("Squeeze", inputs, self.ints(axis))

    def reshaped(self, inputs: str, *shape: int) -> str:
        """The value in another shape; 0 keeps a size, -1 is inferred."""
        return self.add("Reshape", inputs, self.ints(*shape))

    def size(self, inputs: str, axis: int) -> str:
        """The size of an axis, as a list of one number."""
        return self.add("Shape", inputs, start=axis, end=axis + 1)

    def zeros(self, *sizes: str) -> str:
        """Zeros in the shape of these sizes, each a list of one number."""
        return self.add("ConstantOfShape", self.add("Concat", *sizes, axis=0))

    def finished(
        self, inputs: Sequence[onnx.ValueInfoProto], outputs: Sequence[tuple[str, onnx.ValueInfoProto]]
    ) -> Any:
        """The finished graph, in which the given values are renamed to outputs."""
        ends = [helper.make_node("Identity", [value], [output.name]) for value, output in outputs]
        constants = list(self.constants.values())
        return helper.make_graph([*self.nodes, *ends], self.name, inputs, [output for _, output in outputs], constants)


def value(name: str, kind: int, *shape: Axis) -> onnx.ValueInfoProto:
    """Name, type and shape of an input or an output."""
    return helper.make_tensor_value_info(name, kind, shape)


def rounded(values: NDArray[np.float32]) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Rows as bytes around `ZERO` with a scale each, so that the largest number of a row is 127 steps from zero."""
    largest = np.abs(values).max(axis=-1, keepdims=True)
    scale = np.where(largest > 0, largest, 1).astype(np.float32) / np.float32(127)
    return (np.rint(values / scale) + ZERO).astype(np.uint8), scale


def model_of(graph: onnx.GraphProto, producer_version: str) -> onnx.ModelProto:
    """The complete, checked file of a graph.

    Raises:
        onnx.checker.ValidationError: the file is not valid ONNX.
    """
    opsets = [helper.make_opsetid("", OPSET)]
    model = helper.make_model(
        graph, opset_imports=opsets, ir_version=IR_VERSION, producer_name="heed", producer_version=producer_version
    )
    onnx.checker.check_model(model, full_check=True)
    return model
