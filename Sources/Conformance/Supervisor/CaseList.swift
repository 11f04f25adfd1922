// SPDX-License-Identifier: Apache-2.0
import Compiler
import Foundation
import Graph
import ONNX
import Southbound
import Synchronization
import Tensors

/// The cases of a run, in the order in which they are run: level by level, within a level shuffled by the seed, so that nothing can depend on an order.
struct CaseList {
    let cases: [Case]
    let trust: GroupTrust

    init(_ settings: RunSettings, installation: Installation) throws(ConformanceError) {
        let suites = Self.suites(settings, installation).filter { $0.level <= settings.level }
        if let suite = settings.suite, !suites.contains(where: { $0.name == suite }) {
            throw .usage("there is no suite '\(suite)'; there are \(suites.map(\.name).sorted().joined(separator: ", "))")
        }
        var chosen: [Case] = []
        for suite in suites where settings.suite == nil || settings.suite == suite.name {
            if let filter = settings.filter, Self.excludes(filter, suite: suite.name) { continue }
            chosen += try suite.cases()
        }
        let isGenerated = settings.suite.map { [Case.generatedSuite, RelatedCase.suite].contains($0) } ?? (settings.level >= .operators)
        trust = GroupTrust(isGenerated ? GeneratedCase.standard : [], seed: settings.seed)
        if settings.tier == .smoke {
            let members = GroupTrust.smokeTier(GeneratedCase.standard)
            chosen.removeAll {
                $0.level >= .operators && !(["probes", "layouts"].contains($0.suite) || members.contains($0.id) || $0.isFirstOfItsGraph)
            }
        }
        if let shard = settings.shard.flatMap(Shard.init) {
            chosen.removeAll { !$0.belongs(to: shard) }
        }
        if let filter = settings.filter {
            chosen.removeAll { !Self.matches($0, filter) }
            if chosen.isEmpty { throw .usage("no case matches the filter '\(filter)'") }
        }
        Self.dropUnrelated(&chosen)
        if chosen.isEmpty { throw .usage("the run has no case") }
        let shuffled = chosen.map { ($0, CounterRandom(seed: settings.seed, case: $0.id, tensor: "order").word(0)) }
            .sorted { ($0.0.level, $0.1) < ($1.0.level, $1.1) }.map(\.0)
        cases = settings.cases.map { Array(shuffled.prefix($0)) } ?? shuffled
    }

    /// Every suite with what makes its cases.
    private static func suites(
        _ settings: RunSettings, _ installation: Installation
    ) -> [(name: String, level: Level, cases: () throws(ConformanceError) -> [Case])] {
        func operators<Body>(_ bodies: [Body], _ specification: [String], _ make: (Body) -> (id: String, body: Case.Body)) -> [Case] {
            bodies.map { body in
                let (id, body) = make(body)
                return Case(id: id, level: .operators, body: body, specification: specification)
            }
        }
        var suites: [(name: String, level: Level, cases: () throws(ConformanceError) -> [Case])] = [
            ("load", .load, { Case.checks().filter { $0.level == .load } }),
            ("driver", .driver, { Case.checks().filter { $0.level == .driver } }),
            (
                Case.generatedSuite, .operators,
                { operators(GeneratedCase.standard, Case.generatedSpecification) { ($0.id, .generated($0)) } }
            ),
            ("offers", .operators, { operators(Offer.all(GeneratedCase.standard), ["SB-OPS-002", "SB-OPS-003"]) { ($0.id, .offer($0)) } }),
            (
                RelatedCase.suite, .operators,
                { operators(RelatedCase.candidates(), Case.generatedSpecification) { ($0.id, .relation($0)) } }
            ),
            (
                GoldenCase.suite, .operators,
                { () throws(ConformanceError) in
                    operators(try GoldenCase.all(in: installation.golden.appending(path: "operators")), Case.generatedSpecification) {
                        ($0.id, .golden($0))
                    }
                }
            ),
            ("layouts", .operators, { Case.checks().filter { $0.level == .operators } }),
            (
                "probes", .operators,
                { operators(Probe.all, ["SB-NUM-001", "SB-NUM-002", "SB-NUM-003", "SB-NUM-004"]) { ($0.id, .probe($0)) } }
            ),
            (
                "onnx", .operators,
                { () throws(ConformanceError) in
                    try Case.corpus(try present(installation.corpus), suite: "onnx", level: .operators, folding: false)
                }
            ),
            (
                GraphCase.suite, .graphs,
                { GraphCase.all.map { Case(id: $0.id, level: .graphs, body: .graph($0), specification: $0.aspect.specification) } }
            ),
            (
                PassCase.suite, .graphs,
                { PassCase.all.map { Case(id: $0.id, level: .graphs, body: .pass($0), specification: PassCase.specification) } }
            ),
            (
                "networks", .models,
                { () throws(ConformanceError) in
                    try Case.corpus(try present(installation.networks), suite: "networks", level: .models, folding: true)
                }
            ),
        ]
        if let corpus = settings.corpus {
            suites.append(
                (
                    "corpus", .operators,
                    { () throws(ConformanceError) in
                        try Case.corpus(URL(fileURLWithPath: corpus), suite: "corpus", level: .operators, folding: false)
                    }
                ))
        }
        return suites
    }

    /// Leaves out the relations that operators do not have. Late, for only the reference can tell.
    private static func dropUnrelated(_ cases: inout [Case]) {
        let candidates = cases.indices.filter { if case .relation = cases[$0].body { true } else { false } }
        let unrelated = Mutex(Set<Int>())
        let all = cases
        DispatchQueue.concurrentPerform(iterations: candidates.count) { position in
            guard case .relation(let related) = all[candidates[position]].body, !related.holds else { return }
            unrelated.withLock { _ = $0.insert(candidates[position]) }
        }
        let dropped = unrelated.withLock { $0 }
        cases = cases.indices.filter { !dropped.contains($0) }.map { cases[$0] }
    }

    static func present(_ folder: URL) throws(ConformanceError) -> URL {
        guard access(folder.path, R_OK) == 0 else {
            throw .usage("the suite's cases are not in \(folder.path): run 'make setup data' in the source tree, or stop at --level driver")
        }
        return folder
    }

    /// The filter begins with the name of another suite, so that none of this one's cases is made, or missed where they are not there.
    private static func excludes(_ filter: String, suite: String) -> Bool {
        guard let end = filter.firstIndex(of: "/") else { return false }
        let name = filter[..<end]
        return !name.contains(where: "*?[\\".contains) && name != suite
    }

    /// A shell pattern on the whole id, on its last part, or (without a slash) on an operator's name.
    private static func matches(_ testCase: Case, _ pattern: String) -> Bool {
        if Compiler.matches(testCase.id, pattern) { return true }
        guard !pattern.contains("/") else { return false }
        if Compiler.matches(String(testCase.id.split(separator: "/").last ?? ""), pattern) { return true }
        switch testCase.body {
        case .generated(let generated): return Compiler.matches(generated.operatorName, pattern)
        case .golden(let golden): return Compiler.matches(golden.operatorName, pattern)
        case .relation(let related): return Compiler.matches(related.base.operatorName, pattern)
        default: break
        }
        guard case .model(let model) = testCase.body, !model.folding, let data = try? Data(contentsOf: model.model, options: .mappedIfSafe),
            let graph = try? readModel(data: data, allowingUnknownOperators: true).graph
        else { return false }
        return graph.nodes.contains { Compiler.matches($0.operatorName, pattern) }
    }
}

extension Case {
    /// Of the smoke tier: each named graph once, on the data that show most.
    fileprivate var isFirstOfItsGraph: Bool {
        if case .pass(let pass) = body { return pass.type == .float32 }
        guard case .graph(let graph) = body, case .pattern = graph.shape else { return false }
        return graph.type == .float32 && (graph.data == .exact || graph.aspect.isTrial)
    }
}
