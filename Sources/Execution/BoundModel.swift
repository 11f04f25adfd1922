// SPDX-License-Identifier: Apache-2.0
import Graph
package import Tensors

/// A model whose inputs and outputs have their places in host memory once and for all: a run takes what lies there, and allocates nothing.
package final class BoundModel {
    /// In the graph's order. Memory of the model's own, to be written and read between runs.
    package let inputs: [HostTensor]
    package let outputs: [HostTensor]
    package let inputNames: [String]
    package let outputNames: [String]
    private let program: Program

    fileprivate init(_ program: Program, _ graph: Graph, _ inputs: [HostTensor]) throws {
        if let position = program.shapingInput {
            throw ExecutionError.input(
                "input '\(graph[graph.inputs[position]].name)' decides about shapes, so its place cannot be bound; run the session instead")
        }
        let results = try program.makeOutputs()
        outputs = try program.outputs.enumerated().map { index, output in
            switch output {
            case .constant(let tensor): tensor
            case .input(let position, let type): try inputs[position].reshaped(to: type)
            case .downloaded: results[index]!
            case .device:
                throw ExecutionError.input(
                    "the shape of output '\(graph[graph.outputs[index]].name)' depends on data, so its place cannot be bound; run the session instead"
                )
            }
        }
        program.bind(inputs, results)
        self.program = program
        self.inputs = inputs
        inputNames = graph.inputs.map { graph[$0].name }
        outputNames = graph.outputs.map { graph[$0].name }
    }

    package var summary: PlanSummary { program.summary }

    package func run(control: RunControl? = nil) throws(ExecutionError) {
        do {
            try program.launch(times: 1, control: control) {}
        } catch {
            throw ExecutionError(error)
        }
    }
}

extension Session {
    /// Plans for inputs of these types and shapes. The bound inputs begin with these values.
    package func bound(_ inputs: [String: HostTensor]) throws(ExecutionError) -> BoundModel {
        let tensors = try check(inputs)
        do {
            let places = try tensors.map { tensor in
                tensor.dataType == .string ? tensor : try HostTensor(tensor.dataType, tensor.shape) { $0.copyMemory(from: tensor.bytes) }
            }
            return try BoundModel(plan(places, reusing: nil), graph, places)
        } catch {
            throw ExecutionError(error)
        }
    }
}
