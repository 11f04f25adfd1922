// swift-tools-version: 6.2
// SPDX-License-Identifier: Apache-2.0
import PackageDescription

// CSouthbridge and PluginKit are links to the project's own; `southbridge new NAME --language swift` copies them instead.
let package = Package(
    name: "swift-example",
    products: [.library(name: "swift_example", type: .dynamic, targets: ["Example"])],
    targets: [
        .target(name: "CSouthbridge"),
        .target(
            name: "PluginKit", dependencies: ["CSouthbridge"],
            swiftSettings: [
                .enableUpcomingFeature("ExistentialAny"), .enableUpcomingFeature("MemberImportVisibility"),
                .enableUpcomingFeature("InternalImportsByDefault"),
            ]),
        .target(name: "Example", dependencies: ["CSouthbridge", "PluginKit"]),
    ]
)
