import Operators
import HardwareModel
import Tensors
package enum DataFamily: String, Sendable, Hashable { case signed
 static func families(for: OperatorDefinition, _ s: Sample, type: DataType) -> [DataFamily] { [.signed] }
 func call(_ d: OperatorDefinition, opset: Int, _ s: Sample, seed: UInt64, case id: String) throws -> OperatorCall { OperatorCall(d, opset: opset, inputs: [])}
}
package struct Judge { init(_ c: OperatorCall, facts: NumericFacts) throws {}
 func finding(on a: [HostTensor?]) -> Finding { Finding() } }
enum PlantedFault: String, Hashable { case a
 static func kinds(for: OperatorDefinition, type: DataType) -> [PlantedFault] { [] }
 func outputs(of j: Judge) -> [HostTensor?]? {nil} }
