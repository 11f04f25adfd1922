// SPDX-License-Identifier: Apache-2.0
import Compiler
import Conformance
import Execution
import Foundation
import Graph
import HardwareModel
import Operators
package import Southbound
import Tensors

/// What a launch costs whatever it does: one operator on one element, prepared, its tensors in place. Nil where the device has a kernel for none of a few.
package func measureLaunch(on device: Device) throws -> BenchReport.Launch? {
    for name in ["Add", "Relu", "Identity", "Neg", "Mul"] {
        do {
            return try measureLaunch(of: name, on: device)
        } catch let error as ExecutionError where error.isMissingKernel {
            continue
        }
    }
    return nil
}

private func measureLaunch(of operatorName: String, on device: Device) throws -> BenchReport.Launch {
    let definition = OperatorCatalog.standard["", operatorName]!
    let one = try HostTensor(.float32, [1], doubles: [1])
    let call = OperatorCall(definition, opset: OperatorCatalog.opsets.upperBound, inputs: definition.inputs.map { _ in one })
    let (graph, inputs) = call.graph()
    let given = Dictionary(uniqueKeysWithValues: zip(graph.inputs.map { graph[$0].name }, inputs))
    let model = try Session(graph, devices: [device], rules: .asGiven).resident(given)
    let (many, samples) = (1000, 50)
    _ = try model.run(times: many)
    var throughput = Samples(), submission = Samples(), roundTrip = Samples()
    for _ in 0..<samples {
        let timing = try model.run(times: many)
        throughput.add(Double(timing.total) * 1e-9 / Double(many))
        submission.add(Double(timing.submission) * 1e-9 / Double(many))
        roundTrip.add(Double(try model.run(times: 1).total) * 1e-9)
    }
    return BenchReport.Launch(
        device: device.name, operator: operatorName, throughput: throughput.statistics!, submission: submission.statistics!,
        roundTrip: roundTrip.statistics!)
}

/// Bytes read and written per second by the device's own copy between two of its buffers, larger than its caches.
package func measureCopy(on device: Device) throws -> Double {
    let capacity = device.model.spaces[0].capacityBytes
    let byteCount = min(max(device.model.rotationBytes / 2, 32 << 20), capacity > 0 ? capacity / 8 : .max)
    let (source, target) = (try device.allocate(byteCount: byteCount), try device.allocate(byteCount: byteCount))
    try device.fill(source, byteCount: byteCount, with: 1)
    let stream = try device.makeStream()
    let (start, end) = (try device.makeEvent(), try device.makeEvent())
    var best = Double.infinity
    for _ in 0..<6 {
        let begin = DispatchTime.now().uptimeNanoseconds
        try start.record(on: stream)
        try device.copy(to: .buffer(target, offset: 0), from: .buffer(source, offset: 0), byteCount: byteCount, stream: stream)
        try end.record(on: stream)
        try stream.synchronize()
        let host = DispatchTime.now().uptimeNanoseconds - begin
        let own = device.isQueued ? try end.elapsed(since: start) : nil
        best = min(best, Double(own ?? host))
    }
    return best > 0 ? 2 * Double(byteCount) / (best * 1e-9) : 0
}
