// SPDX-License-Identifier: Apache-2.0
import Compiler
import Execution
import Foundation
import Graph
import Southbound
import Tensors
import TestSupport
import Testing

/// Runs that are stopped from outside.
@Suite struct RunControlTests {
    private func error(_ body: () throws -> Void) -> ExecutionError? {
        do { try body() } catch { return error as? ExecutionError }
        return nil
    }

    /// The chip works until it is cancelled; the error names what it was at, and the session runs on.
    @Test func deadlineCancelsWhatTheDeviceIsAt() throws {
        let model = SplitModel(rounds: 2)
        let session = model.session([try lazyQueues(["-DENDLESS"]), try cpu()])
        // Plans, so that the time below is the run's own.
        let stopped = RunControl()
        stopped.stop()
        _ = error { _ = try session.run(model.inputs(seed: 0), control: stopped) }
        for run in 0..<3 {
            let control = RunControl()
            control.stop(afterSeconds: 0.2)
            let failure = error { _ = try session.run(model.inputs(seed: run), control: control) }
            guard case .deadline(let node)? = failure else {
                Issue.record("\(String(describing: failure))")
                continue
            }
            // The host was at the copy to the CPU, behind the launch that does not end.
            #expect(node == "add0", "run \(run)")
        }
    }

    @Test func anotherThreadCancels() throws {
        let model = SplitModel(rounds: 2)
        let session = model.session([try lazyQueues(["-DENDLESS"]), try cpu()])
        let control = RunControl()
        let thread = Thread {
            usleep(50_000)
            control.stop()
        }
        thread.start()
        guard case .cancelled? = error({ _ = try session.run(model.inputs(seed: 1), control: control) }) else {
            Issue.record("not cancelled")
            return
        }
    }

    /// Also on devices that cannot break off what they were given, and on the CPU, the session works as before afterwards.
    @Test(arguments: ["npu", "lazy", "cpu"]) func runsAfterAStoppedRun(chip: String) throws {
        let model = SplitModel(rounds: 3)
        let devices = [chip == "npu" ? try npu() : chip == "lazy" ? try lazyQueues() : nil, try cpu()].compactMap { $0 }
        let session = model.session(devices)
        let control = RunControl()
        control.stop()
        for run in 0..<3 {
            guard case .cancelled? = error({ _ = try session.run(model.inputs(seed: run), control: control) }) else {
                Issue.record("not cancelled")
                return
            }
            #expect(try model.isRight(session, seed: run))
        }
    }

    /// Stopped at some moment of the run, or after it: the result is right, or the run says that it was cancelled.
    @Test(arguments: 0..<20) func stoppedAtAnyMoment(moment: Int) throws {
        let model = SplitModel(rounds: 8)
        let session = model.session([moment % 2 == 0 ? try npu(["ordering": "adversarial"]) : try lazyQueues(), try cpu()])
        #expect(try model.isRight(session, seed: 0))
        let inputs = try model.inputs(seed: 1)
        let control = RunControl()
        let thread = Thread {
            usleep(UInt32(moment * 40))
            control.stop()
        }
        thread.start()
        do {
            let results = try session.run(inputs, control: control).map { $0.tensor.elements(as: Float.self) }
            #expect(results == model.expected(inputs))
        } catch {
            guard case .cancelled = error else {
                Issue.record("\(error)")
                return
            }
        }
        #expect(try model.isRight(session, seed: 2))
    }

    /// The second of the chip's launches fails in its queue, behind which others lie: the error names it, and the session works.
    @Test func failureInAQueueNamesItsNode() throws {
        let model = SplitModel(rounds: 4)
        let session = model.session([try lazyQueues(["-DFAILS_AT=2"]), try cpu()])
        guard case .device(let reason, let node)? = error({ _ = try session.run(model.inputs(seed: 1)) }) else {
            Issue.record("no failure")
            return
        }
        #expect(node == "sub0" && "\(reason)".contains("a launch failed"), "\(reason)")
        #expect(try model.isRight(session, seed: 1))
    }

    /// An index beyond its tensor, found out by the chip while it works; what comes after waits on other lanes and devices.
    @Test(arguments: ["prompt", "adversarial"]) func failureOnTheChipNamesItsNode(ordering: String) throws {
        var graph = Graph(name: "gather")
        let x = graph.addValue("x", type: TensorType(.float32, known: [4]))
        let i = graph.addValue("i", type: TensorType(.int64, known: [2]))
        let (s, g, m, y) = (graph.addValue("s"), graph.addValue("g"), graph.addValue("m"), graph.addValue("y"))
        graph.inputs = [x, i]
        graph.outputs = [y]
        for (name, inputs, output) in [("Add", [x, x], s), ("Gather", [s, i], g), ("Max", [g, g], m), ("Sub", [m, g], y)] {
            graph.addNode(Node(name: "the \(name)", operatorName: name, opset: 13, inputs: inputs, outputs: [output]))
        }
        var rules = PlacementRules()
        rules.pins = [("the Max", "cpu")]
        rules.compiling = false
        let session = Session(graph, devices: [try npu(["ordering": ordering]), try cpu()], rules: rules)
        func inputs(_ index: Int64) throws -> [String: HostTensor] {
            ["x": try HostTensor(.float32, [4], [1, 2, 3, 4] as [Float]), "i": try HostTensor(.int64, [2], [0, index])]
        }
        #expect(try session.run(inputs(3))[0].tensor.elements(as: Float.self) == [0, 0])
        #expect(session.summary?.placement == ["npu:0": 3, "cpu:0": 1])
        guard case .device(_, let node)? = error({ _ = try session.run(inputs(9)) }) else {
            Issue.record("no failure")
            return
        }
        #expect(node == "the Gather")
        #expect(try session.run(inputs(3))[0].tensor.elements(as: Float.self) == [0, 0])
    }

    /// A device that is gone says so, in this run and in later ones.
    @Test(arguments: [1, 3, 9]) func lostDeviceSaysSo(command: Int) throws {
        let model = SplitModel(rounds: 2)
        let session = model.session([try npu(["fault": "lost:\(command)", "graphs": "false"]), try cpu()])
        for _ in 0..<2 {
            guard case .device(let reason, _)? = error({ _ = try session.run(model.inputs(seed: 1)) }) else {
                Issue.record("no failure")
                return
            }
            #expect(reason.code == .deviceLost)
        }
    }
}
