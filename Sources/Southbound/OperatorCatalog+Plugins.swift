// SPDX-License-Identifier: Apache-2.0
import Graph
package import Operators

extension OperatorCatalog {
    /// The catalogue, and behind it the operators in domains that plugins know.
    package func with(_ plugins: [Plugin]) -> OperatorCatalog {
        let libraries = plugins.compactMap(\.passLibrary).filter(\.knowsOperators)
        if libraries.isEmpty { return self }
        return resolving { domain, name in
            OperatorDefinition(foreign: name, domain: domain) { context throws(OperatorError) in
                var refusals: [String] = []
                for library in libraries {
                    do throws(PluginError) {
                        return try library.infer(
                            domain: domain, operatorName: name, version: context.version, attributes: context.attributes.all,
                            inputs: context.inputs, outputCount: context.wanted.count
                        ).map { .known($0) }
                    } catch {
                        // Another plugin may know it.
                        guard error.code == .unsupported else { throw .invalid(error.description) }
                        refusals.append(error.description)
                    }
                }
                throw .unsupported("no plugin knows the operator '\(domain)::\(name)': \(refusals.joined(separator: "; "))")
            }
        }
    }
}
