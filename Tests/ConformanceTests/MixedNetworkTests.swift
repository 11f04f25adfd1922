// SPDX-License-Identifier: Apache-2.0
import Compiler
import Conformance
import Execution
import Foundation
import Graph
import ONNX
import Operators
import Southbound
import Tensors
import TestSupport
import Testing

/// Networks whose products are computed in a narrow type, on the CPU and on the simulated chip, whose matrix unit multiplies narrow numbers and adds in float32.
@Suite struct MixedNetworkTests {
    private static let npu = Result { () throws in try DeviceSet("npu", installation: .locate()) }
    private static let cpu = Result { () throws in try DeviceSet("cpu", installation: .locate()) }

    private struct Network {
        let graph: Graph
        let inputs: [String: HostTensor]

        init(_ name: String) throws {
            let model = try ModelCase(folder: repository.appending(path: "build/networks/\(name)"), folding: true)
            let graph = try readModel(path: model.model.path).graph
            self.graph = graph
            let tensors = try #require(model.dataSets.first).inputs.map { try readTensor(path: $0.path).tensor }
            inputs = Dictionary(uniqueKeysWithValues: zip(graph.inputs.map { graph[$0].name }, tensors))
        }

        func run(_ set: DeviceSet, _ mixed: DataType?) throws -> (output: [Double], summary: PlanSummary) {
            var rules = PlacementRules()
            (rules.mixed, rules.lastResort) = (mixed, set.fallback)
            let session = Session(graph, devices: set.devices, libraries: set.libraries, rules: rules)
            let output = try session.run(inputs)[0].tensor
            #expect(output.dataType == .float32)
            return (output.decodedDoubles(), try #require(session.summary))
        }

        /// The same by the references, each value rounded to its type.
        func reference(_ set: DeviceSet, _ mixed: DataType?) throws -> [Double] {
            var rules = PlacementRules()
            (rules.mixed, rules.lastResort) = (mixed, set.fallback)
            let values = Dictionary(uniqueKeysWithValues: graph.inputs.map { ($0, inputs[graph[$0].name]!) })
            let types = values.mapValues { ConcreteType($0.dataType, $0.shape) }
            let given = try GraphInference(graph, inputs: types, values: values)
            let (inference, _) = try Optimization(devices: set.devices, libraries: set.libraries, rules: rules).run(
                given, inputs: types, values: values)
            return try PassVerifier.evaluate(inference.graph, values, catalog: .standard, types: inference.types) { node, _, _ in
                throw TestFailure("'\(node.operatorName)' has no reference")
            }[0].decodedDoubles()
        }
    }

    private static func rootMeanSquare(_ values: [Double]) -> Double {
        (values.reduce(0) { $0 + $1 * $1 } / Double(max(values.count, 1))).squareRoot()
    }

    /// With N narrow nodes, two roundings of at most u at each (of what it reads, of what it writes), independent of each other and none made larger on the way, the errors
    /// are √(2N)·u of the output in root mean square.
    @Test(arguments: ["gpt2_small", "llama_small", "unet_small", "squeezenet"], MixedPrecision.types)
    func staysWithinTheRoundingsOfTheType(_ name: String, _ type: DataType) throws {
        let network = try Network(name)
        for set in [try Self.cpu.get(), try Self.npu.get()] {
            let (wide, _) = try network.run(set, nil)
            let (narrow, summary) = try network.run(set, type)
            let figures = try #require(summary.passes.entries.first { $0.name == "mixed-precision" }).figures
            let count = try #require(figures["\(type.name) nodes"])
            #expect(count > 20 && figures["casts"] ?? 0 > 0)
            let error = Self.rootMeanSquare(zip(narrow, wide).map { $0 - $1 }) / Self.rootMeanSquare(wide)
            #expect(error <= (2 * Double(count)).squareRoot() * type.roundingUnit, "\(set.devices[0].name): \(error)")
            // Nothing was narrow, if it were less than what one rounding does.
            #expect(error > type.roundingUnit / 16, "\(set.devices[0].name): \(error)")
        }
    }

    /// The rule for graphs: three times the root mean square that the references' own roundings make, and four times the largest.
    @Test(arguments: ["gpt2_small", "llama_small"], MixedPrecision.types)
    func devicesErrAsTheReferencesDo(_ name: String, _ type: DataType) throws {
        let network = try Network(name)
        for set in [try Self.cpu.get(), try Self.npu.get()] {
            let exact = try network.reference(set, nil)
            let noise = zip(try network.reference(set, type), exact).map { abs($0 - $1) }
            let errors = zip(try network.run(set, type).output, exact).map { abs($0 - $1) }
            #expect(Self.rootMeanSquare(errors) <= 3 * Self.rootMeanSquare(noise), "\(set.devices[0].name)")
            #expect(errors.max()! <= 4 * noise.max()!, "\(set.devices[0].name)")
        }
    }

    /// On a chip that is not large enough for launches alone to count, simulated time falls.
    @Test func takesLessTimeOnTheChip() throws {
        let network = try Network("squeezenet")
        // Its own: counters count what any test runs on a device.
        let set = try DeviceSet("npu", installation: .locate())
        func cycles(_ mixed: DataType?) throws -> UInt64 {
            func count() throws -> UInt64 {
                guard case .cumulative(let value)? = try set.devices[0].counters().first(where: { $0.name == "cycles" })?.value else {
                    return 0
                }
                return value
            }
            let before = try count()
            _ = try network.run(set, mixed)
            return try count() - before
        }
        let (wide, narrow) = (try cycles(nil), try cycles(.bfloat16))
        #expect(Double(narrow) < 0.6 * Double(wide), "\(narrow) of \(wide)")
    }
}
