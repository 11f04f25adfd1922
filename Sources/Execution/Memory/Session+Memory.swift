// SPDX-License-Identifier: Apache-2.0
import Compiler
import Southbound
import Tensors

extension Session {
    /// Constants up to this size are shown to plugins in any case: shapes, axes, biases.
    private static let smallConstant = 4096

    /// Makes a program, and if a device has no room for it goes on step by step: without what waits in the pools, without the plans for other inputs, and at last
    /// with constants and values that wait on the host. Then plugins are not shown constants beforehand, because what they pack of them stays on the device.
    ///
    /// - Parameters:
    ///   - program: the last one, whose memory may be taken.
    ///   - make: places and plans.
    func makeRoom(after program: Program?, guarded: Bool, _ make: (PlacementRules, MemoryRules) throws -> Program) throws -> Program {
        var whole = memoryRules
        whole.spilling = false
        let shortage: PluginError
        do {
            let made = try make(rules, whole)
            if let program, !guarded { made.keep(program, atMost: memoryRules.keptPlans) }
            return made
        } catch {
            guard let error = error as? PluginError ?? ExecutionError(error).pluginError, error.code == .outOfMemory else { throw error }
            shortage = error
        }
        program?.abandonAll()
        if pools.reduce(0, { $0 + $1.trim() }) > 0 {
            do {
                return try make(rules, whole)
            } catch {
                guard (error as? PluginError ?? ExecutionError(error).pluginError)?.code == .outOfMemory else { throw error }
            }
            for pool in pools { pool.trim() }
        }
        guard memoryRules.spilling, !guarded, devices.contains(where: { !$0.isHostVisible }) else { throw shortage }
        var streaming = rules
        streaming.compiling = false
        streaming.largestKnownConstant = Self.smallConstant
        return try make(streaming, memoryRules)
    }
}

extension Program {
    /// The plan for these inputs, this one or one that is kept with it; what is returned keeps the others.
    func kept(for inputs: [HostTensor]) -> Program? {
        if fits(inputs) { return self }
        guard let index = others.firstIndex(where: { $0.fits(inputs) }) else { return nil }
        let found = others.remove(at: index)
        found.others = [self] + others
        others = []
        return found
    }

    /// - Parameter count: programs, this one among them.
    fileprivate func keep(_ last: Program, atMost count: Int) {
        others = Array(([last] + last.others).prefix(max(count - 1, 0)))
        last.others = []
    }

    fileprivate func abandonAll() {
        for program in [self] + others { program.abandon() }
        others = []
    }
}

extension ExecutionError {
    fileprivate var pluginError: PluginError? { if case .device(let error, _) = self { error } else { nil } }
}
