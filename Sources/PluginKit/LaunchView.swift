// SPDX-License-Identifier: Apache-2.0
package import CSouthbridge

/// The arguments of one launch. Reading them allocates nothing and retains nothing.
package struct LaunchView {
    package let raw: UnsafePointer<sb_launch>

    /// Nil if the pointer is null, the struct is shorter than in version 0.1, or a list that it counts is NULL.
    init?(_ raw: UnsafePointer<sb_launch>?) {
        guard let raw, raw.pointee.size >= MinimumSize.launch, raw.pointee.input_count == 0 || raw.pointee.inputs != nil,
            raw.pointee.output_count == 0 || raw.pointee.outputs != nil
        else { return nil }
        self.raw = raw
    }

    /// A launch that a plugin has made itself, for a kernel of its own.
    package init(trusting raw: UnsafePointer<sb_launch>) { self.raw = raw }

    package var inputCount: Int { raw.pointee.input_count }
    package var outputCount: Int { raw.pointee.output_count }
    /// True unless the optional input was left out.
    package func hasInput(_ index: Int) -> Bool { index < inputCount && raw.pointee.inputs[index] != nil }
    package func hasOutput(_ index: Int) -> Bool { index < outputCount && raw.pointee.outputs[index] != nil }

    package func input(_ index: Int) throws(PluginFailure) -> TensorView {
        guard index >= 0, index < inputCount, let tensor = TensorView(raw.pointee.inputs[index]) else {
            throw .invalid("input \(index) is missing in the launch")
        }
        return tensor
    }

    package func output(_ index: Int) throws(PluginFailure) -> TensorView {
        guard index >= 0, index < outputCount, let tensor = TensorView(raw.pointee.outputs[index]) else {
            throw .invalid("output \(index) is missing in the launch")
        }
        return tensor
    }

    /// The workspace in host memory, at least as large as `support` asked for.
    package func hostWorkspace(atLeast bytes: Int) throws(PluginFailure) -> UnsafeMutableRawPointer {
        guard let address = raw.pointee.workspace_host, raw.pointee.workspace_bytes >= UInt64(bytes) else {
            throw .invalid("the launch has no workspace of \(bytes) bytes in host memory")
        }
        return address
    }

    /// Comes back with an asynchronous failure.
    package var correlation: UInt64 { raw.pointee.correlation }
    /// Nil: the launch returns when the outputs are there.
    package func stream<Device: PluginKit.Device>(of _: Device.Type) -> Device.Stream? {
        StreamHandle.unretained(raw.pointee.stream).map { unsafeDowncast($0, to: TypedStream<Device>.self).stream }
    }
}
