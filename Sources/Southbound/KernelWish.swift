// SPDX-License-Identifier: Apache-2.0
import CSouthbridge
package import Tensors

/// A kernel that nobody has written yet: an operator on a data type (of a node's first input; of its first output if it has none), in every version.
package struct KernelWish: Hashable, Comparable, Sendable, CustomStringConvertible {
    /// Empty for ONNX's default domain.
    package let domain: String
    package let operatorName: String
    package let dataType: DataType

    package init(domain: String, operatorName: String, dataType: DataType) {
        (self.domain, self.operatorName, self.dataType) = (domain, operatorName, dataType)
    }

    package var qualifiedName: String { domain.isEmpty ? operatorName : "\(domain)::\(operatorName)" }
    package var description: String { "\(qualifiedName) \(dataType.name)" }

    package static func < (left: KernelWish, right: KernelWish) -> Bool {
        (left.domain, left.operatorName, left.dataType.rawValue) < (right.domain, right.operatorName, right.dataType.rawValue)
    }
}

extension OperatorLibrary {
    /// A library of kernels that do not exist, as if `plugin` had them for its devices. It takes every node that they cover; it can be asked, and never launched.
    package static func assuming(_ wishes: some Sequence<KernelWish>, of plugin: Plugin) throws(PluginError) -> OperatorLibrary {
        let memory = CMemory()
        let reader = PluginReader(plugin: plugin.name)
        var kernels: [Kernel] = []
        for (index, wish) in wishes.sorted().enumerated() {
            var record = sb_kernel()
            record.size = MemoryLayout<sb_kernel>.size
            record.name = memory.string("assumed \(wish)")
            record.domain = memory.string(wish.domain)
            record.operator_name = memory.string(wish.operatorName)
            record.since = 1
            record.data_types = 1 << UInt64(wish.dataType.rawValue)
            record.flags = SB_KERNEL_FLAG_REPORTS_SHAPE
            kernels.append(try Kernel(memory.allocate(record), index, reader))
        }
        var table = sb_operators()
        table.size = MemoryLayout<sb_operators>.size
        table.support = { _, _, _, count, answers, _ in
            for index in 0..<count { answers?[index]?.pointee.supported = 1 }
            return SB_OK
        }
        return OperatorLibrary(plugin: plugin, table: table, kernels: kernels, assumed: memory)
    }
}
