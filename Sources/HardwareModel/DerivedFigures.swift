// SPDX-License-Identifier: Apache-2.0

/// What follows from a description: the key `derived` of `devices --json`.
package struct DerivedFigures: Encodable, Sendable {
    package struct Peak: Encodable, Sendable {
        package let unit: String
        package let dataType: String
        package let accumulatorType: String
        package let operationsPerSecond: Double
        /// Operations per byte of memory space 0 from which on arithmetic is the limit.
        package let ridgeOperationsPerByte: Double?
    }

    package struct Transfer: Encodable, Sendable {
        /// A memory space's name, `host`, `peer 1` or `other`.
        package let over: String
        package let bytes: Int
        package let seconds: Double
    }

    package let peaks: [Peak]
    /// Times for `transferBytes`, over every link and through every memory space whose bandwidth is known.
    package let transfers: [Transfer]

    package static let transferBytes = 1 << 20

    package init(_ model: DeviceModel) {
        let roofline = model.roofline
        peaks = roofline.peaks.map { peak in
            Peak(
                unit: peak.unit, dataType: peak.dataType, accumulatorType: peak.accumulatorType,
                operationsPerSecond: peak.operationsPerSecond,
                ridgeOperationsPerByte: roofline.bytesPerSecond > 0 ? peak.operationsPerSecond / roofline.bytesPerSecond : nil)
        }
        let bytes = Self.transferBytes
        transfers =
            model.links.compactMap { link in
                link.seconds(moving: Double(bytes)).map { Transfer(over: link.destination, bytes: bytes, seconds: $0) }
            }
            + model.spaces.compactMap { space in
                space.seconds(moving: Double(bytes)).map { Transfer(over: space.name, bytes: bytes, seconds: $0) }
            }
    }
}

extension Link {
    /// `host`, `peer 1`, `other`.
    package var destination: String { peer.map { "\(kind.rawValue) \($0)" } ?? kind.rawValue }
}
