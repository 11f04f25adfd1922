// SPDX-License-Identifier: Apache-2.0

/// Device memory behind a handle that the host owns from `allocate` to `free`. A class is its own handle, and nothing more to write; a value
/// chooses what the handle is (a device address, an index), and is what the handle says.
package protocol Buffer {
    /// The handle for the host, which owns it until it gives it back; never NULL.
    func makeHandle() -> OpaquePointer
    /// The buffer behind a handle that the host owns. A launch comes this way: it allocates nothing.
    static func behind(_ handle: OpaquePointer) -> Self
    /// The host has given the handle back.
    static func release(_ handle: OpaquePointer)
}

extension Buffer where Self: AnyObject {
    package func makeHandle() -> OpaquePointer { OpaquePointer(Unmanaged.passRetained(self).toOpaque()) }
    package static func behind(_ handle: OpaquePointer) -> Self {
        Unmanaged<Self>.fromOpaque(UnsafeRawPointer(handle)).takeUnretainedValue()
    }
    package static func release(_ handle: OpaquePointer) { Unmanaged<Self>.fromOpaque(UnsafeRawPointer(handle)).release() }
}
