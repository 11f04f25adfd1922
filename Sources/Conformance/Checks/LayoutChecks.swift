// SPDX-License-Identifier: Apache-2.0
import CSouthbridge
import Graph
import HardwareModel
import Operators
import Southbound
import Tensors

/// Kernels in layouts of the device or of the library: what is packed and unpacked is what it was, and a packed tensor gives what a row-major one gives.
let layoutChecks: [Check] = [
    Check("layouts/convert/there-and-back", .operators, ["SB-OPS-015", "SB-HW-005", "SB-HW-006", "SB-HW-007"]) { context in
        let trial = try LayoutTrial(context)
        for layout in trial.layouts {
            for type in trial.packedTypes {
                for shape in LayoutTrial.shapes where layout.holds(shape) {
                    let count = shape.reduce(1, *)
                    let sent = pattern(type.byteCount(of: count) ?? 0, context, salt: count).map { type == .bool ? $0 & 1 : $0 }
                    let plain = LayoutTrial.Form(type, shape, nil)
                    let packed = try trial.convert(try trial.tensor(plain, sent), to: .init(type, shape, layout))
                    let back = try trial.convert(packed, to: plain)
                    try expectEqual(
                        try trial.bytes(of: back), sent,
                        "\(type.name) of shape \(shape), packed in the layout '\(layout.name)' and unpacked again")
                }
            }
        }
    },
    Check("layouts/kernels/as-row-major", .operators, ["SB-OPS-013", "SB-OPS-014", "SB-HW-005"]) { context in
        let trial = try LayoutTrial(context)
        var count = 0
        for question in LayoutTrial.questions {
            for type in [DataType.float32, .float16, .bfloat16] where try trial.compare(question, type, context) { count += 1 }
        }
        if count == 0 { throw CheckFailure.unsupported("no kernel of the suite's operators would rather have a layout") }
    },
]

/// Runs single kernels on tensors in any layout.
struct LayoutTrial {
    /// Sides of whole blocks first, then what fills none.
    static let shapes = [
        [48, 64], [1], [5], [3, 7], [16, 16], [33, 50], [2, 3, 17, 31], [1, 129], [129, 1], [4, 0, 5], [], [2, 32, 5, 4], [1, 16, 1, 1],
        [3, 17, 7, 2], [1, 0, 3, 3],
    ]

    /// A node whose tensors are matrices, stacks of them or images.
    struct Question: Sendable {
        let operatorName: String
        let version: Int
        let inputs: [[Int]]
        let output: [Int]
        var attributes: [String: Attribute] = [:]
    }

    static let questions: [Question] =
        [[33, 50, 17], [64, 48, 80], [1, 7, 100], [16, 16, 16]].flatMap { sizes -> [Question] in
            let (m, k, n) = (sizes[0], sizes[1], sizes[2])
            let gemm: [String: Attribute] = ["alpha": .float(2), "beta": .float(1), "transA": .int(0), "transB": .int(0)]
            return [
                Question(operatorName: "MatMul", version: 13, inputs: [[m, k], [k, n]], output: [m, n]),
                Question(operatorName: "MatMul", version: 13, inputs: [[3, m, k], [3, k, n]], output: [3, m, n]),
                Question(operatorName: "MatMul", version: 13, inputs: [[2, m, k], [k, n]], output: [2, m, n]),
                Question(operatorName: "Gemm", version: 13, inputs: [[m, k], [k, n], [n]], output: [m, n], attributes: gemm),
                Question(operatorName: "Relu", version: 14, inputs: [[2, m, n]], output: [2, m, n]),
                Question(operatorName: "Add", version: 14, inputs: [[m, n], [m, n]], output: [m, n]),
                Question(operatorName: "Mul", version: 14, inputs: [[m, n], [n]], output: [m, n]),
                Question(operatorName: "Sub", version: 14, inputs: [[m, n], [1]], output: [m, n]),
            ]
        } + images

    private static let images: [Question] = [(1, 16, 32), (2, 17, 33), (1, 3, 64)].flatMap { n, channels, filters -> [Question] in
        let window: [String: Attribute] = [
            "kernel_shape": .ints([3, 3]), "strides": .ints([2, 2]), "pads": .ints([1, 1, 1, 1]), "auto_pad": .string("NOTSET"),
            "dilations": .ints([1, 1]),
        ]
        let given = [n, channels, 9, 8], pooled = [n, channels, 5, 4]
        return [
            Question(
                operatorName: "Conv", version: 11, inputs: [given, [filters, channels, 3, 3], [filters]], output: [n, filters, 5, 4],
                attributes: window.merging(["group": .int(1)]) { $1 }),
            Question(
                operatorName: "MaxPool", version: 12, inputs: [given], output: pooled,
                attributes: window.merging(["ceil_mode": .int(0), "storage_order": .int(0)]) { $1 }),
            Question(operatorName: "Relu", version: 14, inputs: [given], output: given),
            Question(operatorName: "Add", version: 14, inputs: [given, given], output: given),
            Question(operatorName: "Mul", version: 14, inputs: [given, [channels, 1, 1]], output: given),
            Question(
                operatorName: "Concat", version: 13, inputs: [given, [n, 16, 9, 8]], output: [n, channels + 16, 9, 8],
                attributes: ["axis": .int(1)]),
        ]
    }

    /// How a tensor lies; without a layout it is row-major.
    struct Form {
        let type: DataType
        let shape: [Int]
        let layout: Layout?

        init(_ type: DataType, _ shape: [Int], _ layout: Layout?) {
            self.type = type
            self.shape = shape
            self.layout = layout
        }

        var descriptor: TensorDescriptor { TensorDescriptor(type, shape, layout: layout?.value ?? 0) }

        var byteCount: Int {
            type.byteCount(of: (layout?.filled(shape) ?? shape).reduce(1, *)) ?? 0
        }
    }

    struct Placed {
        let form: Form
        let buffer: Buffer
        let offset: Int
    }

    let device: Device
    private let library: OperatorLibrary
    /// What stands around tensors, and in a packed one where nothing is: as a float no number.
    private static let poison: UInt8 = 0xFF

    /// Keeps a library that brings no device alive.
    private let plugin: Plugin
    let layouts: [Layout]

    init(_ context: CheckContext) throws {
        plugin = try context.loadPlugin()
        device = try plugin.driver == nil ? lender(for: plugin).openDevice(0) : context.openDevice(of: plugin)
        layouts = plugin.library?.layouts(on: device) ?? []
        guard let library = plugin.library, !layouts.isEmpty, library.kernels.contains(where: { $0.flags.contains(.layouts) }) else {
            throw CheckFailure.unsupported("the plugin has no layouts, or no kernel takes one")
        }
        self.library = library
    }

    /// That the kernels of `ConvertLayout` take; those of SB-OPS-015.
    var packedTypes: [DataType] {
        DataType.allCases.filter { type in
            type != .string && library.kernels.contains { $0.flags.contains(.layouts) && $0.dataTypes.contains(type) }
                && type.bits >= 8
        }
    }

    func tensor(_ form: Form, _ bytes: [UInt8]? = nil) throws -> Placed {
        let margin = max(device.alignment, 64)
        let size = (form.byteCount + margin - 1) / margin * margin
        let buffer = try device.allocate(byteCount: size + 2 * margin)
        try device.write([UInt8](repeating: Self.poison, count: buffer.byteCount), to: buffer)
        if let bytes { try device.write(bytes, to: buffer, at: margin) }
        return Placed(form: form, buffer: buffer, offset: margin)
    }

    /// Of the whole tensor. Throws if anything was written around it.
    func bytes(of tensor: Placed) throws -> [UInt8] {
        let all = try device.read(tensor.buffer)
        let range = tensor.offset..<(tensor.offset + tensor.form.byteCount)
        try expect(
            all[..<range.lowerBound].allSatisfy { $0 == Self.poison } && all[range.upperBound...].allSatisfy { $0 == Self.poison }, .memory,
            "a kernel wrote outside of a tensor of shape \(tensor.form.shape)")
        return Array(all[range])
    }

    func convert(_ source: Placed, to form: Form) throws -> Placed {
        let result = try tensor(form)
        let kernels = library.candidates(domain: "southbridge", operatorName: "ConvertLayout", version: 1, dataType: form.type)
        for kernel in kernels where kernel.flags.contains(.layouts) {
            let descriptor = try describe(kernel, "southbridge", "ConvertLayout", 1, [:], [source.form], [form])
            guard try library.support([descriptor], on: device)[0].isSupported else { continue }
            try run(descriptor, [source], [result])
            _ = try bytes(of: result)
            return result
        }
        throw CheckFailure.failed(
            .declaration, "no kernel of southbridge.ConvertLayout takes \(form.type.name) of shape \(form.shape) and the layout")
    }

    /// The same node row-major and in the layouts that the kernel would rather have. False if it has no such wish.
    func compare(_ question: Question, _ type: DataType, _ context: CheckContext) throws -> Bool {
        let candidates = library.candidates(
            domain: "", operatorName: question.operatorName, version: question.version, dataType: type)
        for kernel in candidates where kernel.flags.contains(.layouts) {
            let forms = question.inputs.map { Form(type, $0, nil) }
            let output = Form(type, question.output, nil)
            let plain = try describe(kernel, "", question.operatorName, question.version, question.attributes, forms, [output])
            let answer = try library.support([plain], on: device, askingForLayouts: true)[0]
            guard answer.isSupported, let wish = answer.wish else { continue }
            let subject = "\(kernel.name) of \(question.inputs) in \(type.name)"
            func layout(_ value: Int) throws -> Layout? {
                if value == 0 { return nil }
                guard let found = layouts.first(where: { $0.value == value }) else {
                    throw CheckFailure.failed(.declaration, "\(subject) would rather have the layout \(value), which is not listed")
                }
                return found
            }
            let inputs = try question.inputs.enumerated().map { index, shape in
                try tensor(forms[index], wholeNumbers(type, shape.reduce(1, *), context, salt: index))
            }
            let expected = try tensor(output)
            try run(plain, inputs, [expected])

            let wished = try zip(question.inputs, wish.inputs).map { Form(type, $0, try layout($1)) }
            for form in wished + [Form(type, question.output, try layout(wish.outputs[0]))] {
                try expect(
                    form.layout?.holds(form.shape) ?? true, .declaration,
                    "\(subject) would rather have \(form.shape) in the layout '\(form.layout?.name ?? "")', which holds other ranks alone")
            }
            let packed = try zip(inputs, wished).map { $1.layout == nil ? $0 : try convert($0, to: $1) }
            let result = try tensor(Form(type, question.output, try layout(wish.outputs[0])))
            let descriptor = try describe(
                kernel, "", question.operatorName, question.version, question.attributes, wished, [result.form])
            let second = try library.support([descriptor], on: device)[0]
            try expect(
                second.isSupported, .declaration, "\(subject): refused in the layouts that it would rather have: \(second.message)")
            try run(descriptor, packed, [result])
            for (index, input) in inputs.enumerated() {
                try expectEqual(
                    try bytes(of: input), try wholeNumbers(type, question.inputs[index].reduce(1, *), context, salt: index),
                    "\(subject): input \(index) after the launch")
            }
            let back = result.form.layout == nil ? result : try convert(result, to: output)
            try expectEqual(try bytes(of: back), try bytes(of: expected), "\(subject): the packed result against the row-major one")
            return true
        }
        return false
    }

    /// Whole numbers from -2 to 2, whose sums are exact in every order.
    private func wholeNumbers(_ type: DataType, _ count: Int, _ context: CheckContext, salt: Int) throws -> [UInt8] {
        let random = CounterRandom(seed: context.seed, case: "layouts", tensor: "\(salt)")
        let values = (0..<count).map { Double(random.integer(UInt64($0), below: 5)) - 2 }
        let tensor = try HostTensor(type, [count], doubles: values)
        return withExtendedLifetime(tensor) { Array(tensor.bytes) }
    }

    private func describe(
        _ kernel: Kernel, _ domain: String, _ operatorName: String, _ version: Int, _ attributes: [String: Attribute], _ inputs: [Form],
        _ outputs: [Form]
    ) throws -> NodeDescriptor {
        try NodeDescriptor(
            kernel: kernel, domain: domain, operatorName: operatorName, version: version, attributes: attributes,
            inputs: inputs.map(\.descriptor), outputs: outputs.map(\.descriptor))
    }

    private func run(_ node: NodeDescriptor, _ inputs: [Placed], _ outputs: [Placed]) throws {
        for (tensor, placed) in zip(node.inputs + node.outputs, inputs + outputs) {
            tensor?.pointee.buffer = placed.buffer.handle
            tensor?.pointee.offset = UInt64(placed.offset)
            tensor?.pointee.host = placed.buffer.hostAddress.map { $0 + placed.offset }
        }
        let state = try library.prepare(node, on: device)
        let workspace = try library.support([node], on: device)[0].workspaceBytes
        let room = workspace > 0 ? try device.allocate(byteCount: workspace) : nil
        var launch = sb_launch()
        launch.size = MemoryLayout<sb_launch>.size
        (launch.instance, launch.device, launch.node, launch.state) = (
            plugin.instance, device.handle, node.pointer, state.handle
        )
        (launch.inputs, launch.input_count) = (node.pointer.pointee.inputs, node.pointer.pointee.input_count)
        (launch.outputs, launch.output_count) = (node.pointer.pointee.outputs, node.pointer.pointee.output_count)
        (launch.workspace, launch.workspace_bytes, launch.workspace_host) = (room?.handle, UInt64(workspace), room?.hostAddress)
        try withExtendedLifetime((state, room, inputs, outputs)) {
            try ask("a launch of '\(node.operatorName)' in a layout") { library.table.launch(&launch, $0) }.succeeded(
                "a launch of '\(node.operatorName)' in a layout")
        }
    }
}
