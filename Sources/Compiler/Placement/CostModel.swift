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
    /// Figures for what a description leaves out: of a processor with a few cores, and of a middling accelerator card.
    static let assumedProcessor = Roofline(bytesPerSecond: 2e10, peaks: [assumedPeak(1e11)])
    static let assumedAccelerator = Roofline(bytesPerSecond: 1e11, peaks: [assumedPeak(1e12)])
    package static let assumedLinkBytesPerSecond = 8e9
    package static let assumedLinkLatency = 1e-5

    private let rooflines: [Roofline]
    private let launchLatencies: [Double]
    package let copies: CopyCosts

    package init(_ devices: [Device]) {
        rooflines = devices.map(\.model.completeRoofline)
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

private func assumedPeak(_ rate: Double) -> Roofline.Peak {
    Roofline.Peak(unit: "assumed", dataType: DataType.float32.name, accumulatorType: "", operationsPerSecond: rate)
}

extension DeviceModel {
    /// Enough to be weighed against others. What a processor does not say about itself can be assumed.
    var saysWhatItCosts: Bool { family == .cpu || !roofline.peaks.isEmpty || roofline.bytesPerSecond > 0 }

    /// With assumed figures where none are known.
    fileprivate var completeRoofline: Roofline {
        let assumed = family == .cpu ? CostModel.assumedProcessor : CostModel.assumedAccelerator
        let known = roofline
        return Roofline(
            bytesPerSecond: known.bytesPerSecond > 0 ? known.bytesPerSecond : assumed.bytesPerSecond,
            peaks: known.peaks.isEmpty ? assumed.peaks : known.peaks)
    }
}

extension Roofline {
    /// The floor. A data type without a rate of its own goes by that of float32, else by the fastest.
    fileprivate func seconds(of work: Work) -> Double {
        let fastest = peaks.map(\.operationsPerSecond).max() ?? .infinity
        let arithmetic = work.operations.map { type, count in count / (peak(of: type) ?? peak(of: DataType.float32.name) ?? fastest) }
        return max(arithmetic.max() ?? 0, work.bytes / bytesPerSecond)
    }
}

extension CopyCosts {
    /// From the links that the devices describe. A device whose memory the host sees is on the host's side of every link.
    package init(_ devices: [Device]) {
        func memory(_ device: Device) -> Line {
            // Read once and written once.
            Line(latency: 0, secondsPerByte: 2 / device.model.completeRoofline.bytesPerSecond)
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
        let type = dataType(inputs: inputs.map(\.?.dataType), outputs: outputs.map(\.?.dataType)) ?? .float32
        let count = operationCount(of: node, inputs: inputs, outputs: outputs)
        return Work(operations: count > 0 ? [type.name: count] : [:], bytes: read.reduce(0, +) + written)
    }
}
