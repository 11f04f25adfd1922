// swift-tools-version: 6.2
// SPDX-License-Identifier: Apache-2.0
import PackageDescription

let swiftSettings: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("InternalImportsByDefault"),
]

let cSettings: [CSetting] = [
    .unsafeFlags(["-O3", "-Wall", "-Wextra", "-fno-math-errno"])
]

func module(
    _ name: String, _ dependencies: [Target.Dependency] = [], path: String? = nil, exclude: [String] = []
) -> Target {
    .target(
        name: name, dependencies: dependencies, path: path ?? "Sources/\(name)", exclude: exclude,
        swiftSettings: swiftSettings)
}

func tests(_ name: String, _ dependencies: [Target.Dependency], path: String? = nil) -> Target {
    .testTarget(
        name: "\(name)Tests", dependencies: dependencies, path: path ?? "Tests/\(name)Tests",
        swiftSettings: swiftSettings)
}

let package = Package(
    name: "southbridge",
    products: [
        .executable(name: "southbridge", targets: ["southbridge"]),
        .executable(name: "numerics-study", targets: ["NumericsStudy"]),
        .library(name: "SouthbridgeRuntime", targets: ["SouthbridgeRuntime"]),
        .library(name: "southbridge_cpu", type: .dynamic, targets: ["ReferenceCPU"]),
        .library(name: "southbridge_npu", type: .dynamic, targets: ["SimulatedNPU"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-protobuf", from: "1.39.0"),
        .package(url: "https://github.com/apple/swift-crypto", from: "4.5.2"),
        .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
    ],
    targets: [
        .target(name: "CSouthbridge"),
        module("Tensors"),
        module("HardwareModel", ["Tensors", .product(name: "Yams", package: "Yams")]),
        module("Graph", ["Tensors"]),
        module("Operators", ["Graph", "Tensors"]),
        module(
            "ONNX",
            ["Graph", "Operators", "Tensors", .product(name: "SwiftProtobuf", package: "swift-protobuf")]),
        module("Southbound", ["CSouthbridge", "Graph", "HardwareModel", "Operators", "Tensors"]),
        module("Compiler", ["CSouthbridge", "Graph", "HardwareModel", "ONNX", "Operators", "Southbound", "Tensors"]),
        module(
            "Execution",
            [
                "Compiler", "CSouthbridge", "Graph", "HardwareModel", "Operators", "Southbound", "Tensors",
                .product(name: "Crypto", package: "swift-crypto"),
            ]),
        module("SouthbridgeRuntime", ["Compiler", "Execution", "Graph", "ONNX", "Southbound", "Tensors"]),
        module("PluginKit", ["CSouthbridge"]),
        .systemLibrary(
            name: "CHwloc", path: "Sources/ReferenceCPU/CHwloc", pkgConfig: "hwloc",
            providers: [.apt(["libhwloc-dev"])]),
        .target(name: "ReferenceCPUKernels", path: "Sources/ReferenceCPU/Kernels", cSettings: cSettings),
        module(
            "ReferenceCPU",
            [
                "CHwloc", "CSouthbridge", "Graph", "HardwareModel", "Operators", "PluginKit",
                "ReferenceCPUKernels", "Tensors",
            ],
            path: "Sources/ReferenceCPU/Plugin"),
        .target(
            name: "SimulatedNPUMachine", path: "Sources/SimulatedNPU/Machine",
            cSettings: cSettings + [.unsafeFlags(["-ffp-contract=off"])]),
        module(
            "SimulatedNPU", ["CSouthbridge", "HardwareModel", "PluginKit", "SimulatedNPUMachine", "Tensors"],
            path: "Sources/SimulatedNPU/Plugin"),
        .target(name: "CConformance", path: "Sources/Conformance/Support"),
        module(
            "Conformance",
            [
                "CConformance", "Compiler", "CSouthbridge", "Execution", "Graph", "HardwareModel", "ONNX", "Operators", "Southbound",
                "Tensors", .product(name: "Crypto", package: "swift-crypto"),
            ],
            exclude: ["Support"]),
        module(
            "Benchmark",
            ["Compiler", "Conformance", "Execution", "Graph", "HardwareModel", "ONNX", "Operators", "Southbound", "Tensors"]),
        module("Guidance", ["Compiler", "Execution", "Graph", "HardwareModel", "ONNX", "Operators", "Southbound", "Tensors"]),
        module("Reports", ["Benchmark", "Conformance", "Execution", "Guidance", "HardwareModel"]),
        module("Scaffold"),
        .executableTarget(
            name: "southbridge",
            dependencies: [
                "Benchmark", "Compiler", "Conformance", "Execution", "Graph", "Guidance", "HardwareModel", "ONNX", "Operators", "Reports",
                "Scaffold", "Southbound", "Tensors",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            swiftSettings: swiftSettings),
        .executableTarget(
            name: "NumericsStudy", dependencies: ["Conformance", "Graph", "HardwareModel", "Operators", "ReferenceCPUKernels", "Tensors"],
            swiftSettings: swiftSettings),
        .target(name: "CAllocationCounter", path: "Tests/CAllocationCounter"),
        module("TestSupport", path: "Tests/TestSupport"),
        tests("Tensors", ["Tensors"]),
        tests("Benchmark", ["Benchmark", "Conformance", "Graph", "HardwareModel", "Operators", "TestSupport", "Tensors"]),
        tests("HardwareModel", ["HardwareModel", "TestSupport"]),
        tests("ONNX", ["ONNX", "Graph", "Operators", "Tensors", "TestSupport"]),
        tests("Southbound", ["Conformance", "CConformance", "CSouthbridge", "HardwareModel", "ReferenceCPU", "Southbound", "TestSupport"]),
        tests("Scaffold", ["Conformance", "HardwareModel", "Scaffold", "Southbound", "TestSupport"]),
        tests("CSouthbridge", ["Conformance", "CSouthbridge", "Southbound", "TestSupport"]),
        tests("Execution", ["CAllocationCounter", "Compiler", "Execution", "Graph", "Operators", "Southbound", "Tensors", "TestSupport"]),
        tests("Runtime", ["CAllocationCounter", "Graph", "ONNX", "SouthbridgeRuntime", "Tensors", "TestSupport"]),
        tests(
            "Compiler",
            [
                "Compiler", "CSouthbridge", "Execution", "Graph", "HardwareModel", "ONNX", "Operators", "Southbound", "Tensors",
                "TestSupport",
            ]),
        tests("ReferenceCPU", ["Compiler", "Execution", "Graph", "Operators", "ReferenceCPU", "Southbound", "Tensors"]),
        tests("SimulatedNPU", ["CSouthbridge", "SimulatedNPUMachine", "TestSupport"]),
        tests(
            "Guidance",
            [
                "Compiler", "Execution", "Graph", "Guidance", "HardwareModel", "ONNX", "Operators", "Southbound", "Tensors", "TestSupport",
                "southbridge",
            ]),
        tests("Reports", ["Conformance", "HardwareModel", "Reports", "TestSupport", "southbridge"]),
        tests(
            "Conformance",
            [
                "Compiler", "Conformance", "CSouthbridge", "Execution", "Graph", "HardwareModel", "NumericsStudy", "ONNX", "Operators",
                "Southbound",
                "Tensors", "TestSupport", "southbridge",
            ]),
        tests("CommandLine", ["ONNX", "Tensors", "TestSupport", "southbridge"]),
        tests("Operators", ["Conformance", "Graph", "HardwareModel", "ONNX", "Operators", "Tensors", "TestSupport"]),
    ]
)
