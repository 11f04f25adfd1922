# SPDX-License-Identifier: Apache-2.0
"""Tests of the generators. Run by `make test`, after the corpus was exported to build/corpus."""

import json
import pathlib
import tempfile
import unittest

import numpy
import onnx
from onnx import TensorProto, numpy_helper

import artefacts
import counter_random
import float64_later
import float64_networks
from counter_random import CounterRandom

CORPUS = pathlib.Path(__file__).resolve().parents[2] / "build" / "corpus"


def tensor(path):
    message = TensorProto()
    message.ParseFromString(path.read_bytes())
    return numpy_helper.to_array(message)


# Operators of the built networks that the corpus has cases of.
LATER = {
    "ConvTranspose", "Cos", "Div", "Erf", "Expand", "Gather", "Gelu", "GroupNormalization", "InstanceNormalization",
    "LayerNormalization", "MatMul", "Neg", "Pow", "Reciprocal", "ReduceMean", "Reshape", "Shape", "Sigmoid", "Sin",
    "Slice", "Softmax", "Split", "Sqrt", "Sub", "Tanh", "Transpose", "Unsqueeze", "Where",
}  # fmt: skip
# By operator, the first opset with the meaning that the evaluator has.
FROM = {"GroupNormalization": 21}


def node_opset(model):
    return next(opset.version for opset in model.opset_import if opset.domain == "")


class CounterRandomTests(unittest.TestCase):
    def test_known_answers(self):
        table = pathlib.Path(__file__).resolve().parent.parent / "Golden" / "counter-random.json"
        self.assertEqual(json.loads(table.read_text(encoding="utf-8")), counter_random.known_answers())

    def test_blocks_and_order_do_not_matter(self):
        random = CounterRandom(3, "case", "x")
        whole = numpy.empty(3 * counter_random.BLOCK + 7)
        random.fill(whole, random.normal)
        start = counter_random.BLOCK - 2
        numpy.testing.assert_array_equal(whole[start : start + 5], random.normal(start, 5))

    def test_distributions(self):
        """Bounds of five standard errors on means and variances of 2^20 draws."""
        count = 1 << 20
        random = CounterRandom(11, "distributions", "x")
        for values, mean, variance, kurtosis in (
            (random.uniform(0, count), 0.5, 1 / 12, 1.8),
            (random.normal(0, count), 0.0, 1.0, 2.9),
        ):
            self.assertLess(abs(values.mean() - mean), 5 * (variance / count) ** 0.5)
            self.assertLess(abs(values.var() - variance), 5 * variance * ((kurtosis - 1) / count) ** 0.5)
        drawn = numpy.bincount(random.integers(0, count, 7).astype(numpy.int64), minlength=7)
        self.assertEqual(drawn.size, 7)
        self.assertLess(((drawn - count / 7) ** 2 / (count / 7)).sum(), 40.0)  # chi-square with 6 degrees, p < 1e-6

    def test_bound_of_integers(self):
        random = CounterRandom(0, "", "")
        for below in (0, (1 << 32) + 1):
            with self.assertRaises(ValueError):
                random.integers(0, 1, below)


class Float64OperatorTests(unittest.TestCase):
    """The evaluator against the corpus, in the cases whose attributes the networks use and whose meaning is that of opset 9."""

    def test_corpus(self):
        wanted = {
            "AveragePool", "BatchNormalization", "Concat", "Conv", "Gemm", "GlobalAveragePool", "LRN", "MaxPool",
            "Relu", "Sum", "Transpose",
        }  # fmt: skip
        seen = {}
        for path in sorted((CORPUS / "node").glob("*/model.onnx")):
            model = onnx.load(path)
            node = model.graph.node[0]
            if len(model.graph.node) > 1 or node.op_type not in wanted or len(node.output) > 1 or node.domain:
                continue
            data_set = path.parent / "test_data_set_0"
            inputs = [tensor(data_set / f"input_{index}.pb") for index in range(len(model.graph.input))]
            spatial = node.op_type.endswith(("Conv", "Pool"))
            if inputs[0].dtype != numpy.float32 or (spatial and inputs[0].ndim != 4) or "" in node.input:
                continue
            if node.op_type == "Gemm" and len(inputs) < 3:
                continue
            attributes = float64_networks.Attributes(node)
            try:
                with numpy.errstate(all="ignore"):
                    actual = float64_networks.OPERATORS[node.op_type](attributes, *map(float64_networks.widened, inputs))
            except NotImplementedError:
                continue
            with self.subTest(path.parent.name):
                numpy.testing.assert_allclose(actual, tensor(data_set / "output_0.pb"), rtol=1e-5, atol=1e-6)
            seen[node.op_type] = seen.get(node.op_type, 0) + 1
        self.assertEqual(set(seen), wanted)
        self.assertGreaterEqual(sum(seen.values()), 50, seen)

    def test_later_operators_in_the_corpus(self):
        """The same for the operators of opsets 17 to 21; where an operator has more kinds than the evaluator, it must say so."""
        seen = {}
        for path in sorted((CORPUS / "node").glob("*/model.onnx")):
            model = onnx.load(path)
            node = model.graph.node[0]
            if len(model.graph.node) > 1 or node.op_type not in LATER or node.domain or "" in node.input[:1]:
                continue
            data_set = path.parent / "test_data_set_0"
            names = [value.name for value in model.graph.input]
            given = {name: tensor(data_set / f"input_{index}.pb") for index, name in enumerate(names)}
            inputs = [given.get(name) for name in node.input]
            if inputs[0].dtype not in (numpy.float32, numpy.int64, numpy.bool_) or not FROM.get(node.op_type, 13) <= node_opset(model):
                continue
            try:
                with numpy.errstate(all="ignore"):
                    arguments = [value if value is None else float64_networks.widened(value) for value in inputs]
                    actual = float64_later.OPERATORS[node.op_type](float64_networks.Attributes(node), *arguments)
            except (NotImplementedError, KeyError, TypeError, ValueError):
                continue
            results = actual if isinstance(actual, list) else [actual]
            with self.subTest(path.parent.name):
                for index, result in enumerate(results[: len(node.output)]):
                    numpy.testing.assert_allclose(result, tensor(data_set / f"output_{index}.pb"), rtol=2e-5, atol=2e-6)
            seen[node.op_type] = seen.get(node.op_type, 0) + 1
        self.assertEqual(set(seen), LATER)

    def test_softmax_takes_all_axes_from_the_first_as_one(self):
        node = onnx.helper.make_node("Softmax", ["x"], ["y"])
        x = numpy.log(numpy.arange(1.0, 9.0)).reshape(1, 2, 2, 2)
        y = float64_networks.softmax(float64_networks.Attributes(node), x)
        numpy.testing.assert_allclose(y.reshape(-1), numpy.arange(1.0, 9.0) / 36.0, rtol=1e-14)

    def test_grouped_convolution_by_its_definition(self):
        random = CounterRandom(5, "grouped", "x")
        x = random.normal(0, 2 * 6 * 5 * 4).reshape(2, 6, 5, 4)
        weight = random.normal(1000, 4 * 3 * 3 * 2).reshape(4, 3, 3, 2)
        node = onnx.helper.make_node("Conv", ["x", "w"], ["y"], group=2, strides=[2, 1], pads=[1, 0, 0, 1])
        y = float64_networks.convolution(float64_networks.Attributes(node), x, weight)
        padded = numpy.zeros((2, 6, 6, 5))
        padded[:, :, 1:, :4] = x
        self.assertEqual(y.shape, (2, 4, 2, 4))
        for n, m, i, j in numpy.ndindex(*y.shape):
            patch = padded[n, m // 2 * 3 : m // 2 * 3 + 3, 2 * i : 2 * i + 3, j : j + 2]
            self.assertAlmostEqual(y[n, m, i, j], float((patch * weight[m]).sum()), places=12)


class ReplacingFolderTests(unittest.TestCase):
    def test_failure_leaves_the_old_folder(self):
        with tempfile.TemporaryDirectory() as root:
            target = pathlib.Path(root) / "made"
            with artefacts.replacing_folder(target) as work:
                (work / "file").write_text("old")
            with self.assertRaises(RuntimeError), artefacts.replacing_folder(target) as work:
                (work / "file").write_text("new")
                raise RuntimeError
            self.assertEqual((target / "file").read_text(), "old")
            with artefacts.replacing_folder(target) as work:
                (work / "file").write_text("new")
            self.assertEqual((target / "file").read_text(), "new")
            self.assertEqual([path.name for path in pathlib.Path(root).iterdir()], ["made"])


class NetworkTests(unittest.TestCase):
    def test_golden_output_of_the_smallest_network_and_a_dropped_bias(self):
        import float64_faults
        import golden_networks
        import networks

        refill = networks.Refill("squeezenet")
        evaluation = float64_networks.Evaluation(refill.bare_model(), dict(refill.arrays()))
        output = evaluation.run({refill.input_info().name: refill.input_array()}, keep=True)
        golden = golden_networks.golden_output("squeezenet")
        self.assertLess(golden_networks.excess("squeezenet", output, golden), 1e-3)
        last = max(i for i, node in enumerate(evaluation.nodes) if node.op_type == "Conv")
        faulty = float64_faults.plant(evaluation, last, lambda a, x, w, b: float64_networks.convolution(a, x, w))
        self.assertGreater(golden_networks.excess("squeezenet", faulty, golden), 10)


if __name__ == "__main__":
    unittest.main()
