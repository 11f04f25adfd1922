// SPDX-License-Identifier: Apache-2.0
import Foundation
import ONNX

/// A protobuf message written field by field, so that tests can say what no well-behaved writer says.
struct Wire {
    var bytes: [UInt8] = []

    private static func varint(_ value: UInt64) -> [UInt8] {
        value < 0x80 ? [UInt8(value)] : [UInt8(truncatingIfNeeded: value) | 0x80] + varint(value >> 7)
    }

    func int(_ field: UInt64, _ value: Int) -> Wire {
        Wire(bytes: bytes + Self.varint(field << 3) + Self.varint(UInt64(bitPattern: Int64(value))))
    }
    func float(_ field: UInt64, _ value: Float) -> Wire {
        Wire(
            bytes: bytes + Self.varint(field << 3 | 5)
                + withUnsafeBytes(of: value.bitPattern.littleEndian) { Array($0) })
    }
    func data(_ field: UInt64, _ content: some Sequence<UInt8>) -> Wire {
        let content = Array(content)
        return Wire(bytes: bytes + Self.varint(field << 3 | 2) + Self.varint(UInt64(content.count)) + content)
    }
    func text(_ field: UInt64, _ value: String) -> Wire { data(field, value.utf8) }
    func texts(_ field: UInt64, _ values: [String]) -> Wire { values.reduce(self) { $0.text(field, $1) } }
    func message(_ field: UInt64, _ value: Wire) -> Wire { data(field, value.bytes) }
    func messages(_ field: UInt64, _ values: [Wire]) -> Wire { values.reduce(self) { $0.message(field, $1) } }
    func ints(_ field: UInt64, _ values: [Int]) -> Wire { values.reduce(self) { $0.int(field, $1) } }
    func packed<Element: BitwiseCopyable>(_ field: UInt64, _ values: [Element]) -> Wire {
        data(field, values.withUnsafeBytes { Array($0) })
    }
}

// The messages of the schema that the tests use. Numbers are the schema's.

func model(_ graph: Wire, opset: Int = 21, imports: [(String, Int)] = [], functions: [Wire] = []) -> Wire {
    Wire().int(1, 10).text(2, "test").message(7, graph).messages(
        8, ([("", opset)] + imports).map { Wire().text(1, $0.0).int(2, $0.1) }
    ).messages(25, functions)
}

func graph(_ nodes: [Wire], inputs: [Wire] = [value("x")], outputs: [Wire] = [value("y")], initialisers: [Wire] = [])
    -> Wire
{
    Wire().messages(1, nodes).text(2, "g").messages(5, initialisers).messages(11, inputs).messages(12, outputs)
}

func node(
    _ operation: String, _ inputs: [String], _ outputs: [String], name: String = "n", domain: String = "",
    _ attributes: [Wire] = []
) -> Wire {
    Wire().texts(1, inputs).texts(2, outputs).text(3, name).text(4, operation).messages(5, attributes).text(7, domain)
}

/// A float32 value unless `type` says otherwise; a dimension is a number, or else the name of a symbol.
func value(_ name: String, type: Int = 1, _ shape: [String] = ["2"]) -> Wire {
    let dimensions = shape.map { dimension in Int(dimension).map { Wire().int(1, $0) } ?? Wire().text(2, dimension) }
    return Wire().text(1, name).message(
        2, Wire().message(1, Wire().int(1, type).message(2, Wire().messages(1, dimensions))))
}

/// A tensor without elements: add its data field.
func tensor(_ name: String, type: Int = 1, _ shape: [Int]) -> Wire { Wire().ints(1, shape).int(2, type).text(8, name) }

func externalTensor(_ name: String, _ shape: [Int], _ entries: [(String, String)]) -> Wire {
    tensor(name, shape).messages(13, entries.map { Wire().text(1, $0.0).text(2, $0.1) }).int(14, 1)
}

func attribute(_ name: String, int value: Int) -> Wire { Wire().text(1, name).int(3, value).int(20, 2) }
func attribute(_ name: String, float value: Float) -> Wire { Wire().text(1, name).float(2, value).int(20, 1) }
func attribute(_ name: String, refersTo other: String, type: Int) -> Wire {
    Wire().text(1, name).int(20, type).text(21, other)
}

func function(
    _ name: String, domain: String = "own", inputs: [String], outputs: [String], attributes: [String] = [],
    _ nodes: [Wire], opset: Int = 21
) -> Wire {
    Wire().text(1, name).texts(4, inputs).texts(5, outputs).texts(6, attributes).messages(7, nodes).messages(
        9, [("", opset), ("own", 1)].map { Wire().text(1, $0.0).int(2, $0.1) }
    ).text(10, domain)
}

/// Why the model cannot be read; nil if it can.
func refusal(_ model: Wire, folder: String? = nil) -> ONNXError? {
    do throws(ONNXError) {
        _ = try readModel(data: Data(model.bytes), source: "m", folder: folder)
        return nil
    } catch { return error }
}
