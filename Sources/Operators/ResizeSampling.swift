// SPDX-License-Identifier: Apache-2.0
package import Graph
package import Tensors

/// What Resize or Upsample takes along every axis, for kernels: which elements, and in which shares.
package struct ResizeSampling: Sendable {
    package struct Axis: Sendable {
        /// For every output position the elements that it is made of, and their weights.
        package let positions: [[Int]]
        package let weights: [[Double]]
        package let isIdentity: Bool
    }

    /// Each output element is one element of the input.
    package let isNearest: Bool
    package let axes: [Axis]

    /// - Parameters:
    ///   - inputs: types of all inputs, the data's first; `values` those that are known.
    /// - Throws: also where elements may lie outside of the data, which only cropping does.
    package init(
        _ definition: OperatorDefinition, version: Int, attributes given: [String: Attribute], inputs: [ConcreteType?],
        values: [HostTensor?]
    ) throws(OperatorError) {
        let attributes = NodeAttributes(version: version, given: given, rules: definition.attributes)
        let known = values.map { $0.map { ReferenceTensor($0) } }
        let plan = try ResizePlan(
            InferenceContext(attributes: attributes, inputs: inputs, wanted: [true]) { $0 < known.count ? known[$0] : nil })
        guard plan.axes.allSatisfy({ $0.transformation != "tf_crop_and_resize" }) else { throw .unsupported("cropping") }
        isNearest = plan.mode == "nearest"
        axes = plan.axes.map { axis in
            let samples = (0..<axis.output).map { position -> (positions: [Int], weights: [Double]) in
                let source = axis.source(of: position)
                return plan.mode == "nearest" ? ([plan.nearest(source, size: axis.input)], [1]) : plan.weights(at: source, axis)
            }
            return Axis(positions: samples.map(\.positions), weights: samples.map(\.weights), isIdentity: axis.isIdentity)
        }
    }
}
