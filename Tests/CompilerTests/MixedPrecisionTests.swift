// SPDX-License-Identifier: Apache-2.0
import Compiler
import Graph
import Operators
import Tensors
import Testing

/// What computes in the narrow type, and where casts come to stand. `Draft.optimized` compares what the graph computes, by the types' roundings.
struct MixedPrecisionTests {
    private static func target(_ type: DataType? = .bfloat16, fuses: Bool = false, pinned: String? = nil) -> PassTarget {
        PassTarget(
            offers: { domain, _, _, _ in fuses && domain == FusedStep.domain }, narrows: { _, _, _, _, _ in true },
            isPinned: { $0.name == pinned }, mixed: type)
    }

    static let cases: [(name: String, build: @Sendable (inout Draft) throws -> Void, left: [String])] = [
        (
            "what stands between products goes with them",
            { d in
                let hidden = d.add("Relu", d.add("MatMul", d.input([2, 4]), try weights(&d)))
                d.output(d.add("MatMul", hidden, try weights(&d)))
            }, ["Cast", "MatMul", "Relu", "MatMul", "Cast"]
        ),
        (
            "a softmax stays in float32",
            { d in
                let scores = d.add("Softmax", d.add("MatMul", d.input([2, 4]), try weights(&d)))
                d.output(d.add("MatMul", scores, try weights(&d)))
            }, ["Cast", "MatMul", "Cast", "Softmax", "Cast", "MatMul", "Cast"]
        ),
        (
            "three products share the cast of what they read, and a sum the product's type",
            { d in
                let x = d.input([2, 4])
                let (a, b, c) = (
                    d.add("MatMul", x, try weights(&d)), d.add("MatMul", x, try weights(&d)), d.add("MatMul", x, try weights(&d))
                )
                d.output(d.add("Add", d.add("Add", a, b), c))
            }, ["Cast", "MatMul", "MatMul", "MatMul", "Add", "Add", "Cast"]
        ),
        (
            "a cast stands where fewer bytes pass",
            { d in
                let wide = d.add("MatMul", d.input([2, 4]), try weights(&d))
                d.output(d.add("Exp", d.add("Slice", wide, try d.integers([0]), try d.integers([1]), try d.integers([1]))))
            }, ["Cast", "MatMul", "Slice", "Cast", "Exp"]
        ),
        (
            "a table is cast ahead",
            { d in
                let row = d.add("Gather", try weights(&d), d.input([3], .int64))
                d.output(d.add("MatMul", row, try weights(&d)))
            }, ["Gather", "MatMul", "Cast"]
        ),
        (
            "without products nothing is cast", { d in d.output(d.add("Softmax", d.add("Relu", d.input([2, 4])))) }, ["Relu", "Softmax"]
        ),
        (
            "a comparison reads float32",
            { d in d.output(d.add("Greater", d.add("MatMul", d.input([2, 4]), try weights(&d)), try d.constant([0.1], []))) },
            ["Cast", "MatMul", "Cast", "Greater"]
        ),
        (
            "a value that several sensitive operators read is cast once",
            { d in
                let x = d.add("MatMul", d.input([2, 4]), try weights(&d))
                d.output(d.add("Exp", x), d.add("Softmax", x), x)
            }, ["Cast", "MatMul", "Cast", "Exp", "Softmax"]
        ),
    ]

    private static func weights(_ draft: inout Draft) throws -> ValueID {
        try draft.constant((0..<16).map { Double(($0 * 7 + draft.graph.values.count) % 11) / 8 - 0.6 }, [4, 4])
    }

    @Test(arguments: cases.indices) func castsStandWhereTheyCostLeast(_ index: Int) throws {
        let (name, build, left) = Self.cases[index]
        for type in MixedPrecision.types {
            var draft = Draft()
            try build(&draft)
            let (graph, report) = try draft.optimized(target: Self.target(type))
            #expect(graph.operators.sorted() == left.sorted(), "\(name): \(graph.operators)")
            let entry = try #require(report.entries.first { $0.name == "mixed-precision" })
            #expect(entry.figures["casts"] ?? 0 == left.count { $0 == "Cast" }, "\(name)")
            // By hand: each element that is cast is read in one type and written in the other.
            if index == 3 { #expect(entry.figures["bytes cast"] == 6 * (8 + 2)) }
        }
    }

    @Test func isOffUnlessAskedFor() throws {
        for target in [Self.target(nil), PassTarget(mixed: .bfloat16), Self.target(pinned: "n0")] {
            var draft = Draft()
            draft.output(draft.add("MatMul", draft.input([2, 4]), try Self.weights(&draft)))
            let graph = try draft.optimized(target: target).graph
            #expect(graph.operators == ["MatMul"])
            #expect(graph.constants.values.allSatisfy { $0.dataType == .float32 })
        }
    }

    /// float16 ends at 65504; below 2^-25 a number is zero there.
    @Test(arguments: [(70_000.0, 16, true), (65_504, 16, false), (1e-9, 1, true), (1e-9, 16, false)])
    func whatANarrowTypeDoesNotHoldStays(_ number: Double, _ count: Int, _ staysWide: Bool) throws {
        for type in MixedPrecision.types {
            var draft = Draft()
            let weights = try draft.constant([Double](repeating: number, count: count), count == 1 ? [1, 1] : [4, 4])
            draft.output(draft.add("MatMul", draft.input([2, count == 1 ? 1 : 4]), weights))
            // What overflows in a run, or is lost in one, the verifier would tell.
            let given = try GraphInference(draft.graph, inputs: draft.inputs)
            let graph = try PassManager(Pass.builtIn, target: Self.target(type)).optimize(given, inputs: draft.inputs).inference.graph
            #expect((graph.operators == ["MatMul"]) == (staysWide && type == .float16), "\(number) in \(type.name)")
        }
    }

    @Test func constantsAreRoundedToNearest() throws {
        let numbers = [
            1.00390625, 1.01171875, -1.00390625, 1 + 0x1p-11, 3 * 0x1p-25, 0.1, 0, -0.0, 1e-3, 300, 7, 9, -2.5, 1e-8, 0x1p-15, 5e-5,
        ]
        for type in MixedPrecision.types {
            var draft = Draft()
            draft.output(draft.add("MatMul", draft.input([2, 4]), try draft.constant(numbers, [4, 4])))
            let graph = try draft.optimized(target: Self.target(type)).graph
            let narrow = try #require(graph.constants.values.first { $0.dataType == type })
            #expect(narrow.decodedDoubles() == (try HostTensor(type, [4, 4], doubles: numbers.map { Double(Float($0)) })).decodedDoubles())
        }
    }

    @Test func epiloguesAreFusedInTheNarrowType() throws {
        var draft = Draft()
        let product = draft.add("MatMul", draft.input([2, 4]), try Self.weights(&draft))
        draft.output(draft.add("Relu", draft.add("Add", product, try draft.constant([1, 2, 3, 4]))))
        let graph = try draft.optimized(target: Self.target(fuses: true)).graph
        #expect(graph.operators == ["Cast", "FusedMatMul", "Cast"])
        #expect(graph.constants.values.allSatisfy { $0.dataType == .bfloat16 })
    }

    /// Subgraphs name what they read: it keeps its type.
    @Test func whatASubgraphReadsStays() throws {
        var draft = Draft()
        let x = draft.input([2, 4])
        let condition = draft.input([], .bool)
        let product = draft.add("MatMul", x, try Self.weights(&draft))
        func branch(_ operatorName: String) -> Graph {
            var branch = Graph(name: operatorName)
            let read = branch.addValue("inside")
            branch.captures[read] = draft.graph[product].name
            let made = branch.addValue("made")
            branch.addNode(Node(name: operatorName, operatorName: operatorName, opset: 21, inputs: [read], outputs: [made]))
            branch.outputs = [made]
            return branch
        }
        let chosen = draft.add("If", condition, attributes: ["then_branch": .graph(branch("Relu")), "else_branch": .graph(branch("Neg"))])
        draft.output(draft.add("MatMul", chosen, try Self.weights(&draft)))
        let graph = try draft.optimized(target: Self.target()).graph
        #expect(graph.operators == ["MatMul", "If", "Cast", "MatMul", "Cast"])
    }
}
