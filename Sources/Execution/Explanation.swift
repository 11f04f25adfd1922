// SPDX-License-Identifier: Apache-2.0
import Compiler

/// Why a model runs where it does: what was offered for each node, who got it, which copies that makes, and what memory it takes. The keys are those of
/// `explain --json`; seconds are expected ones.
package struct Explanation: Codable, Sendable {
    package var strategy: String
    /// In order of preference.
    package var devices: [String]
    /// Nil where no choice by cost was made.
    package var choice: Choice?
    /// In order of execution.
    package var nodes: [Node]
    package var copies: [Copy]
    package var memory: [Memory]
    package var passes: [Pass]
    package var pins: [Pin]
    /// For a person: why claims of compilers did not count and the like.
    package var remarks: [String]

    package struct Choice: Codable, Sendable {
        package var seconds: Double
        /// Of which the copies take so many.
        package var copySeconds: Double
        /// With everything on that device that it takes, and the rest where that is cheapest.
        package var secondsOnOneDevice: [String: Double]
        /// Proven; else the best that was found.
        package var isOptimal: Bool

        package enum CodingKeys: String, CodingKey {
            case seconds
            case copySeconds = "copy_seconds"
            case secondsOnOneDevice = "seconds_on_one_device"
            case isOptimal = "optimal"
        }
    }

    package struct Node: Codable, Sendable {
        package var name: String
        package var `operator`: String
        /// `host`: its value is known before the run.
        package var device: String
        package var library: String?
        package var kernel: String
        package var reason: String
        /// Of one run; of a program, at its first node for all of them.
        package var seconds: Double?
        /// Where the figure comes from: measured, answered by the plugin, or from the roofline of the device's description.
        package var origin: String?
        /// What was offered for it as a node of the model; empty for a part of one.
        package var bids: [Bid]
    }

    package struct Bid: Codable, Sendable {
        package var device: String
        package var library: String?
        /// Nil for a node that would run in parts.
        package var kernel: String?
        package var accepts: Bool
        /// Of one that does not accept.
        package var reason: String?
        package var seconds: Double?
        package var origin: String?
    }

    /// A value that is brought from where it is made to where it is read; `host` stands for the caller's tensors.
    package struct Copy: Codable, Sendable {
        package var value: String
        package var from: String
        package var to: String
        package var bytes: Int
        package var seconds: Double
        /// Positions among `nodes`: who makes it, and who needs it first; nil: the caller.
        package var maker: Int?
        package var reader: Int?
    }

    package struct Memory: Codable, Sendable {
        package var device: String
        package var space: String
        package var plannedBytes: Int
        /// The largest sum of what lives at one step.
        package var lowerBoundBytes: Int
        /// How the offsets were found.
        package var strategy: String
        /// Of the whole run.
        package var steps: Int
        package var tensors: [Tensor]

        package enum CodingKeys: String, CodingKey {
            case device, space, strategy, steps, tensors
            case plannedBytes = "planned_bytes"
            case lowerBoundBytes = "lower_bound_bytes"
        }

        package struct Tensor: Codable, Sendable {
            package var name: String
            package var offset: Int
            package var bytes: Int
            /// Steps, both included.
            package var first: Int
            package var last: Int

            package init(name: String, offset: Int, bytes: Int, first: Int, last: Int) {
                (self.name, self.offset, self.bytes, self.first, self.last) = (name, offset, bytes, first, last)
            }
        }
    }

    /// What a pass over the graph came to before nodes were placed.
    package struct Pass: Codable, Sendable {
        package var name: String
        /// Of a pass that is not the stack's own.
        package var plugin: String?
        package var rewrites: Int
        package var nodesBefore: Int
        package var nodesAfter: Int
        package var seconds: Double
        /// What else the pass counts, by what it is.
        package var figures: [String: Int]?

        package enum CodingKeys: String, CodingKey {
            case name, plugin, rewrites, seconds, figures
            case nodesBefore = "nodes_before"
            case nodesAfter = "nodes_after"
        }

        init(_ entry: PassReport.Entry) {
            (name, plugin, rewrites, seconds) = (entry.name, entry.plugin, entry.rewrites, entry.seconds)
            (nodesBefore, nodesAfter) = (entry.nodesBefore, entry.nodesAfter)
            figures = entry.figures.isEmpty ? nil : entry.figures
        }
    }

    /// What a rule of the user comes to.
    package struct Pin: Codable, Sendable {
        package var rule: String
        package var nodes: [String]
        /// Of a run with all rules, and of one without this rule.
        package var seconds: Double
        package var secondsWithout: Double

        package enum CodingKeys: String, CodingKey {
            case rule, nodes, seconds
            case secondsWithout = "seconds_without"
        }
    }
}
