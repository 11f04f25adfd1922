// SPDX-License-Identifier: Apache-2.0
package import Foundation
import Southbound
package import Tensors

/// A run in the Trace Event Format (JSON), which Perfetto and Chrome's tracing page open. Process 1 is the host: a track per lane of each device, an event per
/// launch or copy, in the host's time. Each device that records its activities is a process with its own lanes, in its own time.
struct Trace: Encodable {
    private struct Event: Encodable {
        let name: String
        let cat: String
        let ph = "X"
        var pid = 1
        let tid: Int
        /// Microseconds.
        let ts: Double
        let dur: Double
        let args: [String: String]
    }

    private struct Lane: Encodable {
        var name = "thread_name"
        let ph = "M"
        var pid = 1
        let tid: Int
        let args: [String: String]
    }

    private var lanes: [Lane]
    private var events: [Event]

    private enum CodingKeys: String, CodingKey { case traceEvents }

    init(_ program: Program, _ timed: [Program.TimedStep], _ activities: [(device: String, activities: [Activity])]) {
        let placed = program.names
        /// The calling thread works for several devices.
        func track(_ step: Int) -> String {
            if let lane = program.list.laneOfStep[step], lane > 0 { return program.lanes.names[lane] }
            return program.list.launched[step].map { placed[$0].device } ?? "copies"
        }
        let names = Set(timed.map { track($0.step) }).sorted()
        lanes = [Lane(name: "process_name", tid: 0, args: ["name": "host"])]
        lanes += names.enumerated().map { Lane(tid: $0, args: ["name": $1]) }
        events = timed.map { step in
            let (start, duration) = (Double(step.start) / 1000, Double(step.end - step.start) / 1000)
            let tid = names.firstIndex(of: track(step.step)) ?? 0
            guard let launch = program.list.launched[step.step].map({ placed[$0] }) else {
                return Event(name: "copy", cat: "copy", tid: tid, ts: start, dur: duration, args: [:])
            }
            return Event(
                name: launch.node.isEmpty ? launch.operatorName : launch.node, cat: launch.operatorName, tid: tid, ts: start,
                dur: duration, args: ["kernel": "\(launch.plugin)/\(launch.kernel)"])
        }
        for (index, device) in activities.enumerated() { add(device.activities, of: device.device, process: index + 2, placed) }
    }

    private mutating func add(_ activities: [Activity], of device: String, process: Int, _ launches: [Program.LaunchNames]) {
        lanes.append(Lane(name: "process_name", pid: process, tid: 0, args: ["name": "\(device) (device time)"]))
        let names = Set(activities.map(\.lane)).sorted()
        lanes += names.enumerated().map { Lane(pid: process, tid: $0, args: ["name": $1]) }
        events += activities.map { activity in
            var args: [String: String] = [:]
            if activity.correlation > 0, activity.correlation <= launches.count {
                args["node"] = launches[Int(activity.correlation) - 1].node
            }
            if activity.bytes > 0 { args["bytes"] = "\(activity.bytes)" }
            if activity.operations > 0 { args["operations"] = "\(activity.operations)" }
            return Event(
                name: activity.name, cat: activity.lane, pid: process, tid: names.firstIndex(of: activity.lane) ?? 0,
                ts: Double(activity.begin) / 1e6, dur: Double(activity.end - min(activity.begin, activity.end)) / 1e6, args: args)
        }
    }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        var list = container.nestedUnkeyedContainer(forKey: .traceEvents)
        for lane in lanes { try list.encode(lane) }
        for event in events { try list.encode(event) }
    }
}

extension Session {
    /// Runs the model once more, waiting for the device after each step, and writes what took how long.
    package func writeTrace(to file: URL, inputs: [String: HostTensor]) throws {
        let trace = try timedTrace(inputs)
        try JSONEncoder().encode(trace).write(to: file, options: .atomic)
    }
}
