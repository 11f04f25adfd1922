// SPDX-License-Identifier: Apache-2.0
import CSouthbridge
import Dispatch
import Graph
import Southbound
import Synchronization
package import Tensors

/// A model whose inputs lie on the devices already and stay there unchanged: what is left of a run are its launches. For measurements.
package final class ResidentModel {
    /// Nanoseconds of some runs in a row.
    package struct Timing: Sendable {
        /// Until the devices had finished.
        package let total: UInt64
        /// Until the host had given all work away.
        package let submission: UInt64
        /// From the first launch to the end of the last by the device's own clock; nil where it has none beside the host's, or where several devices work.
        package let device: UInt64?
    }

    private let program: Program
    private let inputs: [HostTensor]
    private let clock: DeviceClock?

    init(_ program: Program, _ inputs: [HostTensor]) throws {
        self.program = program
        self.inputs = inputs
        clock = try DeviceClock(program)
        try program.settle(inputs)
    }

    package var summary: PlanSummary { program.summary }

    /// Runs the model `count` times and waits once, at the end.
    package func run(times count: Int) throws(ExecutionError) -> Timing {
        do {
            try clock?.start()
            let start = DispatchTime.now().uptimeNanoseconds
            let submitted = try program.launch(times: count) {
                try self.clock?.stop()
                return DispatchTime.now().uptimeNanoseconds
            }
            let end = DispatchTime.now().uptimeNanoseconds
            let device = try clock?.elapsed()
            return Timing(total: end - start, submission: submitted - start, device: device)
        } catch {
            throw ExecutionError(error)
        }
    }

    /// What the last run left, in the graph's order.
    package func outputs() throws(ExecutionError) -> [HostTensor] {
        do { return try program.readOutputs(inputs) } catch { throw ExecutionError(error) }
    }
}

/// Marks on the lane of launches of the one queued device of a program; its other lanes are in step with it at both ends of a run.
private struct DeviceClock {
    private let queue: Stream
    private let first, last: Event

    /// Nil where no device, or more than one, works through a queue.
    init?(_ program: Program) throws {
        let queues = program.lanes.queues
        guard Set(queues.map(\.device)).count == 1, let compute = queues.first(where: { $0.role == .compute }) else { return nil }
        queue = compute.stream
        first = try queue.device.makeEvent()
        last = try queue.device.makeEvent()
    }

    func start() throws { try first.record(on: queue) }
    func stop() throws { try last.record(on: queue) }
    func elapsed() throws -> UInt64? { try last.elapsed(since: first) }
}

extension Session {
    /// Runs the model once, and tells how long it took by the clock of the one device that works through a queue; nil where there is none.
    package func runTimed(
        _ inputs: [String: HostTensor]
    ) throws(ExecutionError) -> (outputs: [(name: String, tensor: HostTensor)], deviceNanoseconds: UInt64?) {
        let tensors = try check(inputs)
        do {
            return try program.withLock { program in
                let current = try plan(tensors, reusing: program)
                program = current
                guard let clock = try DeviceClock(current) else { return (named(try current.run(tensors)), nil) }
                try clock.start()
                let results = try current.run(tensors, whenGiven: clock.stop)
                return (named(results), try clock.elapsed())
            }
        } catch {
            throw ExecutionError(error)
        }
    }

    private func named(_ results: [HostTensor]) -> [(name: String, tensor: HostTensor)] {
        zip(graph.outputs, results).map { (graph[$0].name, $1) }
    }

    /// Plans for these inputs, puts them on the devices and prepares all kernels. Nothing has run yet.
    package func resident(_ inputs: [String: HostTensor]) throws(ExecutionError) -> ResidentModel {
        let tensors = try check(inputs)
        do {
            // Guards keep the inputs out of memory that later results take.
            return try ResidentModel(plan(tensors, reusing: nil, guardBytes: 64, downloading: false), tensors)
        } catch {
            throw ExecutionError(error)
        }
    }
}
