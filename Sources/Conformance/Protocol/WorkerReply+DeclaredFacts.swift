// SPDX-License-Identifier: Apache-2.0
import HardwareModel
import Tensors

extension WorkerReply {
    /// What the plugin declares about its arithmetic beside the strict defaults: each fact with the operators whose kernels declare it, `programs` for what its
    /// compiler makes.
    var declaredFacts: [String: JSONValue] {
        var names: [String: Set<String>] = [:]
        for kernel in kernels ?? [] {
            for fact in kernel.numerics?.declared ?? [] { names[fact, default: []].insert(kernel.operator) }
        }
        for fact in programNumerics?.declared ?? [] { names[fact, default: []].insert("programs") }
        return names.mapValues { .array($0.sorted().map { .string($0) }) }
    }
}

extension NumericFacts {
    /// The names of the facts that differ from the strict defaults.
    var declared: [String] {
        var declared: [String] = []
        if let accumulator { declared.append("accumulator \(accumulator.name)") }
        if let inputBits { declared.append("inputBits \(inputBits)") }
        if let valueType { declared.append("valueType \(valueType.name)") }
        if let functionError { declared.append("functionError \(functionError)") }
        if truncates { declared.append("truncates") }
        if flushesDenormals { declared.append("flushesDenormals") }
        if usesTransforms { declared.append("usesTransforms") }
        if ignoresNaN { declared.append("ignoresNaN") }
        return declared
    }
}

extension Report.Plugin {
    /// With what answers and programs have declared in the cases.
    func declaring(byCase cases: [CaseResult]) -> Report.Plugin {
        var names: [String: Set<String>] = [:]
        for result in cases {
            for fact in result.declared ?? [] { names[fact, default: []].insert(result.operator ?? "programs") }
        }
        var plugin = self
        for (fact, operators) in names {
            var all = operators
            if case .array(let known)? = plugin.declaredFacts[fact] {
                for case .string(let name) in known { all.insert(name) }
            }
            plugin.declaredFacts[fact] = .array(all.sorted().map { .string($0) })
        }
        return plugin
    }
}
