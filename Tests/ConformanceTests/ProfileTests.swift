// SPDX-License-Identifier: Apache-2.0
import Conformance
import Foundation
import Southbound
import TestSupport
import Testing

/// What a class of chip has to offer.
@Suite struct ProfileTests {
    /// A demand that is no case of the suite would never be tested.
    @Test(arguments: Profile.classes) func everyDemandIsACase(_ name: String) throws {
        let profile = try #require(try Profile(named: name, Installation(repository: repository, products: products)))
        #expect(
            profile.name == name && profile.title == "\(name)/\(profile.version)" && !profile.operators.isEmpty && profile.level == .models)
        let offers = Set(Offer.all(GeneratedCase.all()).map(\.id))
        for (type, operators) in profile.operators {
            #expect(Set(operators).count == operators.count)
            for name in operators { #expect(offers.contains("offers/\(name)/\(type)"), "\(name) \(type)") }
        }
        let networks = Set(try FileManager.default.contentsOfDirectory(atPath: repository.appending(path: "build/networks").path))
        #expect(networks.isSuperset(of: profile.networks) && !profile.networks.isEmpty)
    }

    @Test func aGreaterClassDemandsMore() throws {
        let installation = Installation(repository: repository, products: products)
        let demands = try Profile.classes.map { name in
            let profile = try #require(try Profile(named: name, installation))
            return Set(profile.operators.flatMap { type, names in names.map { "\($0)/\(type)" } } + profile.networks)
        }
        #expect(demands[1].isStrictSuperset(of: demands[0]) && demands[2].isStrictSuperset(of: demands[1]))
    }

    /// The same case, declined: no failure by itself, one where a profile demands it.
    @Test func whatIsDemandedMayNotBeDeclined() throws {
        try withTemporaryFolder { folder in
            func conform(_ profile: String, _ more: [String]) throws -> (result: CommandResult, report: Report?) {
                let output = folder.appending(path: "\(profile)-\(more.joined().count)").path
                let result = try runCommand(
                    products.appending(path: "southbridge").path,
                    ["conform", minimalPlugin().path, "--profile", profile, "--output", output] + more)
                return (result, try? Report(decoding: Data(contentsOf: URL(filePath: "\(output)/report.json"))))
            }
            let filter = ["--suite", "offers", "--filter", "offers/Conv/float16"]
            let declared = try conform("declared", filter)
            #expect(declared.result.status == 0 && declared.report?.cases.map(\.status) == [.unsupported])
            let edge = try conform("edge", filter)
            #expect(edge.result.status == 1 && edge.report?.verdict.profile == "edge/1")
            #expect(edge.report?.cases.map(\.status) == [.failed] && edge.report?.cases[0].failure == .declaration)
            #expect(edge.report?.cases[0].message?.hasPrefix("the profile edge/1 demands it: ") == true)
            let other = try conform("edge", ["--suite", "offers", "--filter", "offers/Det/float64"])
            #expect(other.result.status == 0 && other.report?.cases.map(\.status) == [.unsupported])
            let low = try conform("edge", ["--level", "driver"])
            #expect(low.result.status == 2 && low.result.error.contains("--level driver: the profile 'edge' is one of the level models"))
            #expect(try conform("server", []).result.status == 2)
        }
    }
}
