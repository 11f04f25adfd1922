# SPDX-License-Identifier: Apache-2.0
"""Computes operators with numpy for `make numerics`: requests on standard input, replies on standard output.

A request is a line of JSON (name, numbers, lists, inputs, output) and the bytes of the inputs; a reply a line of JSON with the number of bytes of the first output, and
these; -1 where this program does not know the call. Types of 16 bits are computed in float32 and rounded once: numpy's own float16 sums along some axes are kept in float16.
"""

import io
import json
import sys

import ml_dtypes
import numpy

DTYPES = {"bool": numpy.bool_, "bfloat16": ml_dtypes.bfloat16}


def dtype(name):
    return numpy.dtype(DTYPES.get(name, name))


def axes(node):
    given = node.lists.get("axes")
    if given is None and len(node.inputs) > 1:
        given = node.inputs[1].tolist()
    if not given:
        return () if node.numbers.get("noop_with_empty_axes") else None
    return tuple(given)


def reduced(function):
    return lambda node, x, *_: function(x, axis=axes(node), keepdims=bool(node.numbers.get("keepdims", 1)))


def softmax(node, x):
    axis = int(node.numbers.get("axis", -1))
    e = numpy.exp(x - x.max(axis=axis, keepdims=True))
    return e / e.sum(axis=axis, keepdims=True)


def log_softmax(node, x):
    axis = int(node.numbers.get("axis", -1))
    shifted = x - x.max(axis=axis, keepdims=True)
    return shifted - numpy.log(numpy.exp(shifted).sum(axis=axis, keepdims=True))


def gemm(node, a, b, c=None):
    a = a.T if node.numbers.get("transA") else a
    b = b.T if node.numbers.get("transB") else b
    product = a.dtype.type(node.numbers.get("alpha", 1)) * (a @ b)
    return product if c is None else product + a.dtype.type(node.numbers.get("beta", 1)) * c


def layer_normalization(node, x, scale, bias=None):
    axis = int(node.numbers.get("axis", -1)) % x.ndim
    over = tuple(range(axis, x.ndim))
    y = (x - x.mean(axis=over, keepdims=True)) / numpy.sqrt(x.var(axis=over, keepdims=True) + x.dtype.type(node.numbers["epsilon"])) * scale
    return y if bias is None else y + bias


def rms_normalization(node, x, scale):
    axis = int(node.numbers.get("axis", -1)) % x.ndim
    over = tuple(range(axis, x.ndim))
    return x / numpy.sqrt(numpy.mean(x * x, axis=over, keepdims=True) + x.dtype.type(node.numbers["epsilon"])) * scale


def instance_normalization(node, x, scale, bias):
    over = tuple(range(2, x.ndim))
    shape = (-1,) + (1,) * (x.ndim - 2)
    y = (x - x.mean(axis=over, keepdims=True)) / numpy.sqrt(x.var(axis=over, keepdims=True) + x.dtype.type(node.numbers["epsilon"]))
    return y * scale.reshape(shape) + bias.reshape(shape)


def running(function):
    def run(node, x, axis):
        if node.numbers.get("exclusive") or node.numbers.get("reverse"):
            raise NotImplementedError
        return function(x, axis=int(axis))

    return run


def variadic(function):
    def run(node, *inputs):
        result = inputs[0]
        for other in inputs[1:]:
            result = function(result, other)
        return result

    return run


def divided(node, a, b):
    if a.dtype.kind in "iu":
        raise NotImplementedError  # numpy's floors
    return a / b


def plain(function):
    return lambda node, *inputs: function(*inputs)


def extreme(function):
    def run(node, x):
        if node.numbers.get("select_last_index"):
            raise NotImplementedError
        return function(x, axis=int(node.numbers.get("axis", 0)), keepdims=bool(node.numbers.get("keepdims", 1)))

    return run


def quantize(node, x, scale, zero=None):
    if scale.size != 1 or zero is None or zero.dtype.kind not in "iu" or x.dtype != numpy.float32:
        raise NotImplementedError
    limits = numpy.iinfo(zero.dtype)
    return numpy.clip(numpy.rint(x / scale) + zero.astype(x.dtype), limits.min, limits.max)


def dequantize(node, x, scale, zero=None):
    if scale.size != 1 or x.dtype.kind not in "iu" or x.dtype.itemsize > 2:
        raise NotImplementedError
    return (x.astype(numpy.int32) - (0 if zero is None else zero.astype(numpy.int32))).astype(numpy.float32) * scale.astype(numpy.float32)


def matmul_integer(node, a, b, a_zero=None, b_zero=None):
    if any(zero is not None and zero.size != 1 for zero in (a_zero, b_zero)):
        raise NotImplementedError
    shift = [x.astype(numpy.int32) - (0 if zero is None else zero.astype(numpy.int32)) for x, zero in ((a, a_zero), (b, b_zero))]
    return shift[0] @ shift[1]


UNARY = {
    "Abs": numpy.abs, "Neg": numpy.negative, "Floor": numpy.floor, "Ceil": numpy.ceil, "Round": numpy.rint, "Identity": numpy.copy, "Sqrt": numpy.sqrt,
    "Reciprocal": lambda x: 1 / x, "Exp": numpy.exp, "Log": numpy.log, "Sin": numpy.sin, "Cos": numpy.cos, "Tan": numpy.tan, "Asin": numpy.arcsin,
    "Acos": numpy.arccos, "Atan": numpy.arctan, "Sinh": numpy.sinh, "Cosh": numpy.cosh, "Tanh": numpy.tanh, "Asinh": numpy.arcsinh, "Acosh": numpy.arccosh,
    "Atanh": numpy.arctanh, "Relu": lambda x: numpy.maximum(x, 0), "Sigmoid": lambda x: 1 / (1 + numpy.exp(-x)), "Softsign": lambda x: x / (1 + numpy.abs(x)),
    "Softplus": lambda x: numpy.logaddexp(x, x.dtype.type(0)),
}  # fmt: skip

OPERATORS = {name: plain(function) for name, function in UNARY.items()} | {
    "Add": plain(numpy.add), "Sub": plain(numpy.subtract), "Mul": plain(numpy.multiply), "Div": divided, "Pow": plain(numpy.power), "MatMul": plain(numpy.matmul),
    "Gemm": gemm, "Max": variadic(numpy.maximum), "Min": variadic(numpy.minimum), "Sum": variadic(numpy.add),
    "Mean": lambda node, *inputs: variadic(numpy.add)(node, *inputs) / inputs[0].dtype.type(len(inputs)),
    "ReduceSum": reduced(numpy.sum), "ReduceMean": reduced(numpy.mean), "ReduceProd": reduced(numpy.prod), "ReduceMax": reduced(numpy.max), "ReduceMin": reduced(numpy.min),
    "ReduceL1": reduced(lambda x, **over: numpy.sum(numpy.abs(x), **over)), "ReduceSumSquare": reduced(lambda x, **over: numpy.sum(x * x, **over)),
    "ReduceL2": reduced(lambda x, **over: numpy.sqrt(numpy.sum(x * x, **over))), "ReduceLogSum": reduced(lambda x, **over: numpy.log(numpy.sum(x, **over))),
    "CumSum": running(numpy.cumsum), "CumProd": running(numpy.cumprod), "Softmax": softmax, "LogSoftmax": log_softmax, "LayerNormalization": layer_normalization,
    "RMSNormalization": rms_normalization, "InstanceNormalization": instance_normalization, "ArgMax": extreme(numpy.argmax), "ArgMin": extreme(numpy.argmin),
    "QuantizeLinear": quantize, "DequantizeLinear": dequantize, "MatMulInteger": matmul_integer,
    "Transpose": lambda node, x: numpy.transpose(x, node.lists.get("perm")),
}  # fmt: skip


class Node:
    def __init__(self, request, stream):
        self.name, self.numbers, self.lists = request["name"], request["numbers"], request["lists"]
        self.inputs = [
            None if given is None else numpy.frombuffer(stream.read(given["bytes"]), dtype(given["dtype"])).reshape(given["shape"])
            for given in request["inputs"]
        ]  # fmt: skip


def compute(request, stream):
    node = Node(request, stream)
    result = dtype(request["output"]["dtype"])
    inputs = [x.astype(numpy.float32) if x is not None and x.dtype in (numpy.float16, ml_dtypes.bfloat16) else x for x in node.inputs]
    if node.name == "Cast":
        # Floats to integers out of range are nobody's; and numpy goes through float32 where ml_dtypes meets its own 16-bit types.
        x = node.inputs[0]
        if result.kind in "iu" and x.dtype.kind not in "iu":
            raise NotImplementedError
        return x.astype(result)
    return numpy.asarray(OPERATORS[node.name](node, *inputs)).astype(result)


def main():
    numpy.seterr(all="ignore")
    source, target = sys.stdin.buffer, sys.stdout.buffer
    while line := source.readline():
        request = json.loads(line)
        data = source.read(sum(given["bytes"] for given in request["inputs"] if given))
        try:
            if any(given and given["dtype"] not in DTYPES and not hasattr(numpy, given["dtype"]) for given in [*request["inputs"], request["output"]]):
                raise NotImplementedError
            payload = compute(request, io.BytesIO(data)).tobytes()
        except (KeyError, NotImplementedError, TypeError, ValueError):
            # ValueError: numpy has no maximum of nothing.
            target.write(b'{"bytes": -1}\n')
        else:
            target.write(b'{"bytes": %d}\n' % len(payload) + payload)
        target.flush()


if __name__ == "__main__":
    main()
