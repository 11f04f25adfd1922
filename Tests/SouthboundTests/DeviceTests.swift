// SPDX-License-Identifier: Apache-2.0
import CSouthbridge
import Foundation
import HardwareModel
import Southbound
import TestSupport
import Testing

/// Buffers, streams and events through the host's own types: on a plugin that leaves everything out, and on one that leaves nothing out.
@Suite struct DeviceTests {
    private func minimal() throws -> Device {
        try Plugin.load(PluginReference(path: minimalPlugin().path)).openDevice(0)
    }

    private func complete() throws -> Device {
        try Plugin.load(PluginReference(path: completePlugin())).openDevice(0)
    }

    private func write(_ bytes: [UInt8], _ device: Device, stream: Southbound.Stream? = nil) throws -> Buffer {
        let buffer = try device.allocate(byteCount: bytes.count)
        try bytes.withUnsafeBytes { try device.upload($0, to: buffer, stream: stream) }
        return buffer
    }

    private func read(_ buffer: Buffer) throws -> [UInt8] {
        var bytes = [UInt8](repeating: 0xEE, count: buffer.byteCount)
        try bytes.withUnsafeMutableBytes { try buffer.device.download(from: buffer, into: $0) }
        return bytes
    }

    @Test func describedByDefault() throws {
        let device = try minimal()
        #expect(device.model.family == .other && device.model.spaces == [.unknown])
        #expect(device.alignment == 64 && !device.isHostVisible && !device.isQueued)
        #expect(device.plugin.deviceCount == 1 && device.name == "minimal:0")
        #expect(device.plugin.optionSchema.isEmpty)
    }

    @Test func describedByThePlugin() throws {
        let model = try complete().model
        #expect(model.id == "complete-0" && model.spaces.count == 2 && model.spaces[0].alignmentBytes == 128)
        #expect(model.spaces[0].isHostVisible && !model.spaces[1].isAllocatable && model.spaces[1].kind == .cache)
        #expect(model.units[0].rates.map(\.dataType) == ["float32", "int8"])
        #expect(model.links.map(\.peer) == [1])
    }

    @Test func fillFallsBackToCopies() throws {
        let device = try minimal()
        #expect(device.plugin.driver?.fill == nil)
        // More than one chunk of the pattern that the host copies.
        let buffer = try write([UInt8](repeating: 1, count: 200_000), device)
        try device.fill(buffer, offset: 3, byteCount: 150_001, with: 9)
        let bytes = try read(buffer)
        #expect(
            bytes[..<3].allSatisfy { $0 == 1 } && bytes[3..<150_004].allSatisfy { $0 == 9 }
                && bytes[150_004...].allSatisfy { $0 == 1 })
    }

    @Test func streamsAndEventsFallBack() throws {
        let device = try minimal()
        let (stream, event, start) = (try device.makeStream(), try device.makeEvent(), try device.makeEvent())
        #expect(stream.handle == nil && event.handle == nil && !stream.isQueued)
        let buffer = try write([1, 2, 3], device, stream: stream)
        try event.record(on: stream)
        try event.wait(on: stream)
        try event.synchronize()
        try stream.synchronize()
        #expect(try stream.query() && event.query())
        #expect(try event.elapsed(since: start) == nil)
        #expect(try read(buffer) == [1, 2, 3])
    }

    @Test func nothingIsImportedOrTold() throws {
        let device = try minimal()
        #expect(try device.usage() == nil)
        let bytes = UnsafeMutableRawBufferPointer.allocate(byteCount: 64, alignment: 64)
        defer { bytes.deallocate() }
        #expect(try device.importHost(UnsafeRawBufferPointer(bytes), owner: nil) == nil)
        #expect(try device.allocate(byteCount: 10).hostAddress == nil)
    }

    @Test func importsKeepTheirOwner() throws {
        final class Owner {
            let bytes = UnsafeMutableRawBufferPointer.allocate(byteCount: 100, alignment: 16)
            deinit { bytes.deallocate() }
        }
        let device = try complete()
        weak var watched: Owner?
        var buffer: Buffer?
        do {
            let owner = Owner()
            owner.bytes.initializeMemory(as: UInt8.self, repeating: 5)
            watched = owner
            buffer = try device.importHost(UnsafeRawBufferPointer(owner.bytes), owner: owner)
        }
        #expect(watched != nil)
        #expect(try read(#require(buffer)) == [UInt8](repeating: 5, count: 100))
        buffer = nil
        #expect(watched == nil)
    }

    @Test func queuedWorkAndEvents() throws {
        let device = try complete()
        #expect(device.isQueued)
        let stream = try device.makeStream()
        let (start, end) = (try device.makeEvent(), try device.makeEvent())
        let buffer = try device.allocate(byteCount: 1000)
        try start.record(on: stream)
        try device.fill(buffer, byteCount: 1000, with: 3, stream: stream)
        try end.record(on: stream)
        try end.synchronize()
        #expect(try end.elapsed(since: start) != nil)
        try stream.synchronize()
        #expect(try read(buffer) == [UInt8](repeating: 3, count: 1000))
    }

    @Test func whatTheHostRefusesItself() throws {
        let device = try minimal()
        let (buffer, other) = (try device.allocate(byteCount: 10), try minimal().allocate(byteCount: 10))
        let memory = UnsafeMutableRawPointer.allocate(byteCount: 20, alignment: 16)
        defer { memory.deallocate() }
        func refused(_ code: PluginError.Code = .invalidArgument, line: Int = #line, _ body: () throws -> Void) throws {
            let error = try #require(throws: PluginError.self) { try body() }
            #expect(error.code == code, "line \(line): \(error)")
        }
        let copies: [(Location, Location, Int)] = [
            (.buffer(buffer, offset: 0), .host(memory), 11), (.buffer(buffer, offset: -1), .host(memory), 1),
            (.buffer(buffer, offset: .max), .host(memory), 1), (.buffer(buffer, offset: 0), .host(memory), -1),
            (.buffer(other, offset: 0), .host(memory), 1), (.buffer(buffer, offset: 0), .host(nil), 1),
            (.host(memory), .buffer(buffer, offset: 10), 1),
        ]
        for (to, from, count) in copies { try refused { try device.copy(to: to, from: from, byteCount: count) } }
        try refused { _ = try device.allocate(byteCount: 1, alignment: 48) }
        try refused { _ = try device.allocate(byteCount: -1) }
        try refused { _ = try device.allocate(byteCount: 1, space: 1) }
        try refused(.outOfMemory) { _ = try device.allocate(byteCount: 1 << 62) }
        try refused(.unknownDevice) { _ = try device.plugin.openDevice(1) }
    }

    @Test func stopWaitsForTheLastDevice() throws {
        var device: Device? = try complete()
        let plugin = try #require(device?.plugin)
        plugin.stop()
        let buffer = try write([7], #require(device))
        #expect(try read(buffer) == [7])
        #expect(throws: PluginError.self) { _ = try plugin.openDevice(0) }
        device = nil
    }
}
