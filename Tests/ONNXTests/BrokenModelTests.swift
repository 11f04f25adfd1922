// SPDX-License-Identifier: Apache-2.0
import Foundation
import ONNX
import Testing

/// Every broken model is one `ONNXError` that names the place and the reason.
@Suite struct BrokenModelTests {
    private let relu = node("Relu", ["x"], ["y"])

    @Test func readsTheModelThatTheOthersBreak() throws {
        #expect(refusal(model(graph([relu]))) == nil)
    }

    @Test func refusesEveryPrefix() throws {
        let whole = model(
            graph([relu], initialisers: [tensor("w", [2]).packed(9, [1, 2] as [Float])]),
            functions: [
                function("F", inputs: ["a"], outputs: ["b"], [node("Relu", ["a"], ["b"])])
            ]
        ).bytes
        var readable: [Int] = []
        for length in 0..<whole.count {
            guard let error = refusal(Wire(bytes: Array(whole[..<length]))) else {
                readable.append(length)
                continue
            }
            #expect(!error.description.isEmpty)
        }
        // What ends between two fields of the model is a whole message again, once graph and operator sets are there.
        #expect(readable.count <= 1)
    }

    @Test func refusesWhatIsNoModel() {
        #expect(refusal(Wire()) == .unreadable("m: not an ONNX model, or damaged: it holds no graph"))
        #expect(
            refusal(Wire(bytes: Array("not a protobuf message".utf8)))?.description.hasPrefix(
                "m: not an ONNX model, or damaged: ") == true)
        #expect(throws: ONNXError.self) { try readModel(path: "/nonexistent/model.onnx") }
    }

    @Test func refusesDeeplyNestedMessages() {
        var body = graph([relu])
        for _ in 0..<500 {
            body = graph([node("If", ["x"], ["y"], [Wire().text(1, "then_branch").message(6, body).int(20, 5)])])
        }
        #expect(
            refusal(model(body))?.description
                == "m: not an ONNX model, or damaged: messages nest deeper than 100 levels")
    }

    @Test func refusesCycles() {
        let cycle = graph([
            node("Add", ["x", "b"], ["a"], name: "first"), node("Relu", ["a"], ["b"], name: "second"),
            node("Relu", ["b"], ["y"]),
        ])
        #expect(refusal(model(cycle)) == .invalid("the graph has a cycle through node 'first' (Add)"))
    }

    @Test func refusesDuplicateNames() {
        let twice = graph([node("Relu", ["x"], ["y"], name: "a"), node("Neg", ["x"], ["y"], name: "b")])
        #expect(refusal(model(twice)) == .invalid("node 'b' (Neg) writes 'y', which already has a value"))
        #expect(
            refusal(model(graph([node("Relu", ["x"], ["x"])], outputs: [value("x")])))
                == .invalid("node 'n' (Relu) writes 'x', which already has a value"))
        #expect(
            refusal(model(graph([relu], inputs: [value("x"), value("x")])))
                == .invalid("two inputs of graph 'g' are named 'x'"))
        let weight = tensor("w", [1]).packed(9, [1] as [Float])
        #expect(
            refusal(model(graph([relu], initialisers: [weight, weight]))) == .invalid("two initialisers are named 'w'"))
    }

    @Test func refusesWhatNothingWrites() {
        #expect(
            refusal(model(graph([node("Relu", ["z"], ["y"])])))
                == .invalid("node 'n' (Relu) reads 'z', which nothing writes"))
        #expect(
            refusal(model(graph([node("Relu", ["x"], ["z"])])))
                == .invalid("the output 'y' of graph 'g' is written by nothing"))
    }

    @Test func refusesUnknownOperators() {
        #expect(
            refusal(model(graph([node("Frobnicate", ["x"], ["y"])])))
                == .unknownOperator(node: "n", domain: "", name: "Frobnicate", opset: 21))
        #expect(
            refusal(model(graph([node("Relu", ["x"], ["y"], domain: "vendor")])))
                == .invalid("node 'n' (Relu): the model imports no operator set of domain 'vendor'"))
        #expect(
            refusal(model(graph([node("Relu", ["x"], ["y"], domain: "vendor")]), imports: [("vendor", 1)]))
                == .unknownOperator(node: "n", domain: "vendor", name: "Relu", opset: 1))
        #expect(refusal(model(graph([node("", ["x"], ["y"])]))) == .invalid("node 'n' (number 0) names no operator"))
    }

    @Test(arguments: [1, 5, 29, 1_000_000_000]) func refusesUnknownOpsets(opset: Int) {
        #expect(
            refusal(model(graph([relu]), opset: opset))
                == .unsupported("the model imports opset \(opset) of ONNX; opsets 6 to 28 are known here"))
    }

    @Test func refusesOperatorsYoungerThanTheOpset() {
        #expect(
            refusal(model(graph([node("Gelu", ["x"], ["y"])]), opset: 19))
                == .unsupported("node 'n' (Gelu): the operator is known here from opset 20 on, but opset 19 is imported"))
    }

    @Test func refusesNodesThatBreakTheSignature() {
        #expect(
            refusal(model(graph([node("Add", ["x"], ["y"])])))
                == .invalid("node 'n' (Add): Add has 2 inputs, but the node names 1"))
        #expect(
            refusal(model(graph([node("Add", ["x", ""], ["y"])])))
                == .invalid("node 'n' (Add): input 'B' of Add is missing"))
        #expect(
            refusal(model(graph([relu], inputs: [value("x", type: 9)])))
                == .invalid("node 'n' (Relu): input 'X' of Relu cannot have type bool"))
    }

    @Test func refusesWrongAttributes() {
        func leaky(_ attributes: Wire...) -> ONNXError? {
            refusal(model(graph([node("LeakyRelu", ["x"], ["y"], attributes)])))
        }
        #expect(leaky(attribute("alpha", float: 0.5)) == nil)
        #expect(
            leaky(attribute("alpha", int: 1))
                == .invalid("node 'n' (LeakyRelu): attribute 'alpha' of LeakyRelu must be of kind float, not int"))
        #expect(
            leaky(attribute("beta", float: 1)) == .invalid("node 'n' (LeakyRelu): LeakyRelu has no attribute 'beta'"))
        #expect(
            leaky(attribute("alpha", float: 1), attribute("alpha", float: 2))
                == .invalid("node 'n' (LeakyRelu): attribute 'alpha' is given twice"))
        #expect(
            leaky(Wire().text(1, "alpha").float(2, 1).int(20, 2))
                == .invalid("node 'n' (LeakyRelu): attribute 'alpha' says that it is of kind int, but holds float"))
        #expect(
            leaky(attribute("alpha", refersTo: "a", type: 1))
                == .invalid(
                    "node 'n' (LeakyRelu): attribute 'alpha' refers to attribute 'a' of a function, but stands outside one"
                ))
    }

    @Test func refusesInputsWithoutUsableType() {
        #expect(refusal(model(graph([relu], inputs: [Wire().text(1, "x")]))) == .invalid("input 'x' has no type"))
        #expect(
            refusal(model(graph([relu], inputs: [value("x", type: 99)])))
                == .unsupported("value 'x': data type number 99 is not known here"))
        #expect(
            refusal(model(graph([relu], inputs: [value("x", ["-3"])])))
                == .invalid("value 'x': its shape has the negative dimension -3"))
    }
}
