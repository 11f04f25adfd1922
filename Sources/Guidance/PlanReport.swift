// SPDX-License-Identifier: Apache-2.0
package import Southbound
import Tensors

/// What a plugin lacks, and what to write next: `southbridge plan --json`, described in `docs/plan.md`. Seconds and shares of time are expected ones.
package struct PlanReport: Codable, Sendable {
    package var schema = "southbridge.plan/1"
    package var plugin: Party
    package var time: TimeSource
    /// As the plugin stands.
    package var now: State
    /// What it lacks to the suite's profiles; empty where other models than the suite's were looked at.
    package var profiles: [Profile] = []
    package var models: [Model] = []
    /// The first first. Each is judged as if those before it were there.
    package var suggestions: [Suggestion] = []
    /// How many more there are.
    package var furtherSuggestions = 0
    /// The smallest set with which every model that can be runs natively.
    package var allModels = KernelSet(kernels: [], exact: true)

    package struct Party: Codable, Sendable {
        package var name: String
        package var device: String
        package var kernels: Int
        package var compiler: Bool
    }

    /// Every node's time is taken from the roofline of the device's own description.
    package struct TimeSource: Codable, Sendable {
        package var source = "roofline"
        package var device: String
        /// The description gives no rate or no bandwidth, so that these are assumed.
        package var assumed: Bool
    }

    package struct State: Codable, Sendable {
        /// That run, none of them a fold or a view, over all models.
        package var nodes: Int
        package var nativeNodes: Int
        /// Of the expected time, the mean over the models.
        package var timeShare: Double
        package var nativeModels: Int
        /// The highest level of the suite at which the plugin has something to show.
        package var level: String
    }

    /// What a class of chip has to offer, and what of that is lacking.
    package struct Profile: Codable, Sendable {
        package var name: String
        package var reached: Bool
        /// Operators by data type for which no kernel is declared.
        package var kernels: [Kernel]
        /// Networks that the plugin does not run alone.
        package var networks: [String]
    }

    package struct Kernel: Codable, Sendable, Hashable {
        package var domain: String
        package var `operator`: String
        package var dataType: String

        package init(_ wish: KernelWish) {
            self.init(domain: wish.domain, operator: wish.operatorName, dataType: wish.dataType.name)
        }

        init(domain: String, operator: String, dataType: String) {
            (self.domain, self.operator, self.dataType) = (domain, `operator`, dataType)
        }

        package var text: String { "\(domain.isEmpty ? "" : "\(domain)::")\(self.operator) \(dataType)" }
    }

    package struct KernelSet: Codable, Sendable {
        package var kernels: [Kernel]
        /// No smaller set does it; else the smallest that was found.
        package var exact: Bool
    }

    package struct Model: Codable, Sendable {
        package var name: String
        package var nodes: Int
        package var nativeNodes: Int
        package var timeShare: Double
        /// What `run --device PLUGIN` does: nothing is left to the CPU.
        package var native: Bool
        /// The smallest set of kernels that makes it native; empty where it is, or cannot be.
        package var lacks: KernelSet
        /// Nodes that no kernel makes native, and why.
        package var obstacles: [Obstacle]

        package struct Obstacle: Codable, Sendable {
            package var node: String
            package var `operator`: String
            package var reason: String
        }
    }

    package struct Suggestion: Codable, Sendable {
        package var kernel: Kernel
        /// The lowest version of the operator among the nodes, and all of them.
        package var since: Int
        package var versions: [Int]
        /// What the kernels that the plugin has for the operator answer about these nodes; empty where it has none.
        package var refusals: [String]
        package var unlocks: Gain
        package var after: State
        /// Where it unlocks nothing yet: the kernels with which it will.
        package var together: [Kernel]
        package var signatures: [Signature]
    }

    /// What one more kernel makes of the state before it.
    package struct Gain: Codable, Sendable {
        package var nodes: Int
        /// Of these: in parts, by the decompositions of the catalogue.
        package var nodesInParts: Int
        package var timeShare: Double
        /// The operators of the nodes.
        package var operators: [String]
        package var models: [String]
    }

    /// One set of types, shapes and attributes that the kernel would be asked for.
    package struct Signature: Codable, Sendable {
        package var version: Int
        package var opset: Int
        package var inputs: [Tensor?]
        package var outputs: [Tensor?]
        /// As the kernel gets them: with the standard's defaults.
        package var attributes: [String: AttributeText]
        /// The outputs' sizes depend on data: the kernel reports them after its launch (SB-OPS-009).
        package var reportsShape: Bool
        package var nodes: [Use]
        /// The folder of its case below the one that was asked for.
        package var `case`: String?
        /// Why there is none.
        package var withoutCase: String?

        package struct Tensor: Codable, Sendable {
            package var dataType: String
            package var shape: [Int]
            package var constant: Bool
        }

        package struct Use: Codable, Sendable, Hashable {
            package var model: String
            /// `node/part` for a part of a node.
            package var node: String
        }
    }
}
