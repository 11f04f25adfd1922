// SPDX-License-Identifier: Apache-2.0
import Execution
import Tensors

/// A model whose inputs and outputs lie at fixed places: write the inputs there, run, read the outputs there. A run allocates nothing.
///
/// One thread uses it at a time.
public final class BoundRun {
    private let model: BoundModel

    init(_ model: BoundModel) { self.model = model }

    /// Runs with what lies in the inputs.
    public func run() throws(RuntimeError) {
        do { try model.run() } catch { throw RuntimeError(error) }
    }

    /// - Parameter deadline: how long the run may take.
    public func run(deadline: Duration) throws(RuntimeError) {
        do { try model.run(control: RunControl(deadline: deadline)) } catch { throw RuntimeError(error) }
    }

    /// Gives an input's elements to `body`, to be read and written. They stay where they are.
    public func withInput<Element: TensorElement, Result>(
        _ name: String, as type: Element.Type = Element.self, _ body: (UnsafeMutableBufferPointer<Element>) throws -> Result
    ) throws -> Result {
        let place = try place(name, type, model.inputNames, model.inputs, "input")
        let elements = UnsafeMutableRawBufferPointer(mutating: place.bytes).assumingMemoryBound(to: type)
        return try withExtendedLifetime(place) { try body(elements) }
    }

    /// Gives an output's elements to `body`. They stay where they are, until the next run changes them.
    public func withOutput<Element: TensorElement, Result>(
        _ name: String, as type: Element.Type = Element.self, _ body: (UnsafeBufferPointer<Element>) throws -> Result
    ) throws -> Result {
        let place = try place(name, type, model.outputNames, model.outputs, "output")
        return try withExtendedLifetime(place) { try body(place.bytes.assumingMemoryBound(to: type)) }
    }

    /// A copy of an output.
    public func output(_ name: String) throws(RuntimeError) -> Tensor {
        guard let index = model.outputNames.firstIndex(of: name) else { throw Self.unknown("output", name, model.outputNames) }
        let place = model.outputs[index]
        do { return Tensor(try HostTensor(place.dataType, place.shape) { $0.copyMemory(from: place.bytes) }) } catch {
            throw RuntimeError(error)
        }
    }

    /// Node by node, in the order of the model.
    public var placement: [Session.Placement] { Session.Placement.list(model.summary) }

    private func place<Element: TensorElement>(
        _ name: String, _ type: Element.Type, _ names: [String], _ places: [HostTensor], _ kind: String
    ) throws(RuntimeError) -> HostTensor {
        guard let index = names.firstIndex(of: name) else { throw Self.unknown(kind, name, names) }
        try Tensor(places[index]).check(type)
        return places[index]
    }

    private static func unknown(_ kind: String, _ name: String, _ names: [String]) -> RuntimeError {
        RuntimeError(.usage, "the model has no \(kind) '\(name)'; it has \(names.map { "'\($0)'" }.joined(separator: ", "))")
    }
}
