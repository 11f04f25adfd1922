// SPDX-License-Identifier: Apache-2.0
import CSouthbridge

func operatorsTable(kernels: UnsafePointer<UnsafePointer<sb_kernel>?>, count: Int) -> sb_operators {
    var table = sb_operators()
    table.size = MemoryLayout<sb_operators>.size
    table.kernels = kernels
    table.kernel_count = count
    table.support = { instance, device, nodes, count, answers, error in
        status(error) { () throws(PluginFailure) in
            let instance = try InstanceHandle.required(instance, "instance")
            let device = try DeviceHandle.required(device, "device")
            guard count == 0 || (nodes != nil && answers != nil) else { throw .invalid("support was given NULL") }
            // All questions are checked before the first answer is written: a failed call has no effect.
            var asked: [(NodeView, KernelHandle, UnsafeMutablePointer<sb_support>)] = []
            for index in 0..<count {
                guard let answer = answers![index], answer.pointee.size >= MinimumSize.support else {
                    throw .invalid("an answer is NULL or shorter than in version 0.1")
                }
                let node = try NodeView(validating: nodes![index])
                asked.append((node, try kernel(of: node, in: instance), answer))
            }
            var given: [(Support, PreferredLayouts?)] = []
            for (node, kernel, answer) in asked {
                if let refusal = kernel.declaration.refusal(of: node) {
                    given.append((refusal, nil))
                } else {
                    let support = try kernel.support(node, on: device)
                    let isWanted = support.isYes && kernel.declaration.flags.contains(.layouts) && wantsLayouts(answer) && node.isRowMajor
                    given.append((support, isWanted ? try kernel.preferredLayouts(node, on: device) : nil))
                }
            }
            for ((node, _, answer), (support, preferred)) in zip(asked, given) {
                support.write(to: answer)
                preferred?.write(to: answer, of: node)
            }
        }
    }
    table.prepare = { instance, device, node, result, error in
        status(error) { () throws(PluginFailure) in
            let device = try DeviceHandle.required(device, "device")
            let node = try NodeView(validating: node)
            let kernel = try kernel(of: node, in: try InstanceHandle.required(instance, "instance"))
            if case .no(_, let reason)? = kernel.declaration.refusal(of: node) { throw .invalid(reason) }
            try give(result, try kernel.prepare(node, on: device))
        }
    }
    table.release = { StateHandle.release($0) }
    table.launch = { launch, detail in
        guard let view = LaunchView(launch), let state = view.raw.pointee.state else {
            return PluginFailure.invalid("a launch is NULL, shorter than in version 0.1, or was not prepared").report(to: detail)
        }
        // No retain, no allocation: this is the path that a network takes thousands of times a second.
        return Unmanaged<StateHandle>.fromOpaque(UnsafeRawPointer(state))._withUnsafeGuaranteedRef { state in
            do throws(PluginFailure) {
                try state.launch(view)
                return SB_OK
            } catch {
                var failure = error
                failure.correlation = view.correlation
                return failure.report(to: detail)
            }
        }
    }
    return table
}

private func kernel(of node: NodeView, in instance: InstanceHandle) throws(PluginFailure) -> KernelHandle {
    guard let kernel = node.raw.pointee.kernel, instance.owns(kernel), let context = kernel.pointee.context else {
        throw .invalid("the node asks for a kernel that is not this plugin's")
    }
    return Unmanaged<KernelHandle>.fromOpaque(context).takeUnretainedValue()
}

/// The host's struct reaches to the members of version 0.3, and has places for layouts.
private func wantsLayouts(_ answer: UnsafeMutablePointer<sb_support>) -> Bool {
    answer.pointee.size >= MinimumSize.supportWithLayouts && answer.pointee.input_layouts != nil && answer.pointee.output_layouts != nil
}

extension KernelDeclaration {
    /// Why a kernel is not asked about this node at all; nil if the operator, version and data type are those that it declares.
    fileprivate func refusal(of node: NodeView) -> Support? {
        guard node.hasOperator(operatorName, domain: domain) else {
            return .no(.other, "'\(name)' computes \(operatorName), not \(node.operatorName)")
        }
        guard node.version >= Int(since), until == 0 || node.version <= Int(until) else {
            return .no(.other, "'\(name)' does not take version \(node.version) of \(operatorName)")
        }
        guard let type = node.dataType, type < 64, dataTypes & (1 << UInt64(type)) != 0 else {
            return .no(.dataType, "'\(name)' does not take data type \(node.dataType.map(String.init) ?? "none")")
        }
        guard flags.contains(.layouts) || node.isRowMajor else { return .no(.layout, "'\(name)' takes row-major tensors alone") }
        return nil
    }
}

extension PreferredLayouts {
    fileprivate func write(to answer: UnsafeMutablePointer<sb_support>, of node: NodeView) {
        for (index, layout) in inputs.prefix(node.inputCount).enumerated() { answer.pointee.input_layouts[index] = layout }
        for (index, layout) in outputs.prefix(node.outputCount).enumerated() { answer.pointee.output_layouts[index] = layout }
        answer.pointee.layout_cost = cost
    }
}

extension Support {
    fileprivate var isYes: Bool { if case .yes = self { true } else { false } }

    fileprivate func write(to answer: UnsafeMutablePointer<sb_support>) {
        switch self {
        case .yes(let workspace, let cost, let numerics):
            answer.pointee.supported = 1
            answer.pointee.reason = SB_REASON_NONE
            answer.pointee.workspace = workspace
            answer.pointee.cost = cost
            if answer.pointee.size >= MinimumSize.supportWithNumerics { answer.pointee.numerics = numerics }
        case .no(let reason, let text):
            answer.pointee.supported = 0
            answer.pointee.reason = reason.rawValue
            if let message = answer.pointee.message { PluginKit.write(text, to: message, capacity: answer.pointee.capacity) }
        }
    }
}
