// SPDX-License-Identifier: Apache-2.0
import Foundation
import Tensors

/// A dense, row-major tensor in host memory. Immutable; copies share their memory.
public struct Tensor: Sendable {
    let host: HostTensor

    init(_ host: HostTensor) { self.host = host }

    /// Throws if the elements are not as many as the shape has places.
    public init<Element: TensorElement>(_ elements: [Element], shape: [Int]) throws(RuntimeError) {
        do {
            host = try HostTensor(Element.elementType.dataType, shape, elements)
        } catch {
            throw RuntimeError(.usage, "\(error)")
        }
    }

    /// One axis, as long as there are elements.
    public init<Element: TensorElement>(_ elements: [Element]) throws(RuntimeError) {
        try self.init(elements, shape: [elements.count])
    }

    /// A tensor of any type by its bytes: little-endian, row-major, elements narrower than a byte packed without gaps, the first in the lowest bits.
    public init(bytes: [UInt8], elementType: ElementType, shape: [Int]) throws(RuntimeError) {
        do {
            host = try HostTensor(elementType.dataType, shape, bytes: Data(bytes))
        } catch {
            throw RuntimeError(.usage, "\(error)")
        }
    }

    /// By axis: how many.
    public var shape: [Int] { host.shape }
    /// Of all elements.
    public var elementType: ElementType { ElementType(host.dataType) }
    /// The number of elements.
    public var count: Int { host.count }
    /// A copy of the elements' bytes, row by row.
    public var bytes: [UInt8] { withExtendedLifetime(host) { Array(host.bytes) } }

    /// All elements, row by row. Throws if they are of another type.
    public func elements<Element: TensorElement>(as type: Element.Type = Element.self) throws(RuntimeError) -> [Element] {
        try check(type)
        return host.elements(as: type)
    }

    /// The element at an index for each axis. Traps where there is none, or if the tensor has elements of another type.
    public subscript<Element: TensorElement>(index: Int..., as type: Element.Type) -> Element {
        precondition(elementType == Element.elementType, "the elements are \(elementType), not \(Element.elementType)")
        precondition(index.count == shape.count, "\(index.count) indices for a tensor of \(shape.count) axes")
        var position = 0
        for (axis, size) in zip(index, shape) {
            precondition((0..<size).contains(axis), "index \(index) is outside shape \(shape)")
            position = position * size + axis
        }
        return host.bytes.loadUnaligned(fromByteOffset: position * MemoryLayout<Element>.size, as: type)
    }

    func check<Element: TensorElement>(_ type: Element.Type) throws(RuntimeError) {
        guard elementType == Element.elementType else {
            throw RuntimeError(.usage, "the elements are \(elementType), not \(Element.elementType)")
        }
    }
}
