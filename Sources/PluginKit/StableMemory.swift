// SPDX-License-Identifier: Apache-2.0
import CSouthbridge
import Synchronization

/// C values that keep their address until this object goes away.
final class StableMemory {
    private var allocations: [UnsafeMutableRawPointer] = []

    deinit { for allocation in allocations { allocation.deallocate() } }

    func array<Value: BitwiseCopyable>(_ values: [Value]) -> UnsafeMutablePointer<Value> {
        let memory = UnsafeMutablePointer<Value>.allocate(capacity: max(values.count, 1))
        memory.initialize(from: values, count: values.count)
        allocations.append(memory)
        return memory
    }

    func value<Value: BitwiseCopyable>(_ value: Value) -> UnsafeMutablePointer<Value> { array([value]) }

    /// For lists whose entries are pointers to structs that may grow.
    func pointers<Value: BitwiseCopyable>(_ values: [Value]) -> UnsafePointer<UnsafePointer<Value>?> {
        let memory = array(values)
        return UnsafePointer(array(values.indices.map { UnsafePointer<Value>?(memory + $0) }))
    }

    func string(_ text: String) -> sb_string {
        if text.isEmpty { return sb_string() }
        let bytes = Array(text.utf8CString)
        return sb_string(data: array(bytes), length: bytes.count - 1)
    }
}

/// Texts that keep their address until this object goes away, each made once.
final class StableTexts: Sendable {
    private struct Texts: @unchecked Sendable {
        let memory = StableMemory()
        var made: [String: sb_string] = [:]
    }
    private let texts = Mutex(Texts())

    func string(_ text: String) -> sb_string {
        texts.withLock { texts in
            if let made = texts.made[text] { return made }
            let made = texts.memory.string(text)
            texts.made[text] = made
            return made
        }
    }
}
