// SPDX-License-Identifier: Apache-2.0
package import Compiler
package import Graph
import Operators
package import Southbound
package import Tensors

/// Times the kernels that could run a model's nodes, each node alone on random data, by the device's own clock where it has one.
package struct KernelMeasurement {
    private let graph: Graph
    private let devices: [Device]
    private let libraries: [OperatorLibrary]
    private let rules: PlacementRules
    private static let samples = 5

    package init(_ graph: Graph, devices: [Device], libraries: [OperatorLibrary], rules: PlacementRules) {
        (self.graph, self.devices, self.libraries, self.rules) = (graph, devices, libraries, rules)
    }

    private struct Key: Hashable {
        let signature: NodeSignature
        let device: Int
        let kernel: String
    }

    /// Measures what the cache does not have. Nodes that are alike are measured once.
    /// - Returns: how many kernels were timed, and why others could not be, for a person.
    package func run(_ inputs: [String: HostTensor], into cache: CostCache) throws(ExecutionError) -> (count: Int, remarks: [String]) {
        let tensors = try Session(graph, devices: devices, libraries: libraries, rules: rules).check(inputs)
        do {
            let types = Dictionary(
                zip(graph.inputs, tensors).map { ($0, ConcreteType($1.dataType, $1.shape)) }, uniquingKeysWith: { first, _ in first })
            let values = Dictionary(zip(graph.inputs, tensors), uniquingKeysWith: { first, _ in first })
            let placer = Placer(graph, devices: devices, extraLibraries: libraries, rules: rules, measured: cache)
            var placement = try placer.place(try GraphInference(graph, inputs: types, values: values))
            var done: Set<Key> = []
            var remarks: [String] = []
            let folded = Set(placement.folded)
            for id in graph.nodes.indices.map(NodeID.init) where !folded.contains(id) {
                let bids = try placer.bids(for: id, &placement)
                guard !bids.isEmpty else { continue }
                let signature = try placer.question(for: id, placement).signature
                for device in bids {
                    for bid in device.kernels where bid.cost.origin != .measured {
                        let key = Key(signature: signature, device: device.device, kernel: "\(bid.library.plugin.name)/\(bid.kernel.name)")
                        guard done.insert(key).inserted else { continue }
                        do {
                            let seconds = try time(id, placement, key.device, key.kernel)
                            cache.store(seconds, signature, kernel: bid.kernel.name, of: bid.library.plugin, on: devices[key.device])
                        } catch {
                            remarks.append(
                                "\(key.kernel) on \(devices[key.device].name) was not measured for '\(graph[id].name)': \(error)")
                        }
                    }
                }
            }
            return (done.count - remarks.count, remarks)
        } catch {
            throw ExecutionError(error)
        }
    }

    /// Median seconds of a launch.
    private func time(_ id: NodeID, _ placement: Placement, _ device: Int, _ kernel: String) throws -> Double {
        var alone = PlacementRules()
        (alone.folding, alone.decomposing, alone.compiling, alone.optimizing) = (false, false, false, false)
        alone.onlyKernel = kernel
        let (one, inputs) = try single(id, placement)
        let model = try Session(one, devices: [devices[device]], libraries: libraries, rules: alone).resident(inputs)
        _ = try model.run(times: 1)
        var samples: [Double] = []
        for _ in 0..<Self.samples {
            let timing = try model.run(times: 1)
            samples.append(Double(timing.device ?? timing.total) * 1e-9)
        }
        return samples.sorted()[samples.count / 2]
    }

    /// The node as a graph: what is known stays known, the rest is random.
    private func single(_ id: NodeID, _ placement: Placement) throws -> (Graph, [String: HostTensor]) {
        var node = placement.graph[id]
        var one = Graph(name: node.name)
        var inputs: [String: HostTensor] = [:]
        var numbers: [ValueID: ValueID] = [:]
        for case let value? in node.inputs where numbers[value] == nil {
            let name = "input \(numbers.count)"
            if let known = placement.values[value] {
                let added = one.addValue(name)
                one.constants[added] = known
                numbers[value] = added
            } else {
                guard case .known(let type)? = placement.types[value.index] else { throw GraphError("its shape depends on data") }
                let added = one.addValue(name, type: TensorType(type.dataType, known: type.shape))
                one.inputs.append(added)
                inputs[name] = try randomInput(one[added], seed: 1)
                numbers[value] = added
            }
        }
        node.inputs = node.inputs.map { $0.flatMap { numbers[$0] } }
        node.outputs = node.outputs.map { output in
            guard output != nil else { return nil }
            let added = one.addValue("output \(one.outputs.count)")
            one.outputs.append(added)
            return added
        }
        one.addNode(node)
        return (one, inputs)
    }
}
