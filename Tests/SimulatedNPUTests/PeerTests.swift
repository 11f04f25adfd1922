// SPDX-License-Identifier: Apache-2.0
import CSouthbridge
import Testing

/// Several chips of one started plugin.
@Suite struct PeerTests {
    private func location(_ buffer: OpaquePointer, _ offset: UInt64 = 0) -> sb_location {
        sb_location(buffer: buffer, host: nil, offset: offset)
    }

    @Test func everyDeviceIsLinkedToAllOthers() throws {
        let plugin = try PluginUnderTest(["devices": "3"])
        var count: UInt32 = 0
        #expect(plugin.driver.pointee.count(plugin.instance, &count, nil) == SB_OK)
        #expect(count == 3)
        var ids: Set<String> = []
        for index in 0..<count {
            var description: UnsafePointer<sb_hardware>?
            #expect(plugin.driver.pointee.describe(plugin.instance, index, &description, nil) == SB_OK)
            let hardware = try #require(description).pointee
            ids.insert(String(decoding: UnsafeRawBufferPointer(start: hardware.id.data, count: hardware.id.length), as: UTF8.self))
            #expect(hardware.flags == SB_HARDWARE_FLAG_SIMULATED)
            let links = (0..<hardware.link_count).map { hardware.links[$0]!.pointee }
            #expect(links.filter { $0.kind == SB_LINK_HOST }.count == 1)
            #expect(links.filter { $0.kind == SB_LINK_PEER }.map(\.peer) == (0..<count).filter { $0 != index })
            #expect(links.allSatisfy { $0.bandwidth == 7_000_000_000 && $0.latency == 2_000_000 })
        }
        #expect(ids.count == 3)
    }

    @Test(arguments: ["prompt", "adversarial"]) func copiesBetweenDevices(_ ordering: String) throws {
        let plugin = try PluginUnderTest(["devices": "2", "ordering": ordering])
        let second = try plugin.open(1)
        let (size, first) = (7_000_000, try #require(plugin.device))
        let (from, to) = (try plugin.allocate(UInt64(size)), try plugin.allocate(UInt64(size), on: second))
        #expect(plugin.fill(from, bytes: UInt64(size), with: 9, on: nil) == SB_OK)
        let copy = try #require(plugin.driver.pointee.copy_peer)
        #expect(copy(second, nil, location(to, 2), first, location(from), 3, nil) == SB_OK)
        #expect(try Array(plugin.read(to, count: 6, on: second)[2..<5]) == [9, 9, 9])

        let (stream, begin, end) = (try plugin.makeStream(second), try plugin.makeEvent(second), try plugin.makeEvent(second))
        #expect(plugin.events.pointee.record(begin, stream, nil) == SB_OK)
        #expect(copy(second, stream, location(to), first, location(from), UInt64(size), nil) == SB_OK)
        #expect(plugin.events.pointee.record(end, stream, nil) == SB_OK)
        #expect(plugin.streams.pointee.synchronize(stream, nil) == SB_OK)
        #expect(try plugin.read(to, count: size, on: second).allSatisfy { $0 == 9 })
        // 7 MB at 7 GB/s, and 2 us until the first is there.
        var nanoseconds: UInt64 = 0
        #expect(plugin.events.pointee.elapsed(begin, end, &nanoseconds, nil) == SB_OK)
        #expect(nanoseconds == 1_002_000)
        // The other device's clock has not moved, and its memory is its own.
        var usage: UInt64 = 0
        #expect(plugin.driver.pointee.usage(second, 0, &usage, nil) == SB_OK)
        #expect(usage >= UInt64(size) && usage < UInt64(2 * size))
    }

    @Test func refusesWhatIsNoCopyBetweenDevices() throws {
        let plugin = try PluginUnderTest(["devices": "2"])
        let (first, second) = (try #require(plugin.device), try plugin.open(1))
        let (from, to) = (try plugin.allocate(100), try plugin.allocate(100, on: second))
        let copy = try #require(plugin.driver.pointee.copy_peer)
        #expect(copy(second, nil, location(to, 1), first, location(from), 100, nil) == SB_ERROR_INVALID_ARGUMENT)
        #expect(copy(second, nil, location(to), first, location(from, 1), 100, nil) == SB_ERROR_INVALID_ARGUMENT)
        #expect(copy(second, nil, location(from), first, location(to), 100, nil) == SB_ERROR_INVALID_ARGUMENT)
        #expect(copy(second, nil, location(to), first, sb_location(), 100, nil) == SB_ERROR_INVALID_ARGUMENT)
        #expect(copy(second, nil, location(to, 101), first, location(from), 0, nil) == SB_OK)
        let other = try PluginUnderTest([:])
        let foreign = try other.allocate(100)
        #expect(copy(second, nil, location(to), other.device, location(foreign), 100, nil) == SB_ERROR_UNSUPPORTED)
    }
}
