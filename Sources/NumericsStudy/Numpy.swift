// SPDX-License-Identifier: Apache-2.0
import Conformance
import Foundation
import Graph
import Operators
import Tensors

/// A Python process that computes calls with numpy: a line of JSON and the bytes of the inputs go in, a line of JSON and the bytes of the result come out
/// (`Conformance/Bridges/numerics_numpy.py`). One thread at a time.
package final class Numpy {
    private let process = Process()
    private let requests = Pipe()
    private let replies = Pipe()
    private let replyFile: UnsafeMutablePointer<FILE>

    private struct Tensor: Codable {
        let dtype: String
        let shape: [Int]
        let bytes: Int
    }
    private struct Request: Codable {
        let name: String
        let numbers: [String: Double]
        let lists: [String: [Int]]
        let inputs: [Tensor?]
        let output: Tensor
    }
    private struct Reply: Codable {
        /// Negative: numpy has no such operator here.
        let bytes: Int
    }

    /// - Throws: if the program cannot be started.
    package init(python: String, script: String) throws {
        process.executableURL = URL(fileURLWithPath: python)
        process.arguments = [script]
        process.standardInput = requests
        process.standardOutput = replies
        guard let file = fdopen(replies.fileHandleForReading.fileDescriptor, "rb") else {
            throw ConformanceError.internal("no pipe to numpy")
        }
        replyFile = file
        try process.run()
    }

    deinit {
        try? requests.fileHandleForWriting.close()
        process.waitUntilExit()
    }

    /// The first output; nil where numpy is not asked. Throws if the process fails.
    func output(_ judge: Judge) throws -> HostTensor? {
        let call = judge.call
        guard let result = judge.results[0], let attributes = judge.context.simpleAttributes(call.definition) else { return nil }
        let request = Request(
            name: call.definition.name, numbers: attributes.numbers, lists: attributes.lists,
            inputs: call.inputs.map { $0.map { Tensor(dtype: $0.dataType.name, shape: $0.shape, bytes: $0.byteCount) } },
            output: Tensor(dtype: result.dataType.name, shape: result.shape, bytes: result.dataType.byteCount(of: result.count) ?? 0))
        var message = try JSONEncoder().encode(request)
        message.append(UInt8(ascii: "\n"))
        for case let input? in call.inputs { message.append(contentsOf: input.bytes) }
        try requests.fileHandleForWriting.write(contentsOf: message)
        var line = [CChar](repeating: 0, count: 256)
        guard fgets(&line, Int32(line.count), replyFile) != nil else {
            throw ConformanceError.internal("numpy's process ended: its error is above")
        }
        let text = line.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }
        let reply = try JSONDecoder().decode(Reply.self, from: Data(text))
        guard reply.bytes >= 0 else { return nil }
        return try HostTensor(result.dataType, result.shape) { target in
            guard target.count == reply.bytes, fread(target.baseAddress, 1, target.count, replyFile) == target.count || target.isEmpty
            else {
                throw ConformanceError.internal("numpy gave \(reply.bytes) bytes for \(call.definition.name), not \(target.count)")
            }
        }
    }
}

extension ReferenceContext {
    /// Attributes as numbers and lists; strings that change the meaning make it nil.
    fileprivate func simpleAttributes(_ definition: OperatorDefinition) -> (numbers: [String: Double], lists: [String: [Int]])? {
        var (numbers, lists) = ([String: Double](), [String: [Int]]())
        for name in definition.attributes.keys {
            if let value = attributes.int(name) { numbers[name] = Double(value) }
            if let value = attributes.float(name) { numbers[name] = value }
            if let value = attributes.ints(name) { lists[name] = value }
            if let value = attributes.string(name), !["none", "NOTSET", "up"].contains(value) { return nil }
        }
        return (numbers, lists)
    }
}
