// SPDX-License-Identifier: Apache-2.0
import Foundation
package import Southbound
import Tensors

/// What a chip of a class has to offer, beside that what it offers is right. Once it is released a profile never changes: a new demand is a new version of it.
package struct Profile: Decodable, Sendable {
    package let name: String
    package let version: Int
    package let description: String
    /// A claim of the profile is one of this level at least.
    package let level: Level
    /// Names of operators of the default domain by data type: the plugin takes at least one of the suite's calls of each.
    package let operators: [String: [String]]
    /// Networks of the suite that run on the plugin alone.
    package let networks: [String]

    enum CodingKeys: String, CodingKey {
        case name = "profile"
        case version, description, level, operators, networks
    }

    /// What the plugin itself offers must be right: no file, and no demand.
    package static let declared = "declared"
    package static let classes = ["endpoint", "edge", "cloud"]

    /// As it stands in reports: "edge/1".
    package var title: String { "\(name)/\(version)" }

    /// Nil for `declared`.
    package init?(named name: String, _ installation: Installation) throws(ConformanceError) {
        if name == Self.declared { return nil }
        let file = installation.profiles.appending(path: "\(name).json")
        do { self = try JSONDecoder().decode(Profile.self, from: Data(contentsOf: file)) } catch {
            throw .usage("the profile '\(name)' cannot be read: \(error)")
        }
    }

    /// Whether the plugin may not leave a case unsupported.
    func demands(_ testCase: Case) -> Bool {
        switch testCase.body {
        case .offer(let offer): operators[offer.group.type.name]?.contains(offer.group.operatorName) == true && offer.group.domain.isEmpty
        case .model(let model): testCase.suite == "networks" && networks.contains(model.folder.lastPathComponent)
        default: false
        }
    }

    /// A demanded case that the plugin declines is a failure.
    func judge(_ result: inout CaseResult, of testCase: Case) {
        guard result.status == .unsupported, demands(testCase) else { return }
        (result.status, result.failure) = (.failed, .declaration)
        result.message = "the profile \(title) demands it: \(result.message ?? "it is not offered")"
    }
}
