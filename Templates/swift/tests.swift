// SPDX-License-Identifier: Apache-2.0
import CSouthbridge
import Testing

@testable import @MODULE@

/// The plugin alone, called as a host calls it.
@Suite struct PluginTests {
    @Test func worksWithoutTheStack() throws {
        var host = sb_host()
        host.size = MemoryLayout<sb_host>.size
        host.version = SB_VERSION_MAJOR << 16 | SB_VERSION_MINOR
        host.log = { _, _, _ in }
        host.clock = { _ in 0 }
        try withUnsafePointer(to: host) { host in
            var plugin: UnsafePointer<sb_plugin>?
            #expect(southbridge_plugin(host, &plugin, nil) == SB_OK)
            let table = try #require(plugin).pointee
            var instance: OpaquePointer?
            #expect(table.start(host, nil, 0, &instance, nil) == SB_OK)
            defer { table.stop(instance) }

            let driver = try #require(group("driver", of: table)).load(as: sb_driver.self)
            var (device, buffer) = (nil as OpaquePointer?, nil as OpaquePointer?)
            #expect(driver.open(instance, 0, &device, nil) == SB_OK)
            defer { driver.close(device) }
            #expect(driver.allocate(device, 0, 20, 64, &buffer, nil) == SB_OK)
            defer { driver.free(device, buffer) }
            var (given, back) = ([-2, -0.5, 0, 3, .nan] as [Float], [Float](repeating: 1, count: 5))
            let place = sb_location(buffer: buffer, host: nil, offset: 0)
            given.withUnsafeMutableBytes {
                #expect(driver.copy(device, nil, place, sb_location(buffer: nil, host: $0.baseAddress, offset: 0), 20, nil) == SB_OK)
            }
            // @if kernel
            let operators = try #require(group("operators", of: table)).load(as: sb_operators.self)
            var shape: [Int64] = [5]
            shape.withUnsafeMutableBufferPointer { shape in
                var tensor = sb_tensor()
                (tensor.size, tensor.data_type, tensor.rank) = (MemoryLayout<sb_tensor>.size, SB_TYPE_FLOAT32, 1)
                (tensor.shape, tensor.buffer) = (shape.baseAddress, buffer)
                withUnsafePointer(to: tensor) { tensor in
                    let tensors: [UnsafePointer<sb_tensor>?] = [tensor]
                    tensors.withUnsafeBufferPointer { list in
                        var node = sb_node()
                        (node.size, node.kernel, node.version) = (MemoryLayout<sb_node>.size, operators.kernels[0], 14)
                        (node.inputs, node.input_count, node.outputs, node.output_count) = (list.baseAddress, 1, list.baseAddress, 1)
                        node.operator_name = operators.kernels[0]!.pointee.operator_name
                        withUnsafePointer(to: node) { node in
                            var state: OpaquePointer?
                            #expect(operators.prepare?(instance, device, node, &state, nil) == SB_OK)
                            var launch = sb_launch()
                            (launch.size, launch.instance, launch.device) = (MemoryLayout<sb_launch>.size, instance, device)
                            (launch.node, launch.state, launch.inputs, launch.input_count) = (node, state, list.baseAddress, 1)
                            (launch.outputs, launch.output_count) = (list.baseAddress, 1)
                            #expect(operators.launch(&launch, nil) == SB_OK)  // in place: output 0 is input 0
                            operators.release?(state)
                        }
                    }
                }
            }
            given = given.map { $0 < 0 ? 0 : $0 }
            // @end
            back.withUnsafeMutableBytes {
                #expect(driver.copy(device, nil, sb_location(buffer: nil, host: $0.baseAddress, offset: 0), place, 20, nil) == SB_OK)
            }
            for (one, other) in zip(given, back) { #expect(one == other || one.isNaN && other.isNaN) }
        }
    }

    private func group(_ name: String, of table: sb_plugin) -> UnsafeRawPointer? {
        (0..<table.group_count).map { table.groups[$0] }
            .first { String(decoding: UnsafeRawBufferPointer(start: $0.name.data, count: $0.name.length), as: UTF8.self) == name }?.table
    }
}
