// SPDX-License-Identifier: Apache-2.0
import Foundation
import Testing

@Suite struct AddressTests {
    /// A handle is the device's address, and no address of the host's: reading there ends the process.
    @Test func hostThatTouchesADeviceAddressDies() async {
        await #expect(processExitsWith: .signal(SIGSEGV)) {
            let profile = URL(filePath: #filePath).deletingLastPathComponent().appending(
                path: "../../Conformance/profiles/npu/endpoint.yaml")
            let plugin = try PluginUnderTest(["profile": profile.path])
            let address = UnsafeRawPointer(try plugin.allocate(4096))
            print(address.load(as: UInt8.self))
        }
    }
}
