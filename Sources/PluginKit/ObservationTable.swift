// SPDX-License-Identifier: Apache-2.0
import CSouthbridge

func observationTable() -> sb_observation {
    var table = sb_observation()
    table.size = MemoryLayout<sb_observation>.size
    table.counters = { device, result, capacity, count, error in
        status(error) { () throws(PluginFailure) in
            let (handle, device) = try observed(device)
            guard let count, capacity == 0 || result != nil else { throw .invalid("counters was given NULL") }
            let counters = device.counters
            let places = (0..<min(capacity, counters.count)).map { result![$0] }
            guard places.allSatisfy({ $0 != nil && $0!.pointee.size >= MinimumSize.counter }) else {
                throw .invalid("a counter's place is NULL or shorter than in version 0.2")
            }
            for (place, counter) in zip(places, counters) { counter.write(to: place!, handle.counterTexts) }
            count.pointee = counters.count
        }
    }
    table.record = { device, isOn, error in
        status(error) { () throws(PluginFailure) in try observed(device).device.record(isOn) }
    }
    table.activities = { device, context, sink, error in
        status(error) { () throws(PluginFailure) in
            guard let sink else { throw .invalid("activities was given no sink") }
            for activity in try observed(device).device.takeActivities() {
                let memory = StableMemory()
                var record = activity.cValue(in: memory)
                withExtendedLifetime(memory) { sink(context, &record) }
            }
        }
    }
    return table
}

private func observed(_ device: OpaquePointer?) throws(PluginFailure) -> (handle: DeviceHandle, device: any ObservedDevice) {
    let handle = try DeviceHandle.required(device, "device")
    guard let device = handle.observed else { throw .unsupported("the device counts and records nothing") }
    return (handle, device)
}

extension Counter {
    fileprivate func write(to place: UnsafeMutablePointer<sb_counter>, _ texts: StableTexts) {
        place.pointee.name = texts.string(name)
        place.pointee.unit = texts.string(unit)
        switch value {
        case .cumulative(let count):
            place.pointee.kind = SB_COUNTER_CUMULATIVE
            place.pointee.count = count
        case .gauge(let value):
            place.pointee.kind = SB_COUNTER_GAUGE
            place.pointee.value = value
        }
    }
}

extension Activity {
    fileprivate func cValue(in memory: StableMemory) -> sb_activity {
        sb_activity(
            size: MemoryLayout<sb_activity>.size, lane: memory.string(lane), name: memory.string(name), begin: begin, end: end,
            correlation: correlation, bytes: bytes, operations: operations)
    }
}
