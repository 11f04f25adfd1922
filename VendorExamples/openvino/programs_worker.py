# SPDX-License-Identifier: Apache-2.0
"""Gives the suite's cases of single operators to a plugin that has a graph compiler and no kernels: each node becomes a program.

    southbridge conform ./libopenvino_plugin.so --suite operators --worker 'python3 programs_worker.py'

A worker (docs/worker-protocol.md) between the suite and Southbridge's own: it answers with that one's answers, but says that the plugin has a kernel for every operator that the
reference CPU plugin has one for, and asks the plugin's compiler first for every node.
"""

import os
import shutil
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "..", "Conformance", "Bridges"))
from worker_protocol import receive, send  # noqa: E402


class Worker:
    """Southbridge's own worker, in a process of its own."""

    def __init__(self, program):
        self.process = subprocess.Popen([program, "worker"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def ask(self, request, blobs=()):
        send(self.process.stdin, request, blobs)
        return receive(self.process.stdout)

    def end(self):
        self.process.stdin.close()
        return self.process.wait()


def known_kernels(program):
    """What the reference CPU plugin has kernels for."""
    worker = Worker(program)
    folder = os.path.dirname(os.path.realpath(program))
    # Beside the program in a build tree, else where it is installed.
    places = [os.path.join(folder, *place, "libsouthbridge_cpu.so") for place in [(), ("..", "lib", "southbridge")]]
    library = next((place for place in places if os.path.exists(place)), places[-1])
    worker.ask({"type": "hello", "protocol": 1})
    reply, _ = worker.ask({"type": "load", "plugin": library, "device": 0})
    worker.end()
    if reply["type"] != "loaded":
        raise SystemExit(f"the reference CPU plugin is not loaded: {reply.get('message')}")
    return reply["kernels"]


def as_programs(reply, kernels):
    """The plugin's answer to `load`, with a kernel for each of `kernels` that declares what programs declare."""
    keys = ("domain", "operator", "since", "until", "dataTypes")
    numerics = reply.get("programNumerics")
    reply["groups"] = reply["groups"] + ["operators"]
    reply["kernels"] = [
        {"name": "program", "generic": False, **{key: kernel[key] for key in keys if key in kernel}, **({"numerics": numerics} if numerics else {})}
        for kernel in kernels
    ]
    return reply


def main():
    program = shutil.which(os.environ.get("SOUTHBRIDGE", "southbridge"))
    if not program:
        raise SystemExit("there is no program 'southbridge': name its path in the variable SOUTHBRIDGE")
    requests, replies = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    worker = Worker(program)
    while True:
        try:
            request, blobs = receive(requests)
            if request["type"] == "run":
                request["compiling"] = True
            if request["type"] == "end":
                break
            reply, outputs = worker.ask(request, blobs)
        except EOFError:
            # The suite, or the plugin with its worker, has gone.
            break
        if reply["type"] == "loaded":
            reply = as_programs(reply, known_kernels(program))
        send(replies, reply, outputs)
    status = worker.end()
    sys.exit(status if status >= 0 else 128 - status)


if __name__ == "__main__":
    main()
