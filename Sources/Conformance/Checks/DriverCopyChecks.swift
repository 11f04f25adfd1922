// SPDX-License-Identifier: Apache-2.0
import CSouthbridge
import Southbound

/// Offsets and sizes that miss every alignment of copy engines and vector units.
private let oddRanges: [(offset: Int, count: Int)] = [
    (0, 1), (1, 1), (1, 2), (3, 5), (7, 64), (63, 65), (64, 63), (65, 127), (127, 129), (255, 257), (511, 1023),
    (4095, 4097), (4097, 4095), (1, 8191),
]
private let span = 8192

let copyChecks: [Check] = [
    Check("driver/copy/round-trip", .driver, ["SB-CPY-001", "SB-CPY-002"]) { context in
        let device = try context.openDevice()
        let sent = pattern(4096, context)
        try expectEqual(try device.read(try device.makeBuffer(sent)), sent, "4,096 bytes there and back")
    },
    Check("driver/copy/to-the-device-exactly", .driver, ["SB-CPY-001", "SB-CPY-003"]) { context in
        let device = try context.openDevice()
        let base = pattern(span, context)
        for (offset, count) in oddRanges {
            let buffer = try device.makeBuffer(base)
            let part = pattern(count, context, salt: 1 + count)
            try device.write(part, to: buffer, at: offset)
            var expected = base
            expected.replaceSubrange(offset..<(offset + count), with: part)
            try expectEqual(
                try device.read(buffer), expected, "\(count) bytes written at \(offset), and all around them")
        }
    },
    Check("driver/copy/to-the-host-exactly", .driver, ["SB-CPY-001", "SB-CPY-003"]) { context in
        let device = try context.openDevice()
        let base = pattern(span, context)
        let buffer = try device.makeBuffer(base)
        for (offset, count) in oddRanges {
            let target = GuardedBytes([UInt8](repeating: 0x77, count: count), skew: count % 64)
            try device.copy(count, from: .buffer(buffer, offset), to: .host(target))
            try expectEqual(target.bytes, Array(base[offset..<(offset + count)]), "\(count) bytes read at \(offset)")
            try target.checkGuards("\(count) bytes read at \(offset)")
        }
    },
    Check("driver/copy/device-to-device-exactly", .driver, ["SB-CPY-001", "SB-CPY-003"]) { context in
        let device = try context.openDevice()
        let (base, other) = (pattern(span, context), pattern(span, context, salt: 1))
        let source = try device.makeBuffer(base)
        for (index, range) in oddRanges.enumerated() {
            let target = try device.makeBuffer(other)
            let place = min(oddRanges[oddRanges.count - 1 - index].offset, span - range.count)
            try device.copy(range.count, from: .buffer(source, range.offset), to: .buffer(target, place))
            var expected = other
            expected.replaceSubrange(
                place..<(place + range.count), with: base[range.offset..<(range.offset + range.count)])
            try expectEqual(
                try device.read(target), expected,
                "\(range.count) bytes from \(range.offset) to \(place) of another buffer")
        }
        try expectEqual(try device.read(source), base, "the source of the copies")
    },
    Check("driver/copy/within-a-buffer", .driver, ["SB-CPY-001", "SB-CPY-004"]) { context in
        let device = try context.openDevice()
        for (from, to, count) in [
            (0, 4096, 4096), (4096, 0, 4096), (1, 5001, 1001), (5001, 1, 1001), (10, 11, 1), (63, 128, 65),
        ] {
            let base = pattern(span, context, salt: count)
            let buffer = try device.makeBuffer(base)
            try device.copy(count, from: .buffer(buffer, from), to: .buffer(buffer, to))
            var expected = base
            expected.replaceSubrange(to..<(to + count), with: base[from..<(from + count)])
            try expectEqual(
                try device.read(buffer), expected, "\(count) bytes from \(from) to \(to) of the same buffer")
        }
    },
    Check("driver/copy/host-to-host", .driver, ["SB-CPY-001", "SB-CPY-003"]) { context in
        let raw = try RawDevice(try context.openDevice())
        let source = GuardedBytes(pattern(1001, context), skew: 3)
        let target = GuardedBytes([UInt8](repeating: 0, count: 1001), skew: 5)
        try raw.copy(1001, from: .host(source), to: .host(target)).succeeded("a copy from host memory to host memory")
        try expectEqual(target.bytes, source.bytes, "1,001 bytes from host memory to host memory")
        try target.checkGuards("a copy from host memory to host memory")
    },
    Check("driver/copy/host-offset", .driver, ["SB-CPY-001"]) { context in
        let raw = try RawDevice(try context.openDevice())
        let source = GuardedBytes(pattern(3000, context))
        let buffer = try raw.device.allocate(byteCount: 1000)
        try raw.copy(1000, from: .host(source, 1777), to: .buffer(buffer)).succeeded(
            "a copy from an offset in host memory")
        try expectEqual(
            try raw.device.read(buffer), Array(source.bytes[1777..<2777]),
            "1,000 bytes from offset 1,777 of host memory")
        let target = GuardedBytes([UInt8](repeating: 0x11, count: 1500))
        try raw.copy(1000, from: .buffer(buffer), to: .host(target, 333)).succeeded(
            "a copy to an offset in host memory")
        var expected = [UInt8](repeating: 0x11, count: 1500)
        expected.replaceSubrange(333..<1333, with: source.bytes[1777..<2777])
        try expectEqual(target.bytes, expected, "1,000 bytes to offset 333 of host memory")
    },
    Check("driver/copy/source-unchanged", .driver, ["SB-CPY-002", "SB-CPY-003"]) { context in
        let device = try context.openDevice()
        let host = GuardedBytes(pattern(2049, context), skew: 1)
        let before = host.bytes
        let buffer = try device.allocate(byteCount: 2049)
        try device.copy(2049, from: .host(host), to: .buffer(buffer))
        try expectEqual(host.bytes, before, "the source of a copy in host memory")
        try host.checkGuards("the source of a copy")
        _ = try device.read(buffer)
        try expectEqual(try device.read(buffer), before, "the source of a copy in a buffer")
    },
    Check("driver/copy/source-may-go-after-return", .driver, ["SB-CPY-002"]) { context in
        let device = try context.openDevice()
        let buffer = try device.allocate(byteCount: 1 << 16)
        let sent = pattern(1 << 16, context)
        let host = GuardedBytes(sent)
        try device.copy(sent.count, from: .host(host), to: .buffer(buffer))
        // A copy without a stream has read its source when it returns.
        host.pointer.initializeMemory(as: UInt8.self, repeating: 0xDD, count: sent.count)
        try expectEqual(
            try device.read(buffer), sent, "a buffer whose source was overwritten after the copy had returned")
    },
    Check("driver/copy/every-small-size", .driver, ["SB-CPY-001", "SB-CPY-003"]) { context in
        let device = try context.openDevice()
        let base = [UInt8](repeating: 0x3C, count: 300)
        let buffer = try device.allocate(byteCount: base.count)
        for count in 1...160 {
            try device.write(base, to: buffer)
            let part = pattern(count, context, salt: count)
            try device.write(part, to: buffer, at: count % 67)
            var expected = base
            expected.replaceSubrange((count % 67)..<(count % 67 + count), with: part)
            try expectEqual(try device.read(buffer), expected, "\(count) bytes written at \(count % 67)")
        }
    },
    Check("driver/copy/large", .driver, ["SB-CPY-001", "SB-MEM-002"]) { context in
        let device = try context.openDevice()
        let sent = pattern((4 << 20) + 3, context)
        let buffer = try device.makeBuffer(sent)
        let second = try device.allocate(byteCount: sent.count)
        try device.copy(sent.count, from: .buffer(buffer), to: .buffer(second))
        try expectEqual(try device.read(second), sent, "4 MiB and 3 bytes, to the device, across it and back")
    },
]
