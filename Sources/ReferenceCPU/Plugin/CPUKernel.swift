// SPDX-License-Identifier: Apache-2.0
package import Operators
package import PluginKit
package import Tensors

/// A kernel of this plugin: `support` and `prepare` get a `CPUDevice`, with the thread pool and the matrix products.
///
/// Inputs and outputs are in host memory (`TensorView.hostElements()`); constants may be aligned to one byte only.
package protocol CPUKernel: Kernel where Device == CPUDevice {}

extension KernelDeclaration {
    package init(
        _ name: String, domain: String = "", operator operatorName: String, since: Int = 1, until: Int = 0, types: TypeSet,
        flags: KernelFlags = .deterministic, priority: Int32 = 0, hostInputs: Set<Int> = []
    ) {
        self.init(
            name: name, domain: domain, operatorName: operatorName, since: UInt32(since), until: UInt32(until), dataTypes: types.rawValue,
            flags: flags, priority: priority, hostInputs: hostInputs.reduce(0) { $0 | 1 << UInt64($1) })
    }
}

extension TensorView {
    package var type: DataType? { DataType(rawValue: dataType) }
    package var dimensions: [Int] { shape.map { Int($0) } }
}
