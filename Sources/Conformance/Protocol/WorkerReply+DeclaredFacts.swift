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
    fileprivate var declared: [String] {
        var declared: [String] = []
        if let accumulator { declared.append("accumulator \(accumulator.name)") }
        if let inputBits { declared.append("inputBits \(inputBits)") }
        if let functionError { declared.append("functionError \(functionError)") }
        if truncates { declared.append("truncates") }
        if flushesDenormals { declared.append("flushesDenormals") }
        if usesTransforms { declared.append("usesTransforms") }
        if ignoresNaN { declared.append("ignoresNaN") }
        return declared
    }
}
