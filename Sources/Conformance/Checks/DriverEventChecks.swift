// SPDX-License-Identifier: Apache-2.0
import CSouthbridge
import Southbound

let eventChecks: [Check] = [
    Check("driver/events/made-and-destroyed", .driver, ["SB-EVT-001", "SB-OWN-003"]) { context in
        let device = try eventDevice(context)
        let stream = try CheckedStream(device)
        for _ in 0..<100 {
            let event = try device.makeEvent()
            try stream.record(event)
            try event.synchronize()
        }
        let many = try (0..<64).map { _ in try device.makeEvent() }
        try expect(Set(many.map(\.handle)).count == 64, .declaration, "two live events have the same handle")
    },
    Check("driver/events/never-recorded", .driver, ["SB-EVT-002", "SB-EVT-004"]) { context in
        let device = try eventDevice(context)
        let (stream, event) = (try CheckedStream(device), try device.makeEvent())
        if device.plugin.events?.query != nil {
            try expect(try event.query(), .errorCode, "an event that was never recorded is not ready")
        }
        let sent = pattern(100, context)
        let source = GuardedBytes(sent)
        let buffer = try device.allocate(byteCount: 100)
        try stream.wait(for: event)
        try stream.copy(100, from: .host(source), to: .buffer(buffer))
        try stream.synchronize()
        try expectEqual(
            try device.read(buffer), sent, "a copy on a stream that waited for an event that was never recorded")
    },
    Check("driver/events/done-after-synchronize", .driver, ["SB-EVT-001", "SB-EVT-003"]) { context in
        let device = try eventDevice(context)
        let (stream, event) = (try CheckedStream(device), try device.makeEvent())
        for round in 0..<10 {
            let sent = pattern(1 << 17, context, salt: round)
            let buffer = try device.makeBuffer(sent)
            let target = GuardedBytes([UInt8](repeating: 0, count: sent.count))
            try stream.copy(sent.count, from: .buffer(buffer), to: .host(target))
            try stream.record(event)
            try event.synchronize()
            try expectEqual(target.bytes, sent, "a copy before an event that has fired")
            try stream.synchronize()
        }
    },
    Check("driver/events/recorded-again", .driver, ["SB-EVT-001"]) { context in
        let device = try eventDevice(context)
        let (stream, event) = (try CheckedStream(device), try device.makeEvent())
        let first = try device.makeBuffer(pattern(1 << 16, context))
        let target = GuardedBytes([UInt8](repeating: 0, count: 1 << 16))
        try stream.record(event)
        try event.synchronize()
        try stream.copy(1 << 16, from: .buffer(first), to: .host(target))
        try stream.record(event)
        try event.synchronize()
        try expectEqual(target.bytes, pattern(1 << 16, context), "a copy before the second mark of an event")
    },
    Check("driver/events/order-between-streams", .driver, ["SB-EVT-002", "SB-STR-001"]) { context in
        let device = try eventDevice(context)
        let (first, second) = (try CheckedStream(device), try CheckedStream(device))
        let buffer = try device.allocate(byteCount: 1 << 16)
        let (there, back) = (try device.makeEvent(), try device.makeEvent())
        let sources = (0..<20).map { GuardedBytes(pattern(1 << 16, context, salt: $0)) }
        let targets = (0..<20).map { _ in GuardedBytes([UInt8](repeating: 0, count: 1 << 16)) }
        for (source, target) in zip(sources, targets) {
            // The first stream writes once the second has read what was there.
            try first.wait(for: back)
            try first.copy(source.count, from: .host(source), to: .buffer(buffer))
            try first.record(there)
            try second.wait(for: there)
            try second.copy(target.count, from: .buffer(buffer), to: .host(target))
            try second.record(back)
        }
        try second.synchronize()
        try first.synchronize()
        for index in sources.indices {
            if targets[index].bytes != sources[index].bytes {
                throw CheckFailure.failed(
                    .race,
                    "round \(index) of 20: the second stream did not read what the first had written before the event")
            }
        }
    },
    Check("driver/events/ready-means-done", .driver, ["SB-EVT-003", "SB-EVT-004"]) { context in
        let device = try eventDevice(context)
        guard device.plugin.events?.query != nil else {
            throw CheckFailure.unsupported("the plugin's events have no 'query'")
        }
        let (stream, event) = (try CheckedStream(device), try device.makeEvent())
        let sent = pattern(1 << 18, context)
        let buffer = try device.makeBuffer(sent)
        for _ in 0..<5 {
            let target = GuardedBytes([UInt8](repeating: 0, count: sent.count))
            try stream.copy(sent.count, from: .buffer(buffer), to: .host(target))
            try stream.record(event)
            let deadline = ContinuousClock.now + .seconds(5)
            while try !event.query() {
                try expect(
                    ContinuousClock.now < deadline, .errorCode,
                    "an event after one copy of 256 KiB is not ready after 5 seconds")
            }
            try expectEqual(target.bytes, sent, "a copy before an event that 'query' says is reached")
        }
    },
    Check("driver/events/elapsed", .driver, ["SB-EVT-005"]) { context in
        let device = try timedDevice(context)
        let stream = try CheckedStream(device)
        let buffer = try device.makeBuffer(pattern(1 << 16, context))
        let target = GuardedBytes([UInt8](repeating: 0, count: 1 << 16))
        for _ in 0..<10 {
            let (start, end) = (try device.makeEvent(), try device.makeEvent())
            let begun = ContinuousClock.now
            try stream.record(start)
            try stream.copy(1 << 16, from: .buffer(buffer), to: .host(target))
            try stream.record(end)
            try stream.synchronize()
            let taken = ContinuousClock.now - begun
            let nanoseconds = try end.elapsed(since: start) ?? 0
            let limit =
                UInt64(taken.components.attoseconds / 1_000_000_000) + UInt64(taken.components.seconds) * 1_000_000_000
            // Twice, and 10 ms, for a device whose clock differs from the host's.
            try expect(
                nanoseconds <= 2 * limit + 10_000_000, .declaration,
                "\(nanoseconds) ns between two marks, all of which took \(limit) ns on the host; a negative time shows as a huge one"
            )
        }
    },
    Check("driver/events/elapsed-does-not-wait", .driver, ["SB-EVT-005", "SB-ERR-001"]) { context in
        let device = try timedDevice(context)
        guard let elapsed = device.plugin.events?.elapsed else { return }
        let stream = try CheckedStream(device)
        let (start, end) = (try device.makeEvent(), try device.makeEvent())
        let buffer = try device.makeBuffer(pattern(1 << 20, context))
        let target = GuardedBytes([UInt8](repeating: 0, count: 1 << 20))
        try stream.record(start)
        for _ in 0..<4 { try stream.copy(1 << 20, from: .buffer(buffer), to: .host(target)) }
        try stream.record(end)
        var nanoseconds: UInt64 = 0
        defer { withExtendedLifetime((start, end)) {} }
        let answer = try ask("elapsed") { elapsed(start.handle, end.handle, &nanoseconds, $0) }
        try expect(
            answer.status == SB_OK || answer.status == SB_ERROR_NOT_READY, .errorCode,
            "'elapsed' right after recording gives \(statusName(answer.status))")
        try stream.synchronize()
        try ask("elapsed") { elapsed(start.handle, end.handle, &nanoseconds, $0) }.succeeded(
            "'elapsed' after synchronizing")
    },
    Check("driver/events/synchronized-on-another-thread", .driver, ["SB-EVT-003", "SB-THR-001"]) { context in
        let device = try eventDevice(context)
        let (stream, event) = (try CheckedStream(device), try device.makeEvent())
        let sent = pattern(1 << 16, context)
        let buffer = try device.makeBuffer(sent)
        let target = GuardedBytes([UInt8](repeating: 0, count: sent.count))
        try stream.copy(sent.count, from: .buffer(buffer), to: .host(target))
        try stream.record(event)
        try onThreads(2) { _ in
            try event.synchronize()
            try expectEqual(target.bytes, sent, "a copy, seen by another thread that waited for the event after it")
        }
        try stream.synchronize()
    },
]

private func eventDevice(_ context: CheckContext) throws -> Device {
    let device = try streamingDevice(context)
    guard device.plugin.events != nil else { throw CheckFailure.unsupported("the plugin has no group 'events'") }
    return device
}

private func timedDevice(_ context: CheckContext) throws -> Device {
    let device = try eventDevice(context)
    guard device.plugin.events?.elapsed != nil else {
        throw CheckFailure.unsupported("the plugin's events have no 'elapsed'")
    }
    return device
}
