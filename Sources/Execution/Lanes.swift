// SPDX-License-Identifier: Apache-2.0
import Southbound

/// The queues that the steps of a program go to.
///
/// Lane 0 is the calling thread, which also does the work of devices without queues. A queued device has a lane for its launches and, where it has events to
/// order them by, one for copies to it and one for copies from it.
struct Lanes {
    enum Role: String {
        case compute = ""
        case copyIn = " copies in"
        case copyOut = " copies out"
    }

    struct Lane {
        /// Index into the list of devices.
        let device: Int
        let role: Role
        let stream: Stream
    }

    /// Lane `n` is at place n - 1.
    private(set) var queues: [Lane] = []
    private let devices: [Device]
    /// By device: of those that work inline.
    private var inline: [Int: Stream] = [:]

    init(_ devices: [Device]) { self.devices = devices }

    /// The lane of such work on a device, and what it is queued on.
    mutating func lane(of device: Int, _ role: Role) throws(PluginError) -> (lane: Int, stream: Stream) {
        guard devices[device].isQueued else {
            if let stream = inline[device] { return (0, stream) }
            let stream = try devices[device].makeStream()
            inline[device] = stream
            return (0, stream)
        }
        let role = devices[device].plugin.events == nil ? .compute : role
        if let index = queues.firstIndex(where: { $0.device == device && $0.role == role }) { return (index + 1, queues[index].stream) }
        queues.append(Lane(device: device, role: role, stream: try devices[device].makeStream()))
        return (queues.count, queues.last!.stream)
    }

    /// By lane: "host", "npu:0", "npu:0 copies in".
    var names: [String] { ["host"] + queues.map { devices[$0.device].name + $0.role.rawValue } }

    var facts: [Hazards.Lane] {
        [Hazards.Lane(device: -1, hasEvents: false)]
            + queues.map { Hazards.Lane(device: $0.device, hasEvents: devices[$0.device].plugin.events != nil) }
    }

    /// The lanes of each device that has several: the one of its launches, and the others.
    var groups: [(compute: Int, copies: [Int])] {
        queues.indices.filter { queues[$0].role == .compute }.map { index in
            (index + 1, queues.indices.filter { $0 != index && queues[$0].device == queues[index].device }.map { $0 + 1 })
        }.filter { !$0.copies.isEmpty }
    }
}
