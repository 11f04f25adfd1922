// SPDX-License-Identifier: Apache-2.0
import Southbound

extension Check {
    /// The check that fails if the plugin cannot be negotiated at all.
    static let negotiationID = "load/negotiation/loads"
}

let loadChecks: [Check] = [
    Check(Check.negotiationID, .load, ["SB-ABI-001", "SB-NEG-001", "SB-NEG-002"]) { context in
        _ = try context.loadPlugin()
    },
    Check("load/negotiation/a-hundred-times", .load, ["SB-NEG-003", "SB-NEG-009"]) { context in
        for _ in 0..<100 { try context.loadPlugin().stop() }
    },
]
