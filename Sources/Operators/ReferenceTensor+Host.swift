// SPDX-License-Identifier: Apache-2.0
import Graph
package import Tensors

extension ReferenceTensor {
    /// Decodes a host tensor; exact.
    package init(_ tensor: HostTensor) {
        let elements: Elements =
            switch tensor.dataType.kind {
            case .float: .floats(tensor.decodedDoubles())
            case .complex: .complex(tensor.decodedDoubles())
            case .signedInteger, .unsignedInteger, .bool: .integers(tensor.decodedIntegers())
            case .string: .strings(tensor.strings)
            }
        self.init(tensor.dataType, tensor.shape, elements)
    }

    /// Encodes into the tensor's own type: floats rounded once to nearest, ties to even (nothing saturates), integers wrapped.
    /// Throws if elements, type and shape do not belong together.
    package func hostTensor() throws -> HostTensor {
        switch elements {
        case .floats(let values), .complex(let values): try HostTensor(dataType, shape, doubles: values)
        case .integers(let values): try HostTensor(dataType, shape, integers: values)
        case .strings(let values): try HostTensor(strings: values, shape: shape)
        }
    }

    /// The values as they are after rounding to `type`, still in float64.
    package static func rounded(_ values: [Double], to type: DataType, saturate: Bool = false) throws -> [Double] {
        type == .float64 ? values : try HostTensor(type, [values.count], doubles: values, saturate: saturate).decodedDoubles()
    }
}
