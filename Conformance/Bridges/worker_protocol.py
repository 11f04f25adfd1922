# SPDX-License-Identifier: Apache-2.0
"""The worker's side of docs/worker-protocol.md, for programs in Python. Uses the standard library alone.

A bridge gives `serve` an object with

    program                      name and version, for the greeting
    load(request)                -> identity: name, vendor, version, abi, path
    run(model, inputs)           -> (placement, outputs)

where `model` is the bytes of an ONNX model or the path of one, inputs and outputs are serialised TensorProto, and placement counts nodes by
device name. Either may raise `Refusal`; any other exception is answered as the worker's own fault.
"""

import json
import os
import struct

VERSION = 1
MAGIC = b"SBW1"
LARGEST_BLOB_COUNT = 1 << 16
LARGEST_SIZE = 1 << 34


class Refusal(Exception):
    """A request that is not carried out; `code` is one of the protocol's."""

    def __init__(self, code, message):
        super().__init__(message)
        self.code = code


class ProtocolError(Exception):
    """What came in is no frame."""


def read_exactly(stream, count):
    data = stream.read(count)
    if len(data) < count:
        raise EOFError
    return data


def receive(stream):
    """The JSON object of the next frame, and its other blobs. Raises EOFError where the supervisor is gone."""
    magic, count = struct.unpack("<4sI", read_exactly(stream, 8))
    if magic != MAGIC or not 1 <= count <= LARGEST_BLOB_COUNT:
        raise ProtocolError("what the supervisor sent is no frame")
    lengths = struct.unpack(f"<{count}Q", read_exactly(stream, 8 * count))
    if sum(lengths) > LARGEST_SIZE:
        raise ProtocolError("a frame of more than 16 GiB")
    blobs = [read_exactly(stream, length) for length in lengths]
    return json.loads(blobs[0]), blobs[1:]


def send(stream, message, blobs=()):
    blobs = [json.dumps(message).encode(), *blobs]
    stream.write(struct.pack(f"<4sI{len(blobs)}Q", MAGIC, len(blobs), *map(len, blobs)))
    for blob in blobs:
        stream.write(blob)
    stream.flush()


def answer(bridge, request, blobs):
    kind = request.get("type")
    if kind == "hello":
        if request.get("protocol") != VERSION:
            raise Refusal("internal", f"this worker speaks protocol {VERSION}")
        return {"type": "hello", "protocol": VERSION, "program": bridge.program, "capabilities": ["models", "files"]}, ()
    if kind == "load":
        return {"type": "loaded", "identity": bridge.load(request), "devices": [], "kernels": []}, ()
    if kind == "run":
        if not blobs:
            raise Refusal("internal", "a run without a model")
        placement, outputs = bridge.run(request.get("model") or blobs[0], blobs[1:])
        return {"type": "ran", "placement": placement}, outputs
    raise Refusal("internal", f"this worker does not answer '{kind}'")


def serve(bridge):
    """Answers requests until `end` or until the supervisor is gone. What the bridge prints goes to standard error."""
    requests = os.fdopen(os.dup(0), "rb")
    replies = os.fdopen(os.dup(1), "wb")
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(2, 1)
    while True:
        try:
            request, blobs = receive(requests)
        except EOFError:
            return
        if request.get("type") == "end":
            return
        try:
            message, outputs = answer(bridge, request, blobs)
        except Refusal as refusal:
            message, outputs = {"type": "error", "code": refusal.code, "message": str(refusal)}, ()
        except Exception as error:
            message, outputs = {"type": "error", "code": "internal", "message": f"{type(error).__name__}: {error}"}, ()
        send(replies, message, outputs)
