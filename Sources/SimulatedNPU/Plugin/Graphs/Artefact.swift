// SPDX-License-Identifier: Apache-2.0
import PluginKit
import SimulatedNPUMachine

/// A compiled program as bytes: its instructions, its slots, its packed constants.
///
/// Layout, little-endian: 8 bytes of name, version (4), digest of the machine (8), bytes of what follows (8), the program, CRC-32 of everything before it (4).
enum Artefact {
    private static let name: [UInt8] = Array("SBNPUART".utf8)
    /// Grows with every change of the layout or of an instruction.
    private static let version: UInt32 = 1
    private static let headerBytes = 28

    static func bytes(of resident: ResidentProgram) -> [UInt8] {
        let lowering = resident.lowering
        var program = ByteWriter()
        program.add(UInt64(lowering.workspace))
        program.add(UInt64(lowering.sources.count))
        for (slot, source) in lowering.sources.enumerated() {
            let (kind, value): (UInt64, UInt64)
            switch source {
            case .input(let index): (kind, value) = (0, UInt64(index))
            case .output(let index): (kind, value) = (1, UInt64(index))
            case .workspace(let offset): (kind, value) = (2, UInt64(offset))
            case .constant: (kind, value) = (3, 0)
            }
            program.add(kind)
            program.add(value)
            program.add(UInt64(lowering.slotBytes[slot]))
            if case .constant = source { program.bytes += resident.constant(slot).prefix(lowering.slotBytes[slot]) }
        }
        lowering.program.write(to: &program)
        var result = ByteWriter()
        result.bytes = name
        result.add(version)
        result.add(resident.device.profile.digest)
        result.add(UInt64(program.bytes.count))
        result.bytes += program.bytes
        result.add(result.bytes.withUnsafeBytes { crc32($0[...]) })
        return result.bytes
    }

    static func verdict(_ bytes: UnsafeRawBufferPointer, _ profile: Profile) -> ArtefactVerdict {
        guard bytes.count >= headerBytes + 4, bytes.prefix(8).elementsEqual(name) else { return .damaged }
        var reader = ByteReader(bytes, from: 8)
        guard let version = reader.take(UInt32.self), let digest = reader.take(UInt64.self), let count = reader.take(UInt64.self),
            count == UInt64(bytes.count - headerBytes - 4),
            bytes.loadUnaligned(fromByteOffset: bytes.count - 4, as: UInt32.self) == crc32(bytes.dropLast(4))
        else { return .damaged }
        if version != self.version { return .otherVersion }
        return digest == profile.digest ? .compatible : .otherDevice
    }

    /// Throws if the bytes describe no program, whatever their checksum says.
    static func program(_ bytes: UnsafeRawBufferPointer, _ profile: Profile) throws(PluginFailure) -> Lowering {
        let damaged = PluginFailure.invalid("the artefact is damaged")
        var reader = ByteReader(bytes, from: headerBytes, to: bytes.count - 4)
        guard let workspace = reader.take(UInt64.self), workspace < 1 << 48, let count = reader.take(UInt64.self), count < 1 << 16 else {
            throw damaged
        }
        var (sources, slotBytes): ([SlotSource], [Int]) = ([], [])
        for _ in 0..<count {
            guard let kind = reader.take(UInt64.self), let value = reader.take(UInt64.self), value < 1 << 48,
                let size = reader.take(UInt64.self), size < 1 << 48
            else { throw damaged }
            switch kind {
            case 0: sources.append(.input(Int(value)))
            case 1: sources.append(.output(Int(value)))
            case 2:
                guard value + size <= workspace else { throw damaged }
                sources.append(.workspace(offset: Int(value)))
            case 3:
                guard let constant = reader.take(bytes: Int(size)) else { throw damaged }
                sources.append(.constant { target in target.copyMemory(from: constant, byteCount: constant.count) })
            default: throw damaged
            }
            slotBytes.append(Int(size))
        }
        let firstOutput = sources.indices.first { slot in
            if case .output = sources[slot], slotBytes[slot] > 0 { true } else { false }
        }
        guard let program = TileProgram(reading: &reader, profile, slotBytes: slotBytes, firstOutput: firstOutput), reader.isAtEnd else {
            throw damaged
        }
        return Lowering(program: program, sources: sources, slotBytes: slotBytes, workspace: Int(workspace))
    }

    /// The reflected polynomial 0xEDB88320 (ISO 3309).
    private static func crc32(_ bytes: Slice<UnsafeRawBufferPointer>) -> UInt32 {
        ~bytes.reduce(~UInt32(0)) { crc, byte in table[Int(UInt8(truncatingIfNeeded: crc) ^ byte)] ^ crc >> 8 }
    }

    private static let table: [UInt32] = (0..<256).map { index in
        (0..<8).reduce(UInt32(index)) { value, _ in value & 1 == 1 ? 0xEDB8_8320 ^ value >> 1 : value >> 1 }
    }
}

struct ByteWriter {
    var bytes: [UInt8] = []

    mutating func add(_ value: some FixedWidthInteger) { withUnsafeBytes(of: value.littleEndian) { bytes += $0 } }
}

/// Reads what may end anywhere.
struct ByteReader {
    private let bytes: UnsafeRawBufferPointer
    private var place: Int
    private let end: Int

    init(_ bytes: UnsafeRawBufferPointer, from place: Int, to end: Int? = nil) {
        self.bytes = bytes
        self.place = place
        self.end = end ?? bytes.count
    }

    var isAtEnd: Bool { place == end }

    mutating func take<Value: FixedWidthInteger>(_: Value.Type) -> Value? {
        guard end - place >= MemoryLayout<Value>.size else { return nil }
        defer { place += MemoryLayout<Value>.size }
        return Value(littleEndian: bytes.loadUnaligned(fromByteOffset: place, as: Value.self))
    }

    mutating func take(bytes count: Int) -> [UInt8]? {
        guard count >= 0, end - place >= count else { return nil }
        defer { place += count }
        return Array(bytes[place..<(place + count)])
    }
}
