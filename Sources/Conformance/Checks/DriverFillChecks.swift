// SPDX-License-Identifier: Apache-2.0
import CSouthbridge
import Southbound

let fillChecks: [Check] = [
    Check("driver/fill/every-value", .driver, ["SB-CPY-006"]) { context in
        let device = try fillingDevice(context)
        let buffer = try device.allocate(byteCount: 257)
        for value in UInt8.min...UInt8.max {
            try device.fill(buffer, byteCount: 257, with: value)
            try expectEqual(
                try device.read(buffer), [UInt8](repeating: value, count: 257), "257 bytes filled with \(value)")
        }
    },
    Check("driver/fill/exactly", .driver, ["SB-CPY-003", "SB-CPY-006"]) { context in
        let device = try fillingDevice(context)
        let base = pattern(5000, context)
        for (offset, count) in [
            (0, 1), (1, 1), (1, 3), (7, 64), (63, 65), (64, 127), (129, 1025), (903, 4097), (4999, 1), (0, 5000),
        ] {
            let buffer = try device.makeBuffer(base)
            try device.fill(buffer, offset: offset, byteCount: count, with: 0xB7)
            var expected = base
            expected.replaceSubrange(offset..<(offset + count), with: repeatElement(0xB7, count: count))
            try expectEqual(
                try device.read(buffer), expected, "\(count) bytes filled at \(offset), and all around them")
        }
    },
    Check("driver/fill/no-bytes", .driver, ["SB-CPY-005", "SB-CPY-006"]) { context in
        let raw = try RawDevice(try fillingDevice(context))
        let sent = pattern(100, context)
        let buffer = try raw.device.makeBuffer(sent)
        for offset: UInt64 in [0, 50, 100] {
            try raw.fill(0, at: .buffer(buffer, offset), with: 1).succeeded(
                "filling no bytes at offset \(offset) of 100")
        }
        try expectEqual(try raw.device.read(buffer), sent, "a buffer in which no bytes were filled")
    },
    Check("driver/fill/beyond-its-end", .driver, ["SB-CPY-007", "SB-ERR-002", "SB-ERR-005"]) { context in
        let raw = try RawDevice(try fillingDevice(context))
        let sent = pattern(100, context)
        let buffers = try (0..<3).map { _ in try raw.device.makeBuffer(sent) }
        for (offset, bytes) in [(0, 101), (1, 100), (100, 1), (1 << 40, 1), (.max, 1), (50, .max - 10)]
            as [(UInt64, UInt64)]
        {
            try raw.fill(bytes, at: .buffer(buffers[1], offset), with: 9)
                .refused(
                    "filling \(bytes) bytes at offset \(offset) of a buffer of 100", with: SB_ERROR_INVALID_ARGUMENT)
        }
        for buffer in buffers {
            try expectEqual(try raw.device.read(buffer), sent, "a buffer, after fills that were refused")
        }
    },
    Check("driver/fill/large", .driver, ["SB-CPY-006"]) { context in
        let device = try fillingDevice(context)
        let size = (2 << 20) + 5
        let buffer = try device.allocate(byteCount: size)
        try device.fill(buffer, byteCount: size, with: 0x6B)
        try expectEqual(try device.read(buffer), [UInt8](repeating: 0x6B, count: size), "2 MiB and 5 bytes, filled")
    },
]

private func fillingDevice(_ context: CheckContext) throws -> Device {
    let device = try context.openDevice()
    guard device.plugin.driver?.fill != nil else { throw CheckFailure.unsupported("the plugin has no 'fill'") }
    return device
}
