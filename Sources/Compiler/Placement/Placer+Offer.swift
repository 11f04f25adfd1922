// SPDX-License-Identifier: Apache-2.0
import Graph
import Southbound
import Tensors

extension Placer {
    struct Offer {
        /// The best kernel that takes the node on the first device that has one.
        var placed: PlacedNode?
        /// A kernel that is not generic takes it, on whatever device.
        var hasTuned = false
        var refusals: [String] = []
        var dataType: DataType?
    }

    /// - Parameter limit: how many of the devices are asked; nil: all.
    func offer(for id: NodeID, _ scope: Scope, _ placement: Placement, limit: Int? = nil) throws -> Offer {
        let question = try NodeQuestion(id, placement)
        let signature = question.signature
        var offer = Offer(dataType: question.dataType)
        func take(_ bid: KernelRegistry.Bid, on device: Int) throws {
            offer.placed = PlacedNode(
                node: id, source: scope.source, device: device, library: bid.library, kernel: bid.kernel,
                descriptor: try question.descriptor(for: bid.kernel), answer: bid.answer, cost: bid.cost)
        }
        for device in devices.prefix(limit ?? devices.count).indices where scope.allows(device, devices) {
            let tuned = try registry.answers(question, signature, on: device, isGeneric: false)
            offer.refusals += tuned.refusals.map(\.text)
            if let bid = tuned.bids.first {
                if offer.placed == nil { try take(bid, on: device) }
                offer.hasTuned = true
                return offer
            }
            if scope.tunedOnly || offer.placed != nil { continue }
            let generic = try registry.answers(question, signature, on: device, isGeneric: true)
            offer.refusals += generic.refusals.map(\.text)
            if let bid = generic.bids.first { try take(bid, on: device) }
        }
        return offer
    }
}
