// SPDX-License-Identifier: Apache-2.0
import Graph
import HardwareModel
import Operators
import Southbound
import Tensors

/// The kernels of `southbridge.ConvertLayout`, and what they cost.
final class LayoutConverter {
    struct Conversion {
        let library: OperatorLibrary
        let kernel: Kernel
        let descriptor: NodeDescriptor
        let answer: SupportAnswer
    }

    private struct Question: Hashable {
        let library: ObjectIdentifier
        let device: Int
        let dataType: DataType
        let shape: [Int]
        let from, to: Int
    }

    private let devices: [Device]
    private var costs: [Question: Double] = [:]

    init(_ devices: [Device]) { self.devices = devices }

    /// Expected nanoseconds, the launch among them; infinite where no kernel of the library does it or tells its cost.
    func cost(_ type: InferredOutput, from: Int, to: Int, by library: OperatorLibrary, on device: Int) throws -> Double {
        let question = Question(
            library: ObjectIdentifier(library), device: device, dataType: type.dataType, shape: type.shape, from: from, to: to)
        if let known = costs[question] { return known }
        let cost = try conversion(type, from: from, to: to, by: library, on: device)?.answer.costNanoseconds ?? 0
        costs[question] = cost > 0 ? cost + Double(devices[device].model.launchLatencyPicoseconds) / 1000 : .infinity
        return costs[question]!
    }

    /// Nil where no kernel of the library does it.
    func conversion(_ type: InferredOutput, from: Int, to: Int, by library: OperatorLibrary, on device: Int) throws -> Conversion? {
        for kernel in library.candidates(domain: "southbridge", operatorName: "ConvertLayout", version: 1, dataType: type.dataType) {
            let descriptor = try NodeDescriptor(
                kernel: kernel, domain: "southbridge", operatorName: "ConvertLayout", version: 1, attributes: [:],
                inputs: [TensorDescriptor(type.dataType, type.shape, layout: from)],
                outputs: [TensorDescriptor(type.dataType, type.shape, layout: to)])
            let answer = try library.support([descriptor], on: devices[device])[0]
            if answer.isSupported { return Conversion(library: library, kernel: kernel, descriptor: descriptor, answer: answer) }
        }
        return nil
    }

    func device(_ index: Int) -> Device { devices[index] }
}
