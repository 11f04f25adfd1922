// SPDX-License-Identifier: Apache-2.0
import Graph
import HardwareModel
import Operators
import Southbound
import Tensors

extension Placer {
    /// Of the memory, for what buffers take beside their bytes.
    private static let reservedShare = 32

    /// The bytes of a constant as plugins see them before the run; nil if it is none, or is not shown to them.
    func knownBytes(of value: ValueID, _ placement: Placement) -> UnsafeRawPointer? {
        guard let tensor = placement.values[value], tensor.byteCount <= rules.largestKnownConstant else { return nil }
        return tensor.bytes.baseAddress
    }

    /// Why a device has no room for a node even if nothing else is there: all that a launch touches is on the device at once.
    func memoryRefusal(of node: Node, _ answer: SupportAnswer, on device: Device, _ placement: Placement) -> String? {
        let capacity = device.model.spaces[0].capacityBytes
        guard capacity > 0, !device.isHostVisible else { return nil }
        let values = Set((node.inputs + node.outputs).compactMap { $0 })
        let needed = values.reduce(answer.workspaceBytes) { $0 + (placement.types[$1.index]?.byteCount ?? 0) }
        guard needed > capacity - capacity / Self.reservedShare else { return nil }
        return "\(device.name) has \(Quantity.bytes.shown(capacity)) of memory; a launch needs \(Quantity.bytes.shown(needed))"
    }
}
