// SPDX-License-Identifier: Apache-2.0
import Foundation
import Southbound
import TestSupport
import Testing

/// The simulated NPU's adversarial ordering: a host that forgets to synchronise reads what was there before, every time.
@Suite struct AdversarialOrderTests {
    private func device(seed: Int) throws -> Device {
        let library = products.appending(path: "libsouthbridge_npu.so").path
        return try Plugin.load(PluginReference(path: library), options: ["ordering": "adversarial", "seed": "\(seed)"]).openDevice(0)
    }

    private func read(_ buffer: Buffer, _ device: Device, _ count: Int) throws -> [UInt8] {
        let bytes = UnsafeMutableRawBufferPointer.allocate(byteCount: count, alignment: 64)
        defer { bytes.deallocate() }
        try device.download(from: buffer, offset: 0, into: bytes)
        return Array(bytes)
    }

    @Test(arguments: 0..<8) func aForgottenSynchronisationShows(seed: Int) throws {
        let device = try device(seed: seed)
        let (buffer, stream) = (try device.allocate(byteCount: 4096), try device.makeStream())
        try device.fill(buffer, byteCount: 4096, with: 7)
        try device.fill(buffer, byteCount: 4096, with: 9, stream: stream)
        #expect(try read(buffer, device, 4096) == [UInt8](repeating: 7, count: 4096))
        try stream.synchronize()
        #expect(try read(buffer, device, 4096) == [UInt8](repeating: 9, count: 4096))
    }

    /// Two streams on one buffer without an event between them: over the seeds either comes last.
    @Test func streamsWithoutAnEventHaveNoOrder() throws {
        var last: Set<UInt8> = []
        for seed in 0..<16 {
            let device = try device(seed: seed)
            let buffer = try device.allocate(byteCount: 64)
            let (first, second) = (try device.makeStream(), try device.makeStream())
            try device.fill(buffer, byteCount: 64, with: 1, stream: first)
            try device.fill(buffer, byteCount: 64, with: 2, stream: second)
            try first.synchronize()
            try second.synchronize()
            last.insert(try read(buffer, device, 64)[0])
        }
        #expect(last == [1, 2])
    }
}
