// SPDX-License-Identifier: Apache-2.0
package import Compiler
package import Tensors

extension Session {
    /// What the first device lacks to run all of the model, for inputs of these shapes; see `Placer.needs`.
    package func needs(_ inputs: [String: HostTensor]) throws(ExecutionError) -> [NodeNeed] {
        let tensors = try check(inputs)
        do {
            let optimized = try optimize(tensors, rules)
            return try placer(of: optimized, rules).needs(optimized.inference, of: 0)
        } catch {
            throw ExecutionError(error)
        }
    }

    /// Whether a run takes place on the first device alone, but for what the stack computes before it. False where nobody runs some node, too.
    package func runsOnFirstDevice(_ inputs: [String: HostTensor]) throws(ExecutionError) -> Bool {
        do {
            return try placement(inputs).steps.allSatisfy { step in
                if case .view = step { true } else { step.device == 0 }
            }
        } catch .noKernel {
            return false
        }
    }
}
