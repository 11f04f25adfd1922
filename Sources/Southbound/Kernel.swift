// SPDX-License-Identifier: Apache-2.0
package import CSouthbridge
package import HardwareModel
package import Operators
package import Tensors

/// One kernel of an operator library, as it describes itself.
package struct Kernel: @unchecked Sendable {
    package let name: String
    /// Empty for ONNX's default domain.
    package let domain: String
    package let operatorName: String
    /// Operator versions that the kernel may be asked about; `until` is `Int.max` where there is no limit.
    package let since: Int
    package let until: Int
    package let dataTypes: TypeSet
    package let flags: Flags
    package let priority: Int
    /// Bit i: input i is wanted on the host.
    package let hostInputs: UInt64
    /// What the kernel declares about its arithmetic.
    package let numerics: NumericFacts
    /// The plugin's own struct; it stays until the library is closed, which never happens.
    package let pointer: UnsafePointer<sb_kernel>

    package struct Flags: OptionSet, Sendable, Hashable {
        package let rawValue: UInt32
        package init(rawValue: UInt32) { self.rawValue = rawValue }
        package static let strided = Flags(rawValue: SB_KERNEL_FLAG_STRIDED)
        package static let inPlace = Flags(rawValue: SB_KERNEL_FLAG_IN_PLACE)
        package static let reportsShape = Flags(rawValue: SB_KERNEL_FLAG_REPORTS_SHAPE)
        package static let deterministic = Flags(rawValue: SB_KERNEL_FLAG_DETERMINISTIC)
        package static let generic = Flags(rawValue: SB_KERNEL_FLAG_GENERIC)
        package static let layouts = Flags(rawValue: SB_KERNEL_FLAG_LAYOUTS)
    }

    package func wantsOnHost(input: Int) -> Bool { input < 64 && hostInputs & (1 << UInt64(input)) != 0 }

    /// Whether the kernel may be asked about a node of its operator with this version and data type.
    package func covers(version: Int, dataType: DataType) -> Bool {
        (since...until).contains(version) && dataTypes.contains(dataType)
    }

    private static let most = 65_536

    static func list(of table: sb_operators, _ reader: PluginReader) throws(PluginError) -> [Kernel] {
        let pointers = try reader.array(table.kernels, count: table.kernel_count, atMost: most, "the kernels")
        var kernels: [Kernel] = []
        kernels.reserveCapacity(pointers.count)
        var owners: [String: Int] = [:]
        for (index, pointer) in pointers.enumerated() {
            guard let pointer else { throw PluginError(.missingTable, plugin: reader.plugin, "kernel \(index) is NULL") }
            let kernel = try Kernel(pointer, index, reader)
            if let other = owners.updateValue(index, forKey: kernel.name) {
                throw PluginError(
                    .duplicateKernel, plugin: reader.plugin, "kernels \(other) and \(index) have the same name '\(kernel.name)'")
            }
            kernels.append(kernel)
        }
        return kernels
    }

    init(_ pointer: UnsafePointer<sb_kernel>, _ index: Int, _ reader: PluginReader) throws(PluginError) {
        let record: sb_kernel = try reader.read(pointer, "sb_kernel", of: "kernel \(index)")
        name = try reader.text(record.name, "kernel \(index): its name")
        let domain = try reader.text(record.domain, "kernel \(index): its domain")
        self.domain = domain == "ai.onnx" ? "" : domain
        operatorName = try reader.text(record.operator_name, "kernel \(index): its operator's name")
        since = Int(record.since)
        until = record.until == 0 ? Int.max : Int(record.until)
        guard since <= until else {
            throw PluginError(
                .invalidDescription, plugin: reader.plugin, "kernel '\(name)' starts with operator version \(since) and ends with \(until)")
        }
        dataTypes = TypeSet(rawValue: record.data_types).intersection(.anyButString)
        flags = Flags(rawValue: record.flags)
        priority = Int(record.priority)
        hostInputs = record.host_inputs
        numerics = try NumericFacts(record.numerics, of: "kernel '\(name)'", reader)
        self.pointer = pointer
    }
}

extension NumericFacts {
    /// What a plugin declares; the strict defaults for NULL.
    init(_ pointer: UnsafePointer<sb_numerics>?, of subject: String, _ reader: PluginReader) throws(PluginError) {
        self = .strict
        guard let pointer else { return }
        let record: sb_numerics = try reader.read(pointer, "sb_numerics", of: subject)
        if record.accumulator_type != 0 {
            guard let type = DataType(rawValue: record.accumulator_type), type.isFloat || type.isInteger else {
                throw PluginError(
                    .invalidDescription, plugin: reader.plugin, "\(subject) declares accumulator type \(record.accumulator_type)")
            }
            accumulator = type
        }
        if record.value_type != 0 {
            guard let type = DataType(rawValue: record.value_type), type.isFloat else {
                throw PluginError(.invalidDescription, plugin: reader.plugin, "\(subject) declares value type \(record.value_type)")
            }
            valueType = type
        }
        guard record.input_bits <= 64, record.function_error >= 0, record.function_error.isFinite else {
            throw PluginError(
                .invalidDescription, plugin: reader.plugin,
                "\(subject) declares inputs of \(record.input_bits) bits and functions within \(record.function_error) ULP")
        }
        inputBits = record.input_bits == 0 ? nil : Int(record.input_bits)
        truncates = record.flags & SB_NUMERICS_TRUNCATES != 0
        flushesDenormals = record.flags & SB_NUMERICS_FLUSHES_DENORMALS != 0
        usesTransforms = record.flags & SB_NUMERICS_TRANSFORMS != 0
        ignoresNaN = record.flags & SB_NUMERICS_IGNORES_NAN != 0
        functionError = record.function_error == 0 ? nil : record.function_error
    }
}
