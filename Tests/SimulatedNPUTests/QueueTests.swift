// SPDX-License-Identifier: Apache-2.0
import CSouthbridge
import Foundation
import Testing

/// Full queues and dropped work.
@Suite struct QueueTests {
    private static let size: UInt64 = 1000

    @Test func droppedWorkIsNotDone() throws {
        // Nothing is begun before somebody waits.
        let plugin = try PluginUnderTest(["ordering": "adversarial"])
        let (stream, buffer, event) = (try plugin.makeStream(), try plugin.allocate(Self.size), try plugin.makeEvent())
        #expect(plugin.fill(buffer, bytes: Self.size, with: 1, on: nil) == SB_OK)
        for value in 2..<12 { #expect(plugin.fill(buffer, bytes: Self.size, with: UInt8(value), on: stream) == SB_OK) }
        #expect(plugin.events.pointee.record(event, stream, nil) == SB_OK)
        let cancel = try #require(plugin.streams.pointee.cancel)
        #expect(cancel(stream, nil) == SB_OK)
        #expect(plugin.fill(buffer, bytes: Self.size, with: 12, on: stream) == SB_OK)
        // Who waits for the mark learns it, too.
        #expect(plugin.events.pointee.synchronize(event, nil) == SB_ERROR_CANCELLED)
        #expect(plugin.streams.pointee.synchronize(stream, nil) == SB_ERROR_CANCELLED)
        #expect(try plugin.read(buffer, count: 4) == [1, 1, 1, 1])
        #expect(plugin.fill(buffer, bytes: Self.size, with: 13, on: stream) == SB_OK)
        #expect(plugin.streams.pointee.synchronize(stream, nil) == SB_OK)
        #expect(try plugin.read(buffer, count: 4) == [13, 13, 13, 13])
        // There is nothing left to drop.
        #expect(cancel(stream, nil) == SB_OK)
        #expect(plugin.streams.pointee.synchronize(stream, nil) == SB_OK)
    }

    @Test func otherStreamsKeepTheirWork() throws {
        let plugin = try PluginUnderTest(["ordering": "adversarial"])
        let (stream, other, event) = (try plugin.makeStream(), try plugin.makeStream(), try plugin.makeEvent())
        let buffer = try plugin.allocate(Self.size)
        #expect(plugin.fill(buffer, bytes: Self.size, with: 1, on: stream) == SB_OK)
        #expect(plugin.events.pointee.record(event, stream, nil) == SB_OK)
        #expect(plugin.events.pointee.wait(other, event, nil) == SB_OK)
        #expect(plugin.fill(buffer, bytes: Self.size, with: 2, on: other) == SB_OK)
        let cancel = try #require(plugin.streams.pointee.cancel)
        #expect(cancel(stream, nil) == SB_OK)
        #expect(plugin.streams.pointee.synchronize(other, nil) == SB_OK)
        #expect(try plugin.read(buffer, count: 2) == [2, 2])
        #expect(plugin.streams.pointee.synchronize(stream, nil) == SB_ERROR_CANCELLED)
    }

    /// While another thread waits for a device that never answers.
    @Test func whatHangsIsBrokenOff() throws {
        let plugin = try PluginUnderTest(["fault": "hang:1"])
        let (stream, buffer) = (try plugin.makeStream(), try plugin.allocate(Self.size))
        for value in 1..<4 { #expect(plugin.fill(buffer, bytes: Self.size, with: UInt8(value), on: stream) == SB_OK) }
        let cancel = try #require(plugin.streams.pointee.cancel)
        struct Stream: @unchecked Sendable { let handle: OpaquePointer }
        let (shared, done) = (Stream(handle: stream), DispatchSemaphore(value: 0))
        Thread.detachNewThread {
            Thread.sleep(forTimeInterval: 0.2)
            _ = cancel(shared.handle, nil)
            done.signal()
        }
        #expect(plugin.streams.pointee.synchronize(stream, nil) == SB_ERROR_CANCELLED)
        done.wait()
        #expect(plugin.fill(buffer, bytes: Self.size, with: 5, on: stream) == SB_OK)
        #expect(plugin.streams.pointee.synchronize(stream, nil) == SB_OK)
        #expect(try plugin.read(buffer, count: 1) == [5])
    }

    /// The endpoint chip's queues hold 16 commands.
    @Test func aFullQueueWaits() throws {
        let plugin = try PluginUnderTest(["profile": "endpoint", "ordering": "adversarial"])
        let (stream, event) = (try plugin.makeStream(), try plugin.makeEvent())
        let buffers = try (0..<17).map { _ in try plugin.allocate(Self.size) }
        for buffer in buffers { #expect(plugin.fill(buffer, bytes: Self.size, with: 0, on: nil) == SB_OK) }
        for buffer in buffers.prefix(16) { #expect(plugin.fill(buffer, bytes: Self.size, with: 1, on: stream) == SB_OK) }
        #expect(try buffers.map { try plugin.read($0, count: 1)[0] } == [UInt8](repeating: 0, count: 17))
        // One has to go before another one comes, and no more than one does.
        #expect(plugin.events.pointee.record(event, stream, nil) == SB_OK)
        #expect(try buffers.prefix(3).map { try plugin.read($0, count: 1)[0] } == [1, 0, 0])
        #expect(plugin.fill(buffers[16], bytes: Self.size, with: 1, on: stream) == SB_OK)
        #expect(try plugin.read(buffers[0], count: 1) == [1])
        #expect(plugin.streams.pointee.synchronize(stream, nil) == SB_OK)
        #expect(try buffers.map { try plugin.read($0, count: 1)[0] } == [UInt8](repeating: 1, count: 17))
    }

    @Test func whoWaitsForAFullQueueIsToldThatTheDeviceHangs() throws {
        let plugin = try PluginUnderTest(["profile": "endpoint", "fault": "hang:1", "watchdog": "1"])
        let (stream, buffer) = (try plugin.makeStream(), try plugin.allocate(Self.size))
        // One that does not end, and as many behind it as the queue holds.
        for _ in 0..<17 { #expect(plugin.fill(buffer, bytes: Self.size, with: 1, on: stream) == SB_OK) }
        #expect(plugin.fill(buffer, bytes: Self.size, with: 1, on: stream) == SB_ERROR_TIMEOUT)
        let cancel = try #require(plugin.streams.pointee.cancel)
        #expect(cancel(stream, nil) == SB_OK)
        #expect(plugin.streams.pointee.synchronize(stream, nil) == SB_ERROR_CANCELLED)
    }
}
