// SPDX-License-Identifier: Apache-2.0
import Foundation
import Graph
import ONNX
import Operators
import Tensors
import Testing

/// Functions of a model are inlined; names and symbols survive.
@Suite struct FunctionTests {
    private func read(_ model: Wire) throws -> Graph { try readModel(data: Data(model.bytes)).graph }

    /// scaled(a) = LeakyRelu(a, alpha: slope) + a
    private let scaled = function(
        "Scaled", inputs: ["a"], outputs: ["c"], attributes: ["slope"],
        [
            node("LeakyRelu", ["a"], ["b"], name: "leaky", [attribute("alpha", refersTo: "slope", type: 1)]),
            node("Add", ["a", "b"], ["c"], name: "add"),
        ])

    @Test func inlinesCalls() throws {
        let calls = graph([
            node("Scaled", ["x"], ["h"], name: "first", domain: "own", [attribute("slope", float: 0.5)]),
            node("Scaled", ["h"], ["y"], name: "second", domain: "own"),
        ])
        let graph = try read(model(calls, imports: [("own", 1)], functions: [scaled]))
        #expect(graph.nodes.map(\.name) == ["first/leaky", "first/add", "second/leaky", "second/add"])
        let x = try HostTensor(.float32, [2], [-4, 2] as [Float])
        // -4 → -4 + -2 = -6 → -6 + -0.06; 2 → 4 → 8
        let y = try evaluate(graph, inputs: [graph.inputs[0]: x])[0].decodedDoubles()
        #expect(abs(y[0] + 6.06) < 1e-5 && y[1] == 8)
    }

    @Test func functionGoesBeforeAnOperatorOfTheSameName() throws {
        let own = function("Relu", domain: "", inputs: ["a"], outputs: ["b"], [node("Neg", ["a"], ["b"])])
        #expect(
            try read(model(graph([node("Relu", ["x"], ["y"])]), functions: [own])).nodes.map(\.operatorName) == ["Neg"])
    }

    @Test func handsInputsOn() throws {
        let same = function("Same", inputs: ["a"], outputs: ["a"], [])
        let graph = try read(
            model(graph([node("Same", ["x"], ["y"], domain: "own")]), imports: [("own", 1)], functions: [same]))
        #expect(graph.nodes.map(\.operatorName) == ["Identity"])
    }

    @Test func refusesRecursion() {
        let even = function(
            "Even", inputs: ["a"], outputs: ["b"], [node("Odd", ["a"], ["b"], name: "o", domain: "own")])
        let odd = function("Odd", inputs: ["a"], outputs: ["b"], [node("Even", ["a"], ["b"], name: "e", domain: "own")])
        #expect(
            refusal(
                model(
                    graph([node("Even", ["x"], ["y"], domain: "own")]), imports: [("own", 1)], functions: [even, odd]))
                == .invalid("node 'n/o/e' (Even): the function calls itself: own::Even -> own::Odd -> own::Even"))
    }

    /// 40 functions, each calling the next twice: two to the fortieth nodes out of two kilobytes.
    @Test func refusesExplosions() {
        let levels = (0..<40).map { level in
            function(
                "F\(level)", inputs: ["a"], outputs: ["c"],
                level == 39
                    ? [node("Relu", ["a"], ["c"])]
                    : [
                        node("F\(level + 1)", ["a"], ["b"], name: "l", domain: "own"),
                        node("F\(level + 1)", ["b"], ["c"], name: "r", domain: "own"),
                    ])
        }
        let error = refusal(
            model(graph([node("F0", ["x"], ["y"], domain: "own")]), imports: [("own", 1)], functions: levels))
        #expect(error?.description.hasSuffix("nodes once its functions are inlined") == true)
    }

    @Test func refusesBrokenCalls() {
        func refused(_ call: Wire, _ functions: Wire...) -> String? {
            refusal(model(graph([call]), imports: [("own", 1)], functions: functions))?.description
        }
        #expect(
            refused(node("Scaled", ["x", "x"], ["y"], domain: "own"), scaled)
                == "node 'n' (Scaled) has 2 inputs and 1 outputs, but function 'own::Scaled' takes 1 and gives 1")
        #expect(
            refused(node("Scaled", ["x"], ["y"], domain: "own", [attribute("other", int: 1)]), scaled)
                == "node 'n' (Scaled): function 'own::Scaled' has no attribute 'other'")
        #expect(
            refused(node("Scaled", ["x"], ["y"], domain: "own"), scaled, scaled)
                == "the model defines function 'own::Scaled' twice")
        let writing = function(
            "W", inputs: ["a"], outputs: ["b"], [node("Relu", ["a"], ["a"]), node("Relu", ["a"], ["b"])])
        #expect(
            refused(node("W", ["x"], ["y"], domain: "own"), writing)
                == "function 'own::W': node 'n' (Relu) writes 'a', which already has a value")
    }

    @Test func keepsSymbolsByName() throws {
        let graph = try read(
            model(
                graph(
                    [node("Relu", ["x"], ["y"])], inputs: [value("x", ["batch", "3", ""])],
                    outputs: [value("y", ["batch", "3", "len"])])))
        #expect(graph[graph.inputs[0]].type == TensorType(.float32, [.symbol("batch"), .known(3), .unknown]))
        #expect(graph[graph.outputs[0]].type == TensorType(.float32, [.symbol("batch"), .known(3), .symbol("len")]))
    }

    @Test func sortsNodes() throws {
        let graph = try read(
            model(graph([node("Relu", ["h"], ["y"], name: "b"), node("Neg", ["x"], ["h"], name: "a")])))
        #expect(graph.nodes.map(\.name) == ["a", "b"])
    }
}
