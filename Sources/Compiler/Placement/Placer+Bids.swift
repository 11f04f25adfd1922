// SPDX-License-Identifier: Apache-2.0
package import Graph
import Southbound

extension Placer {
    /// What one device has to say about a node.
    package struct DeviceBids {
        package let device: Int
        /// The user's rules leave the device out.
        package var isExcluded = false
        /// The best first; generic ones last.
        package var kernels: [KernelRegistry.Bid] = []
        package var refusals: [KernelRegistry.Refusal] = []
        /// Seconds of the node's parts on this device, where it would run in parts.
        package var parts: Double?

        /// Seconds that the node would take here; nil if it does not run here.
        package var seconds: Double? {
            if let first = kernels.first, !first.kernel.flags.contains(.generic) { return first.cost.seconds }
            return parts ?? kernels.first?.cost.seconds
        }
    }

    /// What was offered for a node of the model, by device. What was asked for the placement is not asked again.
    ///
    /// - Parameter placement: one that this placer has made; it is as before afterwards.
    package func bids(for id: NodeID, _ placement: inout Placement) throws -> [DeviceBids] {
        let scope = scope(of: id)
        guard !graph[id].attributes.values.contains(where: \.isGraph) else { return [] }
        let question = try NodeQuestion(id, placement)
        let signature = question.signature
        return try devices.indices.map { index in
            var bids = DeviceBids(device: index)
            guard scope.allows(index, devices) else {
                bids.isExcluded = true
                return bids
            }
            for isGeneric in [false, true] where !isGeneric || bids.kernels.isEmpty {
                let answers = try registry.answers(question, signature, on: index, isGeneric: isGeneric)
                bids.kernels += answers.bids
                bids.refusals += answers.refusals
            }
            if bids.kernels.first.map({ $0.kernel.flags.contains(.generic) }) ?? true {
                bids.parts = try partsCost(
                    of: id, signature, scope.inner(tunedOnly: !bids.kernels.isEmpty).limited(to: index), &placement)
            }
            return bids
        }
    }

    package func question(for id: NodeID, _ placement: Placement) throws -> NodeQuestion { try NodeQuestion(id, placement) }

    /// The user's rule for a node, as it was written.
    package func pin(of id: NodeID) -> String? { scope(of: id).pin?.text }
}
