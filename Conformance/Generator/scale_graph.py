# SPDX-License-Identifier: Apache-2.0
"""Writes a graph of as many nodes as asked for, to see how the time of reading, partitioning and planning grows.

Blocks of a few operators on small tensors hang on each other by residuals, branches that are joined far away, and shapes computed in
the graph. The numbers come from the counter-based generator (docs/random.md): the same count gives the same file.
"""

import argparse
import pathlib

import numpy
from onnx import TensorProto, helper, numpy_helper

from counter_random import CounterRandom

ROWS, WIDTH = 4, 16
SEED = 20260101
# Branches that wait to be read: far enough to let lifetimes overlap, few enough to keep the tensors alive at once few.
WAITING = 32


class ScaleGraph:
    """Grows by blocks until it has exactly `count` nodes."""

    def __init__(self, count):
        self.count = count
        self.nodes = []
        self.constants = {}
        self.random = CounterRandom(SEED, "scale", "choices")
        self.drawn = 0
        self.waiting = []

    def draw(self, below):
        self.drawn += 1
        return int(self.random.integers(self.drawn, 1, below)[0])

    def node(self, operator, *inputs, outputs=1, **attributes):
        name = f"{operator}_{len(self.nodes)}"
        results = [f"{name}.{index}" for index in range(outputs)]
        self.nodes.append(helper.make_node(operator, inputs, results, name=name, **attributes))
        return results[0] if outputs == 1 else results

    def integers(self, *values):
        name = "integers_" + "_".join(str(value) for value in values)
        self.constants.setdefault(name, numpy.array(values, numpy.int64))
        return name

    def weight(self, *shape, size):
        """Even in ±size, rather like a trained one than like a constant that folds."""
        name = f"weight_{len(self.constants)}"
        flat = CounterRandom(SEED, "scale", name).uniform(0, int(numpy.prod(shape)))
        self.constants[name] = ((flat * 2 - 1) * size).astype(numpy.float32).reshape(shape)
        return name

    # Blocks: (ROWS, WIDTH) to (ROWS, WIDTH)

    def dense(self, x):
        y = self.node("MatMul", x, self.weight(WIDTH, WIDTH, size=0.43))
        return self.node("Relu", self.node("Add", y, self.weight(WIDTH, size=0.3)))

    def gemm(self, x):
        return self.node("Tanh", self.node("Gemm", x, self.weight(WIDTH, WIDTH, size=0.43), self.weight(WIDTH, size=0.3)))

    def residual(self, x):
        return self.node("Add", x, self.node("Mul", self.gemm(x), self.weight(WIDTH, size=1.0)))

    def split(self, x):
        left, right = self.node("Split", x, self.integers(WIDTH // 2, WIDTH // 2), axis=1, outputs=2)
        return self.node("Concat", self.node("Sigmoid", right), self.node("Neg", left), axis=1)

    def reshape(self, x):
        tall = self.node("Reshape", x, self.integers(2 * ROWS, WIDTH // 2))
        scaled = self.node("Mul", tall, self.weight(WIDTH // 2, size=1.0))
        return self.node("Reshape", scaled, self.integers(ROWS, WIDTH))

    def computed_shape(self, x):
        """A reshape whose shape is told by the graph: folds away before the run."""
        rows = self.node("Gather", self.node("Shape", x), self.integers(0), axis=0)
        shape = self.node("Concat", rows, self.integers(2, WIDTH // 2), axis=0)
        return self.node("Reshape", self.node("Relu", self.node("Reshape", x, shape)), self.integers(ROWS, WIDTH))

    def normalise(self, x):
        centred = self.node("Sub", x, self.node("ReduceMean", x, self.integers(1)))
        variance = self.node("ReduceMean", self.node("Mul", centred, centred), self.integers(1))
        return self.node("Div", centred, self.node("Sqrt", self.node("Add", variance, self.scalar("epsilon", 1e-5))))

    def transposed(self, x):
        turned = self.node("Transpose", x, perm=[1, 0])
        mixed = self.node("MatMul", turned, self.weight(ROWS, ROWS, size=0.8))
        return self.node("Softmax", self.node("Transpose", mixed, perm=[1, 0]), axis=-1)

    def branch(self, x):
        """Sets `x` aside and goes on; what was set aside before comes back."""
        self.waiting.append(self.node("Abs", x))
        if len(self.waiting) > WAITING:
            x = self.node("Max", x, self.waiting.pop(self.draw(len(self.waiting))))
        return self.node("Sub", x, self.weight(WIDTH, size=0.5))

    def scalar(self, name, value):
        self.constants.setdefault(name, numpy.float32(value))
        return name

    def model(self):
        blocks = (
            self.dense, self.gemm, self.residual, self.split, self.reshape, self.computed_shape, self.normalise, self.transposed,
            self.branch,
        )  # fmt: skip
        x = "x"
        # The last nodes join what still waits, one by one.
        while len(self.nodes) + len(self.waiting) + 12 < self.count:
            x = blocks[self.draw(len(blocks))](x)
        for value in self.waiting:
            x = self.node("Add", x, value)
        while len(self.nodes) < self.count:
            x = self.node("Tanh", x)
        graph = helper.make_graph(
            self.nodes,
            f"scale_{self.count}",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, (ROWS, WIDTH))],
            [helper.make_tensor_value_info(x, TensorProto.FLOAT, (ROWS, WIDTH))],
            initializer=[numpy_helper.from_array(numpy.asarray(array), name) for name, array in self.constants.items()],
        )
        opsets = [helper.make_operatorsetid("", 18)]
        return helper.make_model(graph, opset_imports=opsets, ir_version=9, producer_name="southbridge")


def main():
    parser = argparse.ArgumentParser(description="Write a graph of N nodes.")
    parser.add_argument("--nodes", type=int, default=100_000, metavar="N")
    parser.add_argument("--output", type=pathlib.Path, required=True, metavar="FILE")
    options = parser.parse_args()
    if options.nodes < 100:
        parser.error("--nodes must be at least 100")
    model = ScaleGraph(options.nodes).model()
    options.output.parent.mkdir(parents=True, exist_ok=True)
    options.output.write_bytes(model.SerializeToString(deterministic=True))
    print(f"{options.output}: {len(model.graph.node)} nodes, {options.output.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
