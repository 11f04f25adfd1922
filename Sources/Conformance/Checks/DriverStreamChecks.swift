// SPDX-License-Identifier: Apache-2.0
import CSouthbridge
import Southbound

let streamChecks: [Check] = [
    Check("driver/streams/made-and-destroyed", .driver, ["SB-STR-005", "SB-OWN-003"]) { context in
        let device = try streamingDevice(context)
        for _ in 0..<100 { _ = try CheckedStream(device) }
        let many = try (0..<64).map { _ in try CheckedStream(device) }
        try expect(Set(many.map(\.handle)).count == 64, .declaration, "two live streams have the same handle")
        for stream in many { try stream.synchronize() }
    },
    Check("driver/streams/synchronized-while-empty", .driver, ["SB-STR-003"]) { context in
        let stream = try CheckedStream(streamingDevice(context))
        for _ in 0..<10 { try stream.synchronize() }
    },
    Check("driver/streams/done-after-synchronize", .driver, ["SB-STR-003", "SB-CPY-002"]) { context in
        let device = try streamingDevice(context)
        let stream = try CheckedStream(device)
        for size in [1, 65, 4097, 1 << 20] {
            let (source, target) = (
                GuardedBytes(pattern(size, context, salt: size)), GuardedBytes([UInt8](repeating: 0, count: size))
            )
            let buffer = try device.allocate(byteCount: size)
            try stream.copy(size, from: .host(source), to: .buffer(buffer))
            try stream.copy(size, from: .buffer(buffer), to: .host(target))
            try stream.synchronize()
            try expectEqual(
                target.bytes, source.bytes, "\(size) bytes there and back on a stream, after it was synchronized")
            try target.checkGuards("a copy on a stream")
        }
    },
    Check("driver/streams/in-order", .driver, ["SB-STR-001"]) { context in
        let device = try streamingDevice(context)
        let stream = try CheckedStream(device)
        // A chain: each copy reads what the one before it wrote.
        let links = 200
        let buffers = try (0..<3).map { _ in try device.allocate(byteCount: 4096) }
        let source = GuardedBytes(pattern(4096, context))
        for round in 0..<5 {
            let target = GuardedBytes([UInt8](repeating: 0, count: 4096))
            source.pointer.copyMemory(from: pattern(4096, context, salt: round), byteCount: 4096)
            try stream.copy(4096, from: .host(source), to: .buffer(buffers[0]))
            for link in 0..<links {
                try stream.copy(4096, from: .buffer(buffers[link % 3]), to: .buffer(buffers[(link + 1) % 3]))
            }
            try stream.copy(4096, from: .buffer(buffers[links % 3]), to: .host(target))
            try stream.synchronize()
            try expectEqual(target.bytes, source.bytes, "the end of a chain of \(links) copies on one stream")
        }
    },
    Check("driver/streams/last-write-wins", .driver, ["SB-STR-001"]) { context in
        let device = try streamingDevice(context)
        let stream = try CheckedStream(device)
        let buffer = try device.allocate(byteCount: 8192)
        let sources = (0..<50).map { GuardedBytes(pattern($0 % 2 == 0 ? 8192 : 16, context, salt: $0)) }
        for source in sources { try stream.copy(source.count, from: .host(source), to: .buffer(buffer)) }
        try stream.synchronize()
        try expectEqual(
            try device.read(buffer), sources[49].bytes + sources[48].bytes[16...],
            "a buffer that a stream wrote 50 times")
    },
    Check("driver/streams/fill-in-order", .driver, ["SB-STR-001", "SB-CPY-006"]) { context in
        let device = try streamingDevice(context)
        guard device.plugin.driver?.fill != nil else { throw CheckFailure.unsupported("the plugin has no 'fill'") }
        let stream = try CheckedStream(device)
        let buffer = try device.allocate(byteCount: 1024)
        let target = GuardedBytes([UInt8](repeating: 0, count: 1024 * 20))
        for round in 0..<20 {
            try stream.fill(1024, at: .buffer(buffer), with: UInt8(round + 1))
            try stream.copy(1024, from: .buffer(buffer), to: .host(target, round * 1024))
        }
        try stream.synchronize()
        try expectEqual(
            target.bytes, (1...20).flatMap { [UInt8](repeating: UInt8($0), count: 1024) },
            "twenty fills and copies in turn")
    },
    Check("driver/streams/inline-is-done-on-return", .driver, ["SB-STR-002"]) { context in
        let device = try streamingDevice(context)
        if device.isQueued { throw CheckFailure.unsupported("the streams only queue their work") }
        let stream = try CheckedStream(device)
        let sent = pattern(1 << 18, context)
        let buffer = try device.makeBuffer(sent)
        let target = GuardedBytes([UInt8](repeating: 0, count: sent.count))
        try stream.copy(sent.count, from: .buffer(buffer), to: .host(target))
        try expectEqual(target.bytes, sent, "a copy on a stream that declares itself inline, right after the call")
    },
    Check("driver/streams/query-after-synchronize", .driver, ["SB-STR-006"]) { context in
        let device = try queryingDevice(context)
        let stream = try CheckedStream(device)
        try expect(try stream.query(), .errorCode, "a stream without work is not ready")
        let buffer = try device.makeBuffer(pattern(1 << 16, context))
        let target = GuardedBytes([UInt8](repeating: 0, count: 1 << 16))
        for _ in 0..<20 {
            try stream.copy(1 << 16, from: .buffer(buffer), to: .host(target))
            _ = try stream.query()
            try stream.synchronize()
            try expect(try stream.query(), .errorCode, "a stream that was just synchronized is not ready")
        }
    },
    Check("driver/streams/ready-means-done", .driver, ["SB-STR-006", "SB-STR-003"]) { context in
        let device = try queryingDevice(context)
        let stream = try CheckedStream(device)
        let sent = pattern(1 << 18, context)
        let buffer = try device.makeBuffer(sent)
        for _ in 0..<5 {
            let target = GuardedBytes([UInt8](repeating: 0, count: sent.count))
            try stream.copy(sent.count, from: .buffer(buffer), to: .host(target))
            let deadline = ContinuousClock.now + .seconds(5)
            while try !stream.query() {
                try expect(
                    ContinuousClock.now < deadline, .errorCode,
                    "a stream with one copy of 256 KiB is not ready after 5 seconds")
            }
            try expectEqual(target.bytes, sent, "a copy on a stream that 'query' says is done")
        }
    },
    Check("driver/streams/destroy-waits", .driver, ["SB-STR-005"]) { context in
        let device = try streamingDevice(context)
        for round in 0..<10 {
            let sent = pattern(1 << 16, context, salt: round)
            let buffer = try device.makeBuffer(sent)
            let target = GuardedBytes([UInt8](repeating: 0, count: sent.count * 4))
            do {
                let stream = try CheckedStream(device)
                for part in 0..<4 {
                    try stream.copy(sent.count, from: .buffer(buffer), to: .host(target, part * sent.count))
                }
            }
            try expectEqual(
                target.bytes, sent + sent + sent + sent, "four copies on a stream that was destroyed at once")
        }
    },
    Check("driver/streams/several-at-once", .driver, ["SB-STR-001", "SB-THR-002"]) { context in
        let device = try streamingDevice(context)
        let streams = try (0..<8).map { _ in try CheckedStream(device) }
        let sources = streams.indices.map { GuardedBytes(pattern(3001, context, salt: $0)) }
        let targets = streams.indices.map { _ in GuardedBytes([UInt8](repeating: 0, count: 3001)) }
        let buffers = try streams.map { _ in try device.allocate(byteCount: 3001) }
        for _ in 0..<20 {
            for (index, stream) in streams.enumerated() {
                try stream.copy(3001, from: .host(sources[index]), to: .buffer(buffers[index]))
            }
            for (index, stream) in streams.enumerated() {
                try stream.copy(3001, from: .buffer(buffers[index]), to: .host(targets[index]))
            }
        }
        for stream in streams.reversed() { try stream.synchronize() }
        for index in streams.indices {
            try expectEqual(targets[index].bytes, sources[index].bytes, "stream \(index) of 8")
        }
    },
    Check("driver/streams/works-after-a-refusal", .driver, ["SB-STR-004", "SB-CPY-007"]) { context in
        let raw = try RawDevice(try streamingDevice(context))
        let stream = try CheckedStream(raw.device)
        let sent = pattern(100, context)
        let buffer = try raw.device.makeBuffer(sent)
        let target = GuardedBytes([UInt8](repeating: 0, count: 200))
        for _ in 0..<5 {
            try raw.copy(100, from: .buffer(buffer, 1), to: .host(target), stream: stream.handle)
                .refused("a copy beyond its buffer on a stream", with: SB_ERROR_INVALID_ARGUMENT)
            // Refused in the call, it is no work of the stream, and does not poison it.
            try stream.synchronize()
            try raw.copy(100, from: .buffer(buffer), to: .host(target), stream: stream.handle).succeeded(
                "the copy after a refused one")
            try stream.synchronize()
            try expectEqual(Array(target.bytes.prefix(100)), sent, "the copy after a refused one")
        }
    },
    Check("driver/streams/cancelled", .driver, ["SB-STR-007"]) { context in
        let device = try streamingDevice(context)
        guard device.plugin.streams?.cancel != nil else {
            throw CheckFailure.unsupported("the plugin's streams have no 'cancel'")
        }
        let sent = pattern(1 << 16, context)
        let source = GuardedBytes(sent)
        let buffer = try device.allocate(byteCount: sent.count)
        for count in [0, 1, 40] {
            let stream = try CheckedStream(device)
            let targets = (0..<count).map { _ in GuardedBytes([UInt8](repeating: 0, count: sent.count)) }
            try stream.copy(sent.count, from: .host(source), to: .buffer(buffer))
            try stream.synchronize()
            for target in targets { try stream.copy(sent.count, from: .buffer(buffer), to: .host(target)) }
            try stream.cancel()
            var isCancelled = false
            do {
                try stream.synchronize()
            } catch let error as PluginError where error.code == .cancelled {
                isCancelled = true
            }
            if !isCancelled {
                for (index, target) in targets.enumerated() {
                    try expectEqual(
                        target.bytes, sent, "copy \(index) of \(count) on a cancelled stream that says that nothing was dropped")
                }
            }
            try expect(count > 0 || !isCancelled, .errorCode, "an idle stream that was cancelled says that work was dropped")
            let after = GuardedBytes([UInt8](repeating: 0, count: sent.count))
            try stream.copy(sent.count, from: .buffer(buffer), to: .host(after))
            try stream.synchronize()
            try expectEqual(after.bytes, sent, "a copy on a stream that was cancelled and synchronized")
        }
    },
    Check("driver/streams/no-bytes", .driver, ["SB-CPY-005", "SB-STR-001"]) { context in
        let raw = try RawDevice(try streamingDevice(context))
        let stream = try CheckedStream(raw.device)
        let buffer = try raw.device.allocate(byteCount: 10)
        let host = GuardedBytes([1, 2, 3])
        for _ in 0..<10 {
            try raw.copy(0, from: .host(host), to: .buffer(buffer, 10), stream: stream.handle).succeeded(
                "a copy of no bytes on a stream")
        }
        try stream.synchronize()
    },
]

func streamingDevice(_ context: CheckContext) throws -> Device {
    let device = try context.openDevice()
    guard device.plugin.streams != nil else { throw CheckFailure.unsupported("the plugin has no group 'streams'") }
    return device
}

private func queryingDevice(_ context: CheckContext) throws -> Device {
    let device = try streamingDevice(context)
    guard device.plugin.streams?.query != nil else {
        throw CheckFailure.unsupported("the plugin's streams have no 'query'")
    }
    return device
}
