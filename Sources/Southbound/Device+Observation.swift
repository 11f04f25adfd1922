// SPDX-License-Identifier: Apache-2.0
import CSouthbridge

/// What a device counts or measures, at the moment when it was asked.
package struct Counter: Sendable, Hashable {
    package enum Value: Sendable, Hashable {
        /// Since the device was opened.
        case cumulative(UInt64)
        /// A measurement; NaN if there was none.
        case gauge(Double)
    }
    package let name: String
    /// "cycles", "bytes", "W"; empty for a plain number.
    package let unit: String
    package let value: Value
}

/// What a part of a device did, in picoseconds of the device's clock since it was opened.
package struct Activity: Sendable, Hashable {
    /// What did it: "core 0 matrix".
    package let lane: String
    package let name: String
    package let begin: UInt64
    package let end: UInt64
    /// Of the launch or execution that caused it; 0 if none did.
    package let correlation: UInt64
    package let bytes: UInt64
    package let operations: UInt64
}

extension Device {
    private static let mostCounters = 65_536

    /// The device's counters, always in the same order; empty if it has none.
    package func counters() throws(PluginError) -> [Counter] {
        guard let counters = plugin.observation?.counters else { return [] }
        var count = 0
        try call("count its counters") { counters(handle, nil, 0, &count, $0) }
        guard (0...Self.mostCounters).contains(count) else { throw invalid("\(UInt(bitPattern: count)) counters cannot be") }
        if count == 0 { return [] }
        let capacity = count
        let records = UnsafeMutablePointer<sb_counter>.allocate(capacity: capacity)
        defer { records.deallocate() }
        var empty = sb_counter()
        empty.size = MemoryLayout<sb_counter>.size
        records.initialize(repeating: empty, count: capacity)
        let places: [UnsafeMutablePointer<sb_counter>?] = (0..<capacity).map { records + $0 }
        try call("read its counters") { counters(handle, places, capacity, &count, $0) }
        let reader = PluginReader(plugin: plugin.name)
        var result: [Counter] = []
        for index in 0..<min(count, capacity) {
            let name = try reader.text(records[index].name, "counter \(index): its name")
            guard !name.isEmpty else { throw invalid("counter \(index) has no name") }
            result.append(
                Counter(
                    name: name, unit: try reader.text(records[index].unit, "counter '\(name)': its unit"),
                    value: records[index].kind == SB_COUNTER_GAUGE ? .gauge(records[index].value) : .cumulative(records[index].count)))
        }
        return result
    }

    package var recordsActivities: Bool { plugin.observation?.record != nil }

    /// Starts or ends the recording of activities; nothing happens if the device records none.
    package func record(_ isOn: Bool) throws(PluginError) {
        guard let record = plugin.observation?.record else { return }
        try call(isOn ? "record its activities" : "stop recording its activities") { record(handle, isOn, $0) }
    }

    /// The recorded activities that have finished since the last call.
    package func takeActivities() throws(PluginError) -> [Activity] {
        guard let activities = plugin.observation?.activities else { return [] }
        let sink = ActivitySink(reader: PluginReader(plugin: plugin.name))
        try call("tell its activities") { error in
            activities(
                handle, Unmanaged.passUnretained(sink).toOpaque(),
                { context, activity in
                    guard let context else { return }
                    Unmanaged<ActivitySink>.fromOpaque(context).takeUnretainedValue().receive(activity)
                }, error)
        }
        if let fault = sink.fault { throw fault }
        return sink.activities
    }
}

private final class ActivitySink {
    private let reader: PluginReader
    var activities: [Activity] = []
    var fault: PluginError?

    init(reader: PluginReader) { self.reader = reader }

    func receive(_ pointer: UnsafePointer<sb_activity>?) {
        do throws(PluginError) {
            let record: sb_activity = try reader.read(pointer, "sb_activity", of: "activity \(activities.count)")
            activities.append(
                Activity(
                    lane: try reader.text(record.lane, "an activity's lane"), name: try reader.text(record.name, "an activity's name"),
                    begin: record.begin, end: record.end, correlation: record.correlation, bytes: record.bytes,
                    operations: record.operations))
        } catch { fault = fault ?? error }
    }
}
