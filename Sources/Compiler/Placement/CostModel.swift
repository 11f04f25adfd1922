// SPDX-License-Identifier: Apache-2.0
import CSouthbridge
import Graph
package import HardwareModel
package import Operators
package import Southbound
import Tensors

/// Seconds that a kernel is expected to take, and where the figure comes from.
package struct CostEstimate: Sendable, Hashable {
    package enum Origin: String, Codable, Sendable { case measured, answered, roofline }

    package var seconds: Double
    package var origin: Origin

    package init(_ seconds: Double, _ origin: Origin) {
        self.seconds = seconds
        self.origin = origin
    }
}

/// What kernels and copies are expected to cost: what was measured, else what the plugin answers, else what follows from the description of the hardware.
///
/// Seconds are those of each device's own clock: of a simulated chip, simulated ones.
package struct CostModel: Sendable {
    /// Of the roof, what a kernel reaches that says nothing about its cost. The roof is a limit that no kernel reaches; half of it is what good ones come to.
    package static let share = 0.5
    /// A generic kernel runs element by element, by the definition.
    package static let genericShare = 0.01
    /// Figures for what a description leaves out, those of a middling accelerator card, so that a chip that describes nothing is used.
    package static let assumedOperationsPerSecond = 1e12
    package static let assumedBytesPerSecond = 1e11
    package static let assumedLinkBytesPerSecond = 8e9
    package static let assumedLinkLatency = 1e-5

    private let rooflines: [Roofline]
    private let launchLatencies: [Double]
    package let copies: CopyCosts

    package init(_ devices: [Device]) {
        rooflines = devices.map(\.model.roofline)
        launchLatencies = devices.map { Double($0.model.launchLatencyPicoseconds) * 1e-12 }
        copies = CopyCosts(devices)
    }

    /// - Parameter answer: the plugin's own figure in nanoseconds, without the launch; 0: none.
    package func estimate(_ work: Work, answer: Double, isGeneric: Bool, on device: Int) -> CostEstimate {
        if answer > 0 { return CostEstimate(launchLatencies[device] + answer * 1e-9, .answered) }
        let share = isGeneric ? Self.genericShare : Self.share
        return CostEstimate(launchLatencies[device] + rooflines[device].seconds(of: work) / share, .roofline)
    }
}

extension Roofline {
    /// The floor, with assumed figures where none are known. A data type without a rate of its own goes by that of float32, else by the fastest.
    fileprivate func seconds(of work: Work) -> Double {
        let fastest = peaks.map(\.operationsPerSecond).max()
        let arithmetic = work.operations.map { type, count in
            count / (peak(of: type) ?? peak(of: DataType.float32.name) ?? fastest ?? CostModel.assumedOperationsPerSecond)
        }
        return max(arithmetic.max() ?? 0, work.bytes / (bytesPerSecond > 0 ? bytesPerSecond : CostModel.assumedBytesPerSecond))
    }
}

extension CopyCosts {
    /// From the links that the devices describe. A device whose memory the host sees is on the host's side of every link.
    package init(_ devices: [Device]) {
        func memory(_ device: Device) -> Line {
            let rate = Double(device.model.spaces[0].bandwidthBytesPerSecond)
            // Read once and written once.
            return Line(latency: 0, secondsPerByte: 2 / (rate > 0 ? rate : CostModel.assumedBytesPerSecond))
        }
        func link(_ device: Device) -> Line {
            guard !device.isHostVisible else { return memory(device) }
            return Line(device.model.links.first { $0.kind == .host })
        }
        let lines = devices.map(link)
        let direct = devices.map { source in
            devices.enumerated().map { index, destination -> Line? in
                if source.isHostVisible { return lines[index] }
                if destination.isHostVisible { return link(source) }
                guard source.plugin === destination.plugin, source.plugin.driver?.copy_peer != nil else { return nil }
                let peer =
                    source.model.links.first { $0.kind == .peer && $0.peer == destination.index }
                    ?? destination.model.links.first { $0.kind == .peer && $0.peer == source.index }
                return peer.map { Line($0) }
            }
        }
        self.init(direct: direct, toHost: lines, fromHost: lines)
    }
}

extension CopyCosts.Line {
    fileprivate init(_ link: Link?) {
        let rate = Double(link?.bandwidthBytesPerSecond ?? 0)
        self.init(
            latency: link.map { Double($0.latencyPicoseconds) * 1e-12 } ?? CostModel.assumedLinkLatency,
            secondsPerByte: 1 / (rate > 0 ? rate : CostModel.assumedLinkBytesPerSecond))
    }
}

extension OperatorDefinition {
    /// Operations of a node, and the bytes that it has to read and write.
    func work(of node: Node, inputs: [ConcreteType?], outputs: [ConcreteType?]) -> Work {
        func bytes(_ types: [ConcreteType?]) -> [Double] {
            types.map { type in type.flatMap { elementCount($0.shape).flatMap($0.dataType.byteCount(of:)) }.map(Double.init) ?? 0 }
        }
        var read = bytes(inputs)
        let written = bytes(outputs).reduce(0, +)
        if picksElements, let first = read.first { read[0] = min(first, written) }
        let type = (inputs.first ?? outputs.first).flatMap { $0 }?.dataType ?? .float32
        let count = operationCount(of: node, inputs: inputs, outputs: outputs)
        return Work(operations: count > 0 ? [type.name: count] : [:], bytes: read.reduce(0, +) + written)
    }
}
