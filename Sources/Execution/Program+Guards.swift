// SPDX-License-Identifier: Apache-2.0
import Compiler
import Glibc
import Graph
import Southbound
import Tensors

/// What a kernel did to memory that it must leave alone, or left undone.
package struct MemoryMisdeed: Sendable {
    package enum Kind: Sendable {
        /// Bytes outside every tensor, or of an input, have changed.
        case foreignWrite
        /// Bytes of an output were never written.
        case unwritten
        /// Two runs gave different bits, and the kernel promises that they do not.
        case notDeterministic
    }
    package let kind: Kind
    /// For a person.
    package let message: String
}

extension Program {
    /// Runs twice, over memory filled with a different byte each time: what stays of the fill in an output was never written. Only for a program made
    /// with guards.
    func runGuarded(_ inputs: [HostTensor]) throws -> (outputs: [HostTensor], misdeed: MemoryMisdeed?) {
        let (first, firstMisdeed) = try runOnce(inputs, fill: 0xA5)
        if let firstMisdeed { return (first, firstMisdeed) }
        let (second, secondMisdeed) = try runOnce(inputs, fill: 0x5A)
        if let secondMisdeed { return (first, secondMisdeed) }
        for (index, (one, two)) in zip(first, second).enumerated() {
            if let misdeed = differences(output: index, one, two) { return (first, misdeed) }
        }
        return (first, nil)
    }

    static let spreadScale = 2

    /// The elements of a tensor with a gap behind each, as bytes.
    static func spread(_ tensor: HostTensor) throws -> HostTensor {
        let width = tensor.dataType.bits / 8
        guard width > 0 else { throw ExecutionError.input("elements of \(tensor.dataType.name) have no place of their own") }
        return try HostTensor(.uint8, [tensor.byteCount * spreadScale]) { target in
            target.initializeMemory(as: UInt8.self, repeating: 0xFF)
            for index in 0..<tensor.count {
                target.baseAddress!.advanced(by: index * width * spreadScale)
                    .copyMemory(from: tensor.bytes.baseAddress! + index * width, byteCount: width)
            }
        }
    }

    private func runOnce(_ inputs: [HostTensor], fill: UInt8) throws -> ([HostTensor], MemoryMisdeed?) {
        for (device, buffer) in usedArenas() { try device.fill(buffer, byteCount: buffer.byteCount, with: fill) }
        let outputs = try run(inputs)
        for (index, (device, buffer)) in usedArenas().enumerated() {
            let bytes = try HostTensor(.uint8, [buffer.byteCount]) { try device.download(from: buffer, offset: 0, into: $0) }
            if let misdeed = strayWrite(bytes.bytes, device: usedDevices[index], fill: fill) { return (outputs, misdeed) }
            if let misdeed = changedInput(bytes.bytes, device: usedDevices[index], inputs) { return (outputs, misdeed) }
        }
        return (outputs, nil)
    }

    private var usedDevices: [Int] { memory.plans.compactMap(\.device).filter { memory.arenaBuffer(of: $0) != nil } }

    private func usedArenas() -> [(Device, Buffer)] {
        usedDevices.compactMap { index in memory.arenaBuffer(of: index).map { ($0.device, $0) } }
    }

    private func strayWrite(_ bytes: UnsafeRawBufferPointer, device: Int, fill: UInt8) -> MemoryMisdeed? {
        let ranges = memory.tensorRanges(of: device)
        var position = 0
        for index in 0...ranges.count {
            let end = index < ranges.count ? ranges[index].bytes.lowerBound : bytes.count
            if let stray = (position..<max(end, position)).first(where: { bytes[$0] != fill }) {
                let after = index > 0 ? stray - ranges[index - 1].bytes.upperBound : .max
                let before = index < ranges.count ? ranges[index].bytes.lowerBound - stray : .max
                let place =
                    after <= before
                    ? "\(after + 1) bytes past the end of \(label(ranges[index - 1].slot))"
                    : "\(before) bytes before \(label(ranges[index].slot))"
                return MemoryMisdeed(kind: .foreignWrite, message: "something was written \(place)")
            }
            if index < ranges.count { position = ranges[index].bytes.upperBound }
        }
        return nil
    }

    private func changedInput(_ bytes: UnsafeRawBufferPointer, device: Int, _ inputs: [HostTensor]) -> MemoryMisdeed? {
        let ranges = Dictionary(uniqueKeysWithValues: memory.tensorRanges(of: device).map { ($0.slot, $0.bytes) })
        for (slot, input) in inputSlots {
            guard let range = ranges[slot], !range.isEmpty, let given = inputs[input].bytes.baseAddress else { continue }
            if memcmp(bytes.baseAddress! + range.lowerBound, given, range.count) != 0 {
                return MemoryMisdeed(kind: .foreignWrite, message: "input \(input) was changed")
            }
        }
        return nil
    }

    private func label(_ slot: Int) -> String {
        inputSlots.first { $0.slot == slot }.map { "input \($0.input)" } ?? "an output or the workspace"
    }

    private func differences(output: Int, _ one: HostTensor, _ two: HostTensor) -> MemoryMisdeed? {
        guard one.shape == two.shape else {
            return MemoryMisdeed(kind: .notDeterministic, message: "output \(output) has shape \(one.shape), then \(two.shape)")
        }
        if one.byteCount == 0 || memcmp(one.bytes.baseAddress!, two.bytes.baseAddress!, one.byteCount) == 0 { return nil }
        let different = zip(one.bytes, two.bytes).enumerated().filter { $0.element.0 != $0.element.1 }
        let unwritten = different.filter { $0.element == (0xA5, 0x5A) }.count
        if unwritten == different.count {
            return MemoryMisdeed(
                kind: .unwritten,
                message:
                    "\(unwritten) of \(one.byteCount) bytes of output \(output) were never written, the first at byte \(different[0].offset)"
            )
        }
        guard placement.steps.allSatisfy({ $0.kernel?.flags.contains(.deterministic) ?? true }) else { return nil }
        return MemoryMisdeed(
            kind: .notDeterministic,
            message: "two runs with the same inputs differ in \(different.count) of \(one.byteCount) bytes of output \(output)")
    }
}
