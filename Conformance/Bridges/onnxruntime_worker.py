# SPDX-License-Identifier: Apache-2.0
"""Puts ONNX Runtime's CPU provider, or with --reference the reference evaluator of the `onnx` package, behind the worker protocol:

    southbridge conform onnxruntime --suite onnx --worker "python Conformance/Bridges/onnxruntime_worker.py"

Needs the packages onnx and onnxruntime (not for --reference). Graph optimisations are off, so that the model's own operators run, and each
session has one thread. Tensors pass as raw bytes, whatever their type, so that nothing depends on what numpy can carry.

Refused as noKernel: ONNX Runtime's own "not implemented". Refused as notCovered: operators, opsets and format versions that it does not
know, and graph inputs or outputs that are no tensors, which the protocol does not carry. Every other error is one of the device.
"""

import argparse
import collections
import ctypes
import hashlib
import os

import numpy
import onnx
import onnx.numpy_helper
import worker_protocol
from worker_protocol import Refusal

# Sessions kept for models that come again.
LARGEST_CACHE = 64

NO_TENSOR = "an output is no tensor, and the protocol carries nothing else"

# Width of an element in bits, by the number of its type, where it is not the width that numpy's type has.
NARROW_BITS = {
    onnx.TensorProto.UINT4: 4,
    onnx.TensorProto.INT4: 4,
    onnx.TensorProto.FLOAT4E2M1: 4,
    onnx.TensorProto.UINT2: 2,
    onnx.TensorProto.INT2: 2,
}


def byte_count(data_type, shape):
    bits = NARROW_BITS.get(data_type) or 8 * onnx.helper.tensor_dtype_to_np_dtype(data_type).itemsize
    count = 1
    for size in shape:
        count *= size
    return (count * bits + 7) // 8


def parse_model(model):
    """A ModelProto of bytes, or of a file together with what lies beside it."""
    try:
        return onnx.load(model) if isinstance(model, str) else onnx.load_from_string(model)
    except Exception as error:
        raise Refusal("model", f"not an ONNX model: {error}") from error


def caller_inputs(proto):
    """Names of the graph's inputs that are no initialisers. The protocol carries tensors alone."""
    initialisers = {tensor.name for tensor in proto.graph.initializer}
    initialisers.update(tensor.values.name for tensor in proto.graph.sparse_initializer)
    inputs = [value for value in proto.graph.input if value.name not in initialisers]
    for value in [*inputs, *proto.graph.output]:
        kind = value.type.WhichOneof("value")
        if kind not in (None, "tensor_type"):
            raise Refusal("notCovered", f"'{value.name}' is no tensor ({kind})")
    return [value.name for value in inputs]


def parse_tensor(blob):
    try:
        return onnx.TensorProto.FromString(blob)
    except Exception as error:
        raise Refusal("model", f"an input is no tensor: {error}") from error


def array_blob(value):
    """A serialised TensorProto of what numpy calls an array or a scalar."""
    if value is None or isinstance(value, (list, dict)):
        raise Refusal("notCovered", NO_TENSOR)
    return onnx.numpy_helper.from_array(numpy.asarray(value)).SerializeToString()


class Cache(collections.OrderedDict):
    """What `make` makes of a model, by the digest of its bytes; the least recently used goes first."""

    def of(self, model, make):
        key = model if isinstance(model, str) else hashlib.blake2b(model).digest()
        if key not in self:
            if len(self) >= LARGEST_CACHE:
                self.popitem(last=False)
            self[key] = make(model)
        self.move_to_end(key)
        return self[key]


class OnnxRuntime:
    """ONNX Runtime on the host's processor."""

    # How its errors say that it does not know what a model uses.
    UNKNOWN = ("is not a registered function/op", "Unsupported model IR version", "is till opset")

    def __init__(self):
        # Opsets newer than the newest that the release calls official are tried, not refused.
        os.environ.setdefault("ALLOW_RELEASED_ONNX_OPSET_ONLY", "0")
        import onnxruntime
        from onnxruntime.capi import onnxruntime_pybind11_state as errors

        self.library = onnxruntime
        self.errors = errors
        self.program = f"onnxruntime {onnxruntime.__version__}"
        self.cache = Cache()
        onnxruntime.set_default_logger_severity(4)

    def load(self, request):
        return {
            "name": request.get("name") or "onnxruntime",
            "vendor": "Microsoft",
            "version": self.library.__version__,
            "abi": "",
            "path": self.library.__file__,
        }

    def run(self, model, inputs):
        session, names, nodes = self.cache.of(model, self.open)
        if len(inputs) > len(names):
            raise Refusal("model", f"{len(inputs)} inputs for a model of {len(names)}")
        tensors = [parse_tensor(blob) for blob in inputs]
        if any(tensor.data_type == onnx.TensorProto.STRING for tensor in tensors):
            # The one type of which ONNX Runtime takes no values of its own making.
            arrays = {name: onnx.numpy_helper.to_array(tensor) for name, tensor in zip(names, tensors)}
            outputs = [array_blob(array) for array in self.attempt(lambda: session.run(None, arrays))]
        else:
            values = {name: self.value(tensor) for name, tensor in zip(names, tensors)}
            outputs = [self.blob(value) for value in self.attempt(lambda: session.run_with_ort_values(None, values))]
        return {"onnxruntime:0": nodes}, outputs

    def open(self, model):
        proto = parse_model(model)
        names = caller_inputs(proto)
        options = self.library.SessionOptions()
        options.graph_optimization_level = self.library.GraphOptimizationLevel.ORT_DISABLE_ALL
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        session = self.attempt(lambda: self.library.InferenceSession(model, options, providers=["CPUExecutionProvider"]))
        return session, names, len(proto.graph.node)

    def attempt(self, action):
        try:
            return action()
        except self.errors.NotImplemented as error:
            raise Refusal("noKernel", str(error)) from error
        except Exception as error:
            code = "notCovered" if any(sign in str(error) for sign in self.UNKNOWN) else "device"
            raise Refusal(code, f"{type(error).__name__}: {error}") from error

    def value(self, tensor):
        """A tensor of ONNX Runtime with the elements of a serialised one, of any type but string."""
        if not tensor.HasField("raw_data"):
            tensor = onnx.numpy_helper.from_array(onnx.numpy_helper.to_array(tensor))
        shape = list(tensor.dims)
        size = byte_count(tensor.data_type, shape)
        if len(tensor.raw_data) != size:
            raise Refusal("model", f"a tensor of {size} bytes has {len(tensor.raw_data)}")
        value = self.attempt(lambda: self.library.OrtValue.ortvalue_from_shape_and_type(shape, tensor.data_type))
        if size:
            ctypes.memmove(value.data_ptr(), tensor.raw_data, size)
        return value

    def blob(self, value):
        if not value.has_value() or not value.is_tensor():
            raise Refusal("notCovered", NO_TENSOR)
        data_type = value.element_type()
        if data_type == onnx.TensorProto.STRING:
            return array_blob(value.numpy())
        shape = value.shape()
        size = byte_count(data_type, shape)
        tensor = onnx.TensorProto(data_type=data_type, dims=shape)
        tensor.raw_data = ctypes.string_at(value.data_ptr(), size) if size else b""
        return tensor.SerializeToString()


class Reference:
    """The `onnx` package's own evaluator, written in numpy."""

    def __init__(self):
        import onnx.reference

        numpy.seterr(all="ignore")
        self.evaluator = onnx.reference.ReferenceEvaluator
        self.program = f"onnx.reference {onnx.__version__}"
        self.cache = Cache()

    def load(self, request):
        return {
            "name": request.get("name") or "onnx-reference",
            "vendor": "ONNX",
            "version": onnx.__version__,
            "abi": "",
            "path": onnx.__file__,
        }

    def run(self, model, inputs):
        evaluator, names, nodes = self.cache.of(model, self.open)
        if len(inputs) > len(names):
            raise Refusal("model", f"{len(inputs)} inputs for a model of {len(names)}")
        values = {name: onnx.numpy_helper.to_array(parse_tensor(blob)) for name, blob in zip(names, inputs)}
        outputs = self.attempt(lambda: evaluator.run(None, values))
        return {"reference:0": nodes}, [array_blob(output) for output in outputs]

    def open(self, model):
        proto = parse_model(model)
        names = caller_inputs(proto)
        return self.attempt(lambda: self.evaluator(proto)), names, len(proto.graph.node)

    def attempt(self, action):
        try:
            return action()
        except NotImplementedError as error:
            raise Refusal("noKernel", str(error)) from error
        except Exception as error:
            raise Refusal("device", f"{type(error).__name__}: {error}") from error


def main():
    parser = argparse.ArgumentParser(description="ONNX Runtime as a worker of southbridge conform.")
    parser.add_argument("--reference", action="store_true", help="the onnx package's reference evaluator instead")
    arguments = parser.parse_args()
    worker_protocol.serve(Reference() if arguments.reference else OnnxRuntime())


if __name__ == "__main__":
    main()
