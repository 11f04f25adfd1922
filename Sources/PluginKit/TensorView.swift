// SPDX-License-Identifier: Apache-2.0
package import CSouthbridge

/// A tensor argument of the host, valid as long as the call (a launch: until the stream has passed it). Copies nothing.
package struct TensorView {
    /// In a graph, the value's identity: one value is one pointer.
    package let raw: UnsafePointer<sb_tensor>

    /// Nil if the pointer is null or the struct is shorter than in version 0.1.
    package init?(_ raw: UnsafePointer<sb_tensor>?) {
        guard let raw, raw.pointee.size >= MinimumSize.tensor else { return nil }
        self.raw = raw
    }

    /// `SB_TYPE_*`.
    package var dataType: UInt32 { raw.pointee.data_type }
    package var rank: Int { Int(raw.pointee.rank) }
    package var shape: UnsafeBufferPointer<Int64> {
        guard let shape = raw.pointee.shape else { return UnsafeBufferPointer(start: nil, count: 0) }
        return UnsafeBufferPointer(start: shape, count: rank)
    }
    /// In elements; nil if dense.
    package var strides: UnsafeBufferPointer<Int64>? {
        raw.pointee.strides.map { UnsafeBufferPointer(start: $0, count: rank) }
    }
    /// Product of the shape; saturates where a hostile shape would overflow.
    package var count: Int {
        var count = 1
        for dimension in shape {
            let (product, overflow) = count.multipliedReportingOverflow(by: Int(dimension))
            count = overflow ? Int.max : product
        }
        return count
    }
    /// Address of the first element if the host can reach it; may have any alignment if the tensor is a constant.
    package var host: UnsafeMutableRawPointer? { raw.pointee.host }
    /// The first element lies `offset` bytes into the buffer.
    package var offset: UInt64 { raw.pointee.offset }
    package var layout: UInt32 { raw.pointee.layout }

    /// The device's buffer. The host vouches that it is a buffer of the device that `Buffer` belongs to.
    package func buffer<Buffer: PluginKit.Buffer>(as _: Buffer.Type) -> Buffer? { raw.pointee.buffer.map(Buffer.behind) }

    /// Address of the first element of a dense tensor in host memory. Without elements there may be no address: then any address is returned.
    package func hostElements() throws(PluginFailure) -> UnsafeMutableRawPointer {
        if raw.pointee.strides != nil { throw .invalid("a tensor with strides was given to a kernel that takes dense ones") }
        if let host = raw.pointee.host { return host }
        guard shape.contains(0) else { throw .invalid("a tensor has no address in host memory") }
        return UnsafeMutableRawPointer(bitPattern: 64)!
    }

    /// Reports the real dimensions of an output whose shape depends on data. Throws if one exceeds the bound that the host gave.
    package func setShape(_ dimensions: [Int]) throws(PluginFailure) {
        guard dimensions.count == rank, zip(dimensions, shape).allSatisfy({ $0 >= 0 && Int64($0) <= $1 }) else {
            throw .internal("the result's shape \(dimensions) exceeds its bound \(Array(shape))")
        }
        for (axis, dimension) in dimensions.enumerated() { raw.pointee.shape[axis] = Int64(dimension) }
    }

    /// Throws unless the struct and the shape keep the rules of section 8.
    func validate() throws(PluginFailure) {
        guard rank <= 64, rank == 0 || raw.pointee.shape != nil else {
            throw .invalid("a tensor of rank \(rank) has no shape or too long a one")
        }
        var count = 1
        for dimension in shape {
            let (product, overflow) = count.multipliedReportingOverflow(by: max(Int(dimension), 1))
            guard dimension >= 0, !overflow else { throw .invalid("a tensor cannot have the shape \(Array(shape))") }
            count = product
        }
    }
}
