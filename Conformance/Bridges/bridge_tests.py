# SPDX-License-Identifier: Apache-2.0
"""The bridges without the frameworks behind them: `python -m unittest discover --pattern '*_tests.py'` in this folder."""

import io
import json
import struct
import unittest

import onnx

import corpus_table
import onnxruntime_worker
import worker_protocol
from worker_protocol import Refusal


class FrameTests(unittest.TestCase):
    def test_frames_come_back(self):
        stream = io.BytesIO()
        worker_protocol.send(stream, {"type": "ran", "placement": {"a:0": 1}}, [b"", b"\0" * 70000])
        stream.seek(0)
        message, blobs = worker_protocol.receive(stream)
        self.assertEqual((message["placement"], list(map(len, blobs))), ({"a:0": 1}, [0, 70000]))
        self.assertRaises(EOFError, worker_protocol.receive, stream)

    def test_other_bytes_are_refused(self):
        for head in [struct.pack("<4sI", b"SBW2", 1), struct.pack("<4sI", b"SBW1", 0), struct.pack("<4sIQ", b"SBW1", 1, 1 << 40)]:
            self.assertRaises(worker_protocol.ProtocolError, worker_protocol.receive, io.BytesIO(head + b"{}" * 8))
        self.assertRaises(EOFError, worker_protocol.receive, io.BytesIO(struct.pack("<4sIQ", b"SBW1", 1, 100) + b"{"))

    def test_requests_outside_the_protocol_are_refused(self):
        for request in [{"type": "check", "check": "load/x"}, {"type": "run"}, {"type": "hello", "protocol": 2}, {}]:
            with self.assertRaises(Refusal) as caught:
                worker_protocol.answer(None, request, [])
            self.assertEqual(caught.exception.code, "internal")


class ModelTests(unittest.TestCase):
    def test_elements_narrower_than_a_byte_are_packed(self):
        kinds = onnx.TensorProto
        self.assertEqual([onnxruntime_worker.byte_count(kinds.INT4, shape) for shape in ([], [3], [2, 4], [0, 5])], [1, 2, 4, 0])
        self.assertEqual(onnxruntime_worker.byte_count(kinds.UINT2, [5]), 2)
        self.assertEqual(onnxruntime_worker.byte_count(kinds.BFLOAT16, [3]), 6)
        self.assertEqual(onnxruntime_worker.byte_count(kinds.FLOAT8E5M2, [3]), 3)

    def test_initialisers_are_no_inputs_and_sequences_are_refused(self):
        def value(name):
            return onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [1])

        weight = onnx.helper.make_tensor("w", onnx.TensorProto.FLOAT, [1], [2.0])
        node = onnx.helper.make_node("Add", ["x", "w"], ["y"])
        model = onnx.helper.make_model(onnx.helper.make_graph([node], "g", [value("w"), value("x")], [value("y")], [weight]))
        self.assertEqual(onnxruntime_worker.caller_inputs(model), ["x"])
        model.graph.output[0].type.sequence_type.elem_type.tensor_type.elem_type = onnx.TensorProto.FLOAT
        with self.assertRaises(Refusal) as caught:
            onnxruntime_worker.caller_inputs(model)
        self.assertEqual(caught.exception.code, "notCovered")

    def test_the_cache_forgets_the_oldest(self):
        cache, made = onnxruntime_worker.Cache(), []
        models = [str(number).encode() for number in range(onnxruntime_worker.LARGEST_CACHE)]
        for model in [*models, models[0], b"new", models[0], models[1]]:
            cache.of(model, made.append)
        self.assertEqual(made, [*models, b"new", models[1]])
        self.assertEqual(len(cache), onnxruntime_worker.LARGEST_CACHE)


class ReasonTests(unittest.TestCase):
    def test_each_message_has_its_reason(self):
        for message, status, failure, reason in [
            ("9 : NOT_IMPLEMENTED : Could not find an implementation for Add(14) node", "unsupported", None, ("no kernel", "Add(14)")),
            ("Fatal error: ai.onnx.preview:Own(-1) is not a registered function/op", "unsupported", None, ("operator not known", "Own")),
            ("node 'n' uses operator 'a.b::Own' (opset 1)", "unsupported", None, ("not covered", "Own")),
            ("output 0: 1 of 2 elements differ", "failed", "numeric", ("failed (numeric)", "Neg")),
        ]:
            case = {"message": message, "status": status, "failure": failure, "operator": "Neg"}
            self.assertEqual(corpus_table.reason_of(case), reason, json.dumps(case))


if __name__ == "__main__":
    unittest.main()
