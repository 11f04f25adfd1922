// SPDX-License-Identifier: Apache-2.0
import CSouthbridge
import Southbound

/// Ranges that do not lie in a buffer of 100 bytes; some only if the sum of offset and size does not wrap.
private let badRanges: [(offset: UInt64, bytes: UInt64)] = [
    (0, 101), (1, 100), (99, 2), (100, 1), (101, 1), (1 << 32, 1), (1 << 63, 8), (.max, 1), (.max - 7, 16),
    (50, .max - 49), (50, .max), (100, .max - 99),
]

let copyRangeChecks: [Check] = [
    Check("driver/copy/no-bytes", .driver, ["SB-CPY-005"]) { context in
        let raw = try RawDevice(try context.openDevice())
        let sent = pattern(100, context)
        let buffer = try raw.device.makeBuffer(sent)
        let host = GuardedBytes(pattern(10, context, salt: 1))
        let before = host.bytes
        for offset: UInt64 in [0, 1, 99, 100] {
            try raw.copy(0, from: .host(host), to: .buffer(buffer, offset)).succeeded(
                "a copy of no bytes to offset \(offset) of 100")
            try raw.copy(0, from: .buffer(buffer, offset), to: .host(host)).succeeded(
                "a copy of no bytes from offset \(offset) of 100")
        }
        try expectEqual(try raw.device.read(buffer), sent, "a buffer, after copies of no bytes")
        try expectEqual(host.bytes, before, "host memory, after copies of no bytes")
    },
    Check("driver/copy/destination-beyond-its-end", .driver, ["SB-CPY-007", "SB-ERR-002", "SB-ERR-005"]) { context in
        let raw = try RawDevice(try context.openDevice())
        let sent = pattern(100, context)
        let neighbours = try (0..<3).map { _ in try raw.device.makeBuffer(sent) }
        let host = GuardedBytes([UInt8](repeating: 0xFF, count: 4096))
        for (offset, bytes) in badRanges {
            try raw.copy(bytes, from: .host(host), to: .buffer(neighbours[1], offset))
                .refused(
                    "writing \(bytes) bytes at offset \(offset) of a buffer of 100", with: SB_ERROR_INVALID_ARGUMENT)
        }
        for buffer in neighbours {
            try expectEqual(try raw.device.read(buffer), sent, "a buffer, after copies that were refused")
        }
    },
    Check("driver/copy/source-beyond-its-end", .driver, ["SB-CPY-007", "SB-ERR-002", "SB-ERR-005"]) { context in
        let raw = try RawDevice(try context.openDevice())
        let buffer = try raw.device.makeBuffer(pattern(100, context))
        let host = GuardedBytes([UInt8](repeating: 0x42, count: 4096))
        for (offset, bytes) in badRanges {
            try raw.copy(bytes, from: .buffer(buffer, offset), to: .host(host))
                .refused(
                    "reading \(bytes) bytes at offset \(offset) of a buffer of 100", with: SB_ERROR_INVALID_ARGUMENT)
            try expect(host.bytes.allSatisfy { $0 == 0x42 }, .memory, "a copy that was refused wrote to host memory")
        }
    },
    Check("driver/copy/between-buffers-beyond-an-end", .driver, ["SB-CPY-007", "SB-ERR-005"]) { context in
        let raw = try RawDevice(try context.openDevice())
        let (small, large) = (pattern(100, context), pattern(1000, context, salt: 1))
        let (left, right) = (try raw.device.makeBuffer(small), try raw.device.makeBuffer(large))
        for (offset, bytes) in badRanges {
            try raw.copy(bytes, from: .buffer(right), to: .buffer(left, offset))
                .refused(
                    "a copy between buffers with \(bytes) bytes to offset \(offset) of 100",
                    with: SB_ERROR_INVALID_ARGUMENT)
            try raw.copy(bytes, from: .buffer(left, offset), to: .buffer(right))
                .refused(
                    "a copy between buffers with \(bytes) bytes from offset \(offset) of 100",
                    with: SB_ERROR_INVALID_ARGUMENT)
        }
        try expectEqual(try raw.device.read(left), small, "the small buffer, after copies that were refused")
        try expectEqual(try raw.device.read(right), large, "the large buffer, after copies that were refused")
    },
    Check("driver/copy/up-to-the-end", .driver, ["SB-CPY-001", "SB-CPY-007"]) { context in
        let raw = try RawDevice(try context.openDevice())
        let buffer = try raw.device.makeBuffer([UInt8](repeating: 0, count: 100))
        let source = GuardedBytes(pattern(100, context))
        for (offset, bytes) in [(0, 100), (99, 1), (1, 99), (37, 63)] as [(UInt64, UInt64)] {
            try raw.copy(bytes, from: .host(source), to: .buffer(buffer, offset))
                .succeeded("writing \(bytes) bytes at offset \(offset), up to the end of the buffer,")
            try expectEqual(
                try raw.device.read(buffer, at: Int(offset), count: Int(bytes)), Array(source.bytes.prefix(Int(bytes))),
                "\(bytes) bytes up to the buffer's end")
        }
    },
]
