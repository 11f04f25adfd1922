// SPDX-License-Identifier: Apache-2.0
package import HardwareModel

/// What a benchmark found: `bench.json`, described in `docs/benchmark.md`.
package struct BenchReport: Codable, Sendable {
    package var schema = "southbridge.bench/1"
    package var plugin: Party
    /// Nil where the plugin is the reference itself.
    package var reference: Party?
    package var seed: UInt64
    package var started: String
    package var seconds: Double = 0
    package var isInterrupted = false
    package var launch: [Launch] = []
    package var operators: [OperatorResult] = []
    package var models: [ModelResult] = []

    package struct Party: Codable, Sendable {
        package var device: String
        package var name: String
        package var version: String?
        package var model: DeviceModel
        package var declared: Roofline
        /// Its own best copy and best products in this run.
        package var measured: Roofline

        package init(device: String, name: String, version: String?, model: DeviceModel) {
            self.device = device
            self.name = name
            self.version = version
            self.model = model
            declared = model.roofline
            measured = Roofline(bytesPerSecond: 0, peaks: [])
        }
    }

    /// Of one launch of an operator on one element.
    package struct Launch: Codable, Sendable {
        package let device: String
        package let `operator`: String
        /// Seconds per launch of many in a row, until the device has done them.
        package let throughput: Statistics
        /// The host's part of it: until it has given them away.
        package let submission: Statistics
        /// Seconds of one launch that is waited for.
        package let roundTrip: Statistics
    }

    package enum Status: String, Codable, Sendable {
        case measured
        /// The device has no kernel for it.
        case unsupported
        /// A sampled result is not right: there is no figure.
        case wrong
        /// Quicker than the device's own description allows: there is no figure.
        case refused
        /// The device failed.
        case failed
    }

    /// What one device did.
    package struct Measurement: Codable, Sendable {
        package var status: Status
        package var message: String?
        package var kernels: [String] = []
        /// Seconds of a repeat on the host's clock.
        package var host: Statistics?
        /// On the device's own clock, where it has one.
        package var deviceClock: Statistics?
        /// Planning, preparing and the first repeat, in seconds.
        package var first: Double?
        package var operationsPerSecond: Double?
        package var bytesPerSecond: Double?
        /// Of what the declared and the measured roofline allow for the same work; nil where it is not known.
        package var shareOfDeclared: Double?
        package var shareOfMeasured: Double?
        /// Bytes that the plan takes on all devices.
        package var memoryBytes: Int?

        package init(_ status: Status, _ message: String? = nil) {
            self.status = status
            self.message = message
        }

        /// The device's own clock, else the host's.
        package var best: Statistics? { deviceClock ?? host }
    }

    package struct OperatorResult: Codable, Sendable {
        package let id: String
        package let work: Work
        package var plugin: Measurement
        package var reference: Measurement?
        /// The plugin's time over the reference's, repeat by repeat, on the host's clock: below 1 the plugin is the quicker one.
        package var ratio: Statistics?
    }

    package struct ModelResult: Codable, Sendable {
        package let id: String
        package let work: Work
        /// Nodes by the device that ran them.
        package var placement: [String: Int] = [:]
        package var plugin: Measurement
        package var reference: Measurement?
        package var ratio: Statistics?
    }
}
