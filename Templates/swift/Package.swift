// swift-tools-version: 6.2
import PackageDescription

// Builds .build/release/lib@NAME@.so from southbridge.h (CSouthbridge) and the protocols over it (PluginKit) alone. Both are copies: take newer ones when you
// want what they add.
let package = Package(
    name: "@NAME@",
    products: [.library(name: "@NAME@", type: .dynamic, targets: ["@MODULE@"])],
    targets: [
        .target(name: "CSouthbridge"),
        .target(
            name: "PluginKit", dependencies: ["CSouthbridge"],
            swiftSettings: [
                .enableUpcomingFeature("ExistentialAny"), .enableUpcomingFeature("MemberImportVisibility"),
                .enableUpcomingFeature("InternalImportsByDefault"),
            ]),
        .target(name: "@MODULE@", dependencies: ["CSouthbridge", "PluginKit"]),
        .testTarget(name: "@MODULE@Tests", dependencies: ["CSouthbridge", "@MODULE@"]),
    ]
)
