// SPDX-License-Identifier: Apache-2.0
import SouthbridgeRuntime

// What `docs/swift-api.md` shows: each stretch from `// EXAMPLE` to `// END` is one block of the page, in this order.

/// `y = max(x + x, 0)` on four floats.
enum Examples {
    static func firstRun(path: String, devices: String) throws -> [Float] {
        // EXAMPLE
        let model = try Model(path: path)
        let session = try Session(model, on: Devices(devices))
        let outputs = try session.run(["x": Tensor([1, -2, 3, -4] as [Float])])
        let y: [Float] = try outputs["y"]!.elements()
        // END
        return y
    }

    static func ports(path: String) throws -> [String] {
        // EXAMPLE
        let model = try Model(path: path)
        var lines: [String] = []
        for input in model.inputs {
            let axes = input.shape?.map { $0.map(String.init) ?? "?" }.joined(separator: "×") ?? "any shape"
            lines.append("\(input.name): \(input.elementType?.name ?? "any type"), \(axes)")
        }
        // END
        return lines
    }

    static func tensors() throws -> Float {
        // EXAMPLE
        let image = try Tensor([Float](repeating: 0.5, count: 2 * 3), shape: [2, 3])
        let middle = image[1, 1, as: Float.self]
        let half = try Tensor(bytes: [0x00, 0x3C, 0x00, 0xC0], elementType: ElementType("float16")!, shape: [2])
        // END
        return middle + Float(half[1, as: Float16.self])
    }

    static func placed(path: String) throws -> [String: String] {
        // EXAMPLE
        let devices = try Devices("npu:0,cpu:0", options: ["npu.profile": "endpoint", "cpu.threads": "1"])
        let session = try Session(Model(path: path), on: devices, placing: ["Relu*": "cpu"])
        _ = try session.run(["x": Tensor([1, 2, 3, 4] as [Float])])
        var devicesByNode: [String: String] = [:]
        for node in session.placement { devicesByNode[node.operatorName] = node.device }
        // END
        return devicesByNode
    }

    static func bound(path: String, devices: String) throws -> Float {
        // EXAMPLE
        let session = try Session(Model(path: path), on: Devices(devices))
        let run = try session.bind(["x": Tensor([0, 0, 0, 0] as [Float])])
        var sum: Float = 0
        for step in 0..<100 {
            try run.withInput("x", as: Float.self) { x in
                for index in x.indices { x[index] = Float(step) }
            }
            try run.run()
            sum += try run.withOutput("y", as: Float.self) { y in y[0] }
        }
        // END
        return sum
    }

    static func awaited(path: String, devices: String) async throws -> [Float] {
        // EXAMPLE
        let session = try Session(Model(path: path), on: Devices(devices))
        async let first = session.run(["x": Tensor([1, 1, 1, 1] as [Float])])
        async let second = session.run(["x": Tensor([2, 2, 2, 2] as [Float])], deadline: .seconds(10))
        let sums: [Float] = try await [first["y"]!.elements()[0], second["y"]!.elements()[0]]
        // END
        return sums
    }

    static func failing(path: String) throws -> String {
        // EXAMPLE
        let session = try Session(Model(path: path), on: Devices())
        do {
            _ = try session.run(["x": Tensor([1, 2, 3] as [Float])], deadline: .milliseconds(500))
        } catch {
            switch error.code {
            case .deadline: return "too slow, at \(error.node ?? "no node")"
            default: return error.description
            }
        }
        // END
        return ""
    }
}
