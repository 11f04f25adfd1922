// SPDX-License-Identifier: Apache-2.0
import Graph
import Operators
import PluginKit
import ReferenceCPUKernels
import Tensors

let resizeKernels = ["Resize", "Upsample"].map { name in
    TunedKernel(name, since: 7, types: movable, widens: true) { node, device throws(Refusal) in
        let (x, y) = (try node.present(input: 0), try node.present(output: 0))
        try require(x.view.count > 0 && y.view.count > 0, .shape, "no element")
        let sampling = try sampling(name, node)
        try require(sampling.axes.map(\.positions.count) == y.shape, .shape, "an output of another shape")
        if sampling.isNearest {
            guard let width = width(of: x.type) else { throw Refusal(.dataType, "narrow elements") }
            let tables = zip(sampling.axes, dense(x.shape)).map { axis, stride in axis.positions.map { $0[0] * stride } }
            return TunedKernel.Plan(kernel: PreparedTableCopy(width, tables: tables, fillInput: nil, device))
        }
        try require(x.type == .float32, .dataType, "weighted sums of \(x.type.name)")
        let kernel = PreparedResampling(sampling, x.shape, device)
        return TunedKernel.Plan(kernel: kernel, workspace: kernel.workspace)
    }
}

private func sampling(_ name: String, _ node: NodeView) throws(Refusal) -> ResizeSampling {
    guard let definition = OperatorCatalog.standard["", name] else { throw Refusal(.other, "no such operator") }
    let inputs = (0..<node.inputCount).map { index in
        node.input(index).flatMap { input in input.type.map { ConcreteType($0, input.dimensions) } }
    }
    let values = (0..<node.inputCount).map { index in
        index == 0 ? nil : node.input(index).flatMap { $0.host == nil ? nil : try? $0.hostTensor() }
    }
    do throws(OperatorError) {
        return try ResizeSampling(definition, version: node.version, attributes: node.attributeValues, inputs: inputs, values: values)
    } catch {
        throw Refusal(.other, error.description)
    }
}

/// Weighted sums along one axis after the other, between two parts of the workspace.
private final class PreparedResampling: PreparedKernel, @unchecked Sendable {
    private struct Pass {
        let size, inner, outputs, taps, items: Int
        let positions: UnsafeMutablePointer<Int64>
        let weights: UnsafeMutablePointer<Double>
    }

    private struct Task {
        let pass: Pass
        let x, y: UnsafeMutableRawPointer
    }

    private var passes: [Pass] = []
    private let count: Int
    /// Bytes of the largest tensor between two passes.
    private let partBytes: Int
    private let pool: ThreadPool

    init(_ sampling: ResizeSampling, _ shape: [Int], _ device: CPUDevice) {
        var (current, largest) = (shape, 0)
        for (index, axis) in sampling.axes.enumerated() where !axis.isIdentity {
            let taps = axis.positions.map(\.count).max() ?? 1
            let outputs = axis.positions.count
            let positions = UnsafeMutablePointer<Int64>.allocate(capacity: outputs * taps)
            let weights = UnsafeMutablePointer<Double>.allocate(capacity: outputs * taps)
            positions.initialize(repeating: -1, count: outputs * taps)
            weights.initialize(repeating: 0, count: outputs * taps)
            for (output, (places, shares)) in zip(axis.positions, axis.weights).enumerated() {
                for (tap, (place, share)) in zip(places, shares).enumerated() {
                    (positions[output * taps + tap], weights[output * taps + tap]) = (Int64(place), share)
                }
            }
            let outer = product(current[..<index])
            passes.append(
                Pass(
                    size: current[index], inner: product(current[(index + 1)...]), outputs: outputs, taps: taps, items: outer * outputs,
                    positions: positions, weights: weights))
            current[index] = outputs
            largest = max(largest, product(current))
        }
        count = product(shape)
        partBytes = (largest * MemoryLayout<Float>.size + 63) / 64 * 64
        pool = device.pool
    }

    deinit {
        for pass in passes {
            pass.positions.deallocate()
            pass.weights.deallocate()
        }
    }

    var workspace: Int { passes.count < 2 ? 0 : 2 * partBytes }

    func launch(_ launch: LaunchView) throws(PluginFailure) {
        let (x, y) = (try launch.input(0).hostElements(), try launch.output(0).hostElements())
        if passes.isEmpty { y.copyMemory(from: x, byteCount: count * MemoryLayout<Float>.size) }
        let memory = workspace > 0 ? try launch.hostWorkspace(atLeast: workspace) : y
        var source = x
        for index in 0..<passes.count {
            let target = index == passes.count - 1 ? y : memory + index % 2 * partBytes
            let pass = passes[index]
            let task = Task(pass: pass, x: source, y: target)
            pool.parallel(pass.items, grain: max(elementGrain / (pass.inner * pass.taps), 1), with: task) { context, begin, end in
                let task = context!.assumingMemoryBound(to: Task.self).pointee
                cpu_resample_float32(
                    Int64(task.pass.size), Int64(task.pass.inner), Int64(task.pass.outputs), Int64(task.pass.taps), task.pass.positions,
                    task.pass.weights, task.x, task.y, Int64(begin), Int64(end))
            }
            source = target
        }
    }
}
