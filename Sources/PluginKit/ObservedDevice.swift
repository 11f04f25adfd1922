// SPDX-License-Identifier: Apache-2.0

/// A device that counts and records. A plugin whose device type conforms has the group "observation".
package protocol ObservedDevice: Device {
    /// Always the same counters in the same order; no two of one name.
    var counters: [Counter] { get }
    /// Off when the device is opened.
    func record(_ isOn: Bool) throws(PluginFailure)
    /// The recorded activities that have finished, which are forgotten.
    func takeActivities() throws(PluginFailure) -> [Activity]
}

package struct Counter: Sendable {
    package enum Value: Sendable {
        /// Since the device was opened.
        case cumulative(UInt64)
        /// A measurement of now; NaN if there is none.
        case gauge(Double)
    }
    package var name: String
    /// "cycles", "bytes", "operations", "ns", "W", "°C", "%"; empty for a plain number.
    package var unit: String
    package var value: Value

    package init(name: String, unit: String, value: Value) {
        self.name = name
        self.unit = unit
        self.value = value
    }
}

/// What a part of the device did, in picoseconds of its clock since it was opened. Activities of one lane do not overlap.
package struct Activity: Sendable {
    /// What did it: "core 0 matrix".
    package var lane: String
    package var name: String
    package var begin: UInt64
    package var end: UInt64
    /// Of the launch or execution that caused it; 0 if none did.
    package var correlation: UInt64 = 0
    package var bytes: UInt64 = 0
    package var operations: UInt64 = 0

    package init(lane: String, name: String, begin: UInt64, end: UInt64) {
        self.lane = lane
        self.name = name
        self.begin = begin
        self.end = end
    }
}
