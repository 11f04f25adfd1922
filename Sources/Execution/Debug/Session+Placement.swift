// SPDX-License-Identifier: Apache-2.0
package import Compiler
package import Tensors

extension Session {
    /// Which node would run where, in which order and in which groups; nothing is prepared or run.
    package func placement(_ inputs: [String: HostTensor]) throws(ExecutionError) -> Placement {
        let tensors = try check(inputs)
        do {
            return try place(tensors, rules)
        } catch {
            throw ExecutionError(error)
        }
    }
}
