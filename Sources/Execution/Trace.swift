// SPDX-License-Identifier: Apache-2.0
package import Foundation
package import Tensors

/// A run in the Trace Event Format (JSON), which Perfetto and Chrome's tracing page open: a lane per device, an event per launch or copy.
struct Trace: Encodable {
    private struct Event: Encodable {
        let name: String
        let cat: String
        let ph = "X"
        let pid = 1
        let tid: Int
        /// Microseconds.
        let ts: Double
        let dur: Double
        let args: [String: String]
    }

    private struct Lane: Encodable {
        let name = "thread_name"
        let ph = "M"
        let pid = 1
        let tid: Int
        let args: [String: String]
    }

    private let lanes: [Lane]
    private let events: [Event]

    private enum CodingKeys: String, CodingKey { case traceEvents }

    init(_ program: Program, _ timed: [Program.TimedStep]) {
        let placed = program.launchNames
        let names = ["copies"] + Set(placed.map(\.device)).sorted()
        lanes = names.enumerated().map { Lane(tid: $0, args: ["name": $1]) }
        events = timed.map { step in
            let (start, duration) = (Double(step.start) / 1000, Double(step.end - step.start) / 1000)
            guard let node = program.stepNodes[step.step] else {
                return Event(name: "copy", cat: "copy", tid: 0, ts: start, dur: duration, args: [:])
            }
            return Event(
                name: program.nodeNames[node].isEmpty ? placed[node].operatorName : program.nodeNames[node], cat: placed[node].operatorName,
                tid: names.firstIndex(of: placed[node].device) ?? 0, ts: start, dur: duration, args: ["kernel": placed[node].kernel])
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
