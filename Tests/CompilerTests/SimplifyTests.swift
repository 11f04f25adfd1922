// SPDX-License-Identifier: Apache-2.0
import Compiler
import Foundation
import Graph
import Operators
import Tensors
import Testing

/// What the passes of the stage `simplify` make of small graphs. `Draft.optimized` compares numbers after each pass.
struct SimplifyTests {
    /// By name: a graph, and the operators that are left of it.
    static let cases: [(name: String, build: @Sendable (inout Draft) throws -> Void, left: [String])] = [
        ("identity", { d in d.output(d.add("Identity", d.add("Relu", d.input([2, 3])))) }, ["Relu"]),
        ("add minus zero", { d in d.output(d.add("Add", d.input([3]), try d.constant([-0.0], []))) }, []),
        ("add zero keeps -0 apart", { d in d.output(d.add("Add", d.input([3]), try d.constant([0], []))) }, ["Add"]),
        ("subtract zero", { d in d.output(d.add("Sub", d.input([3]), try d.constant([0], []))) }, []),
        ("times one", { d in d.output(d.add("Mul", try d.constant([1, 1, 1]), d.input([3]))) }, []),
        ("times zero is not zero of NaN", { d in d.output(d.add("Mul", d.input([3]), try d.constant([0], []))) }, ["Mul"]),
        ("broadcast by one", { d in d.output(d.add("Mul", d.input([3]), try d.constant([1, 1], [2, 1]))) }, ["Mul"]),
        ("divided by one", { d in d.output(d.add("Div", d.input([3]), try d.constant([1], []))) }, []),
        ("one divided by", { d in d.output(d.add("Div", try d.constant([1], []), d.input([3]))) }, ["Div"]),
        (
            "transposes undo",
            { d in
                let once = d.add("Transpose", d.input([2, 3, 4]), attributes: ["perm": .ints([1, 2, 0])])
                d.output(d.add("Transpose", once, attributes: ["perm": .ints([2, 0, 1])]))
            }, []
        ),
        (
            "transposes join",
            { d in
                let once = d.add("Transpose", d.input([2, 3, 4]), attributes: ["perm": .ints([1, 2, 0])])
                d.output(d.add("Transpose", once, attributes: ["perm": .ints([1, 0, 2])]))
            }, ["Transpose"]
        ),
        (
            "views join",
            { d in
                let flat = d.add("Reshape", d.input([2, 3, 4]), try d.integers([6, -1]))
                d.output(d.add("Unsqueeze", flat, try d.integers([0])))
            }, ["Reshape"]
        ),
        (
            "views undo",
            { d in
                let flat = d.add("Flatten", d.input([2, 3, 4]))
                d.output(d.add("Relu", d.add("Reshape", flat, try d.integers([2, 3, 4]))))
            }, ["Relu"]
        ),
        (
            "casts join",
            { d in
                let wide = d.add("Cast", d.input([3], .float16), attributes: ["to": .int(Int64(DataType.float32.rawValue))])
                d.output(d.add("Cast", wide, attributes: ["to": .int(Int64(DataType.float64.rawValue))]))
            }, ["Cast"]
        ),
        (
            "casts undo",
            { d in
                let wide = d.add("Cast", d.input([3], .int32), attributes: ["to": .int(Int64(DataType.float64.rawValue))])
                d.output(d.add("Cast", wide, attributes: ["to": .int(Int64(DataType.int32.rawValue))]))
            }, []
        ),
        (
            "casts that round stay",
            { d in
                let narrow = d.add("Cast", d.input([3]), attributes: ["to": .int(Int64(DataType.float16.rawValue))])
                d.output(d.add("Cast", narrow, attributes: ["to": .int(Int64(DataType.float32.rawValue))]))
            }, ["Cast", "Cast"]
        ),
        ("negations undo", { d in d.output(d.add("Neg", d.add("Neg", d.input([3])))) }, []),
        ("relu of relu", { d in d.output(d.add("Relu", d.add("Relu", d.input([3])))) }, ["Relu"]),
        (
            "reversed slice stays",
            { d in
                let (ends, axes, steps) = (try d.integers([-5]), try d.integers([0]), try d.integers([-1]))
                d.output(d.add("Slice", d.input([4]), try d.integers([3]), ends, axes, steps))
            }, ["Slice"]
        ),
        ("whole slice", { d in d.output(d.add("Slice", d.input([4]), try d.integers([0]), try d.integers([9]))) }, []),
        ("dropout of inference", { d in d.output(d.add("Dropout", d.input([4]))) }, []),
        (
            "constants",
            { d in
                let sum = d.add("Add", try d.constant([1, 2, 3]), try d.constant([4, 5, 6]))
                d.output(d.add("Mul", d.input([3]), d.add("Neg", sum)))
            }, ["Mul"]
        ),
        (
            "large constants stay unmade",
            { d in
                let large = d.add("Expand", try d.constant([2], [1]), try d.integers([64, 1024]))
                d.output(d.add("Mul", d.input([64, 1024]), large))
            }, ["Expand", "Mul"]
        ),
        (
            "shapes",
            { d in
                let x = d.input([2, 3, 4])
                let size = d.add("Gather", d.add("Shape", d.add("Relu", x)), try d.integers([1], []))
                let shape = d.add(
                    "Concat", try d.integers([-1]), d.add("Unsqueeze", size, try d.integers([0])), attributes: ["axis": .int(0)])
                d.output(d.add("Reshape", x, shape))
            }, ["Reshape"]
        ),
        (
            "common subexpressions",
            { d in
                let x = d.input([3])
                let (a, b) = (d.add("Mul", x, try d.constant([2], [])), d.add("Mul", x, try d.constant([2], [])))
                d.output(d.add("Add", d.add("Exp", a), d.add("Exp", b)))
            }, ["Mul", "Exp", "Add"]
        ),
        (
            "random numbers are not common",
            { d in
                func draw(_ d: inout Draft) -> ValueID { d.add("RandomNormal", attributes: ["shape": .ints([2])]) }
                let sum = d.add("Mul", d.add("Sub", draw(&d), draw(&d)), try d.constant([0], []))
                d.output(d.add("IsNaN", sum))
            }, ["RandomNormal", "RandomNormal", "Sub", "Mul", "IsNaN"]
        ),
        (
            "dead code",
            { d in
                let x = d.input([3])
                _ = d.add("Exp", d.add("Neg", x))
                d.output(d.add("Relu", x))
            }, ["Relu"]
        ),
    ]

    /// Where a device has a kernel for it: then what a product ends with can be joined to it.
    @Test func aSumOfTwoIsAnAdd() throws {
        let target = PassTarget(offers: { _, name, version, type in name == "Add" && version == 14 && type == .float32 })
        func left(_ type: DataType, _ count: Int, _ target: PassTarget) throws -> [String] {
            var draft = Draft()
            let terms = (0..<count).map { _ in draft.input([2, 3], type) }
            let sum = count == 2 ? draft.add("Sum", terms[0], terms[1]) : draft.add("Sum", terms[0], terms[1], terms[2])
            draft.output(draft.add("Relu", sum))
            return try draft.optimized(target: target).graph.operators
        }
        #expect(try left(.float32, 2, target) == ["Add", "Relu"])
        #expect(try left(.float32, 3, target) == ["Sum", "Relu"])
        #expect(try left(.float16, 2, target) == ["Sum", "Relu"])
        #expect(try left(.float32, 2, PassTarget()) == ["Sum", "Relu"])
    }

    @Test(arguments: cases.indices) func isSimplified(_ index: Int) throws {
        let (name, build, left) = Self.cases[index]
        var draft = Draft()
        try build(&draft)
        let (graph, report) = try draft.optimized()
        #expect(graph.operators == left, "\(name)")
        #expect(report.remarks.isEmpty)
        #expect(graph.outputs.count == draft.graph.outputs.count)
    }

    @Test func provenanceSurvives() throws {
        var draft = Draft()
        let x = draft.input([2, 3])
        let flat = draft.add("Reshape", x, try draft.integers([6]))
        draft.output(draft.add("Relu", draft.add("Reshape", draft.add("Identity", flat), try draft.integers([3, 2]))))
        let (graph, _) = try draft.optimized()
        #expect(graph.operators == ["Reshape", "Relu"])
        #expect(graph.modelNodeCount == 4)
        #expect(graph.origins(of: NodeID(0)) == [NodeID(2)] && graph.origins(of: NodeID(1)) == [NodeID(3)])
    }

    @Test func passesAreSwitchedOffAndCounted() throws {
        var draft = Draft()
        draft.output(draft.add("Relu", draft.add("Neg", draft.add("Neg", draft.input([3])))))
        let (all, report) = try draft.optimized()
        #expect(all.operators == ["Relu"])
        let entry = try #require(report.entries.first { $0.name == "algebra" })
        #expect(entry.rewrites == 1 && entry.nodesBefore == 3 && entry.nodesAfter == 1 && entry.runs == 2)
        #expect(try draft.optimized(disabled: ["algebra"]).graph.operators == ["Neg", "Neg", "Relu"])
    }

    /// A plugin's pass with a fault is undone and named; one of the stack's own is an error.
    @Test(arguments: [nil, "vendor"]) func aFaultIsNamed(_ plugin: String?) throws {
        var draft = Draft()
        draft.output(draft.add("Neg", draft.add("Relu", draft.input([3]))))
        let wrong = Pass("abs-for-neg", help: "", stage: .fuse, plugin: plugin) { graph in
            for id in graph.nodes where graph.node(id)?.operatorName == "Neg" {
                graph.substitute(id, by: "Exp", [graph.node(id)!.inputs[0]])
            }
        }
        guard plugin != nil else {
            #expect(throws: PassFault.self) { try draft.optimized([wrong]) }
            return
        }
        let (graph, report) = try draft.optimized([wrong])
        #expect(graph.operators == ["Relu", "Neg"])
        #expect(report.remarks.count == 1 && report.remarks[0].contains("abs-for-neg") && report.remarks[0].contains("vendor"))
    }

    @Test func outputsThatAreInputsOrEqualAreKept() throws {
        var draft = Draft()
        let x = draft.input([3])
        draft.output(draft.add("Identity", x), draft.add("Exp", x), draft.add("Exp", x), x)
        let (graph, _) = try draft.optimized()
        #expect(graph.operators == ["Exp"] && graph.outputs[0] == x && graph.outputs[1] == graph.outputs[2] && graph.outputs[3] == x)
    }

    /// Time grows with the number of nodes, whatever many nodes read together.
    @Test func largeGraphsTakeLinearTime() throws {
        func seconds(_ count: Int) throws -> Double {
            var draft = Draft()
            let x = draft.input([2])
            let shared = try draft.constant([0.5], [])
            var last = x
            for index in 0..<count / 4 {
                let twice = draft.add("Mul", draft.add("Identity", last), shared)
                let other = draft.add("Add", twice, x)
                last = index % 3 == 0 ? draft.add("Relu", other) : draft.add("Neg", other)
            }
            draft.output(last)
            let inference = try GraphInference(draft.graph, inputs: draft.inputs)
            let start = ContinuousClock.now
            let (result, _) = try PassManager(Pass.builtIn).optimize(inference, inputs: draft.inputs)
            #expect(result.graph.nodes.count <= 3 * count / 4)
            return (ContinuousClock.now - start) / .seconds(1)
        }
        _ = try seconds(1000)
        let (small, large) = (try seconds(5000), try seconds(100_000))
        print("passes over 5,000 nodes: \(small) s; over 100,000: \(large) s")
        #expect(large < 60 * max(small, 0.02), "\(small) s for 5,000 nodes, \(large) s for 100,000")
    }
}
