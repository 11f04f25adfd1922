// SPDX-License-Identifier: Apache-2.0
package import CSouthbridge

/// The arguments of one execution of a program. Reading them allocates nothing and retains nothing.
package struct ExecutionView {
    package let raw: UnsafePointer<sb_execution>

    /// Nil if the pointer is null, the struct is shorter than in version 0.2, or a list that it counts is NULL.
    init?(_ raw: UnsafePointer<sb_execution>?) {
        guard let raw, raw.pointee.size >= MinimumSize.execution, raw.pointee.input_count == 0 || raw.pointee.inputs != nil,
            raw.pointee.output_count == 0 || raw.pointee.outputs != nil
        else { return nil }
        self.raw = raw
    }

    package var inputCount: Int { raw.pointee.input_count }
    package var outputCount: Int { raw.pointee.output_count }

    /// In the order of the compiled graph's inputs.
    package func input(_ index: Int) throws(PluginFailure) -> TensorView {
        guard index >= 0, index < inputCount, let tensor = TensorView(raw.pointee.inputs[index]) else {
            throw .invalid("input \(index) is missing in the execution")
        }
        return tensor
    }

    /// In the order of the compiled graph's outputs.
    package func output(_ index: Int) throws(PluginFailure) -> TensorView {
        guard index >= 0, index < outputCount, let tensor = TensorView(raw.pointee.outputs[index]) else {
            throw .invalid("output \(index) is missing in the execution")
        }
        return tensor
    }

    /// The workspace in device memory, with the offset of its first byte; nil if there is none.
    package func workspace<Buffer: PluginKit.Buffer>(as _: Buffer.Type) -> (buffer: Buffer, offset: UInt64, bytes: UInt64)? {
        raw.pointee.workspace.map { (Buffer.behind($0), raw.pointee.workspace_offset, raw.pointee.workspace_bytes) }
    }

    /// Comes back with an asynchronous failure.
    package var correlation: UInt64 { raw.pointee.correlation }
    /// Nil: the execution returns when the outputs are there.
    package func stream<Device: PluginKit.Device>(of _: Device.Type) -> Device.Stream? {
        StreamHandle.unretained(raw.pointee.stream).map { unsafeDowncast($0, to: TypedStream<Device>.self).stream }
    }
}
