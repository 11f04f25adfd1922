// SPDX-License-Identifier: Apache-2.0
package import CSouthbridge

/// C memory that stays where it is until this object goes: arrays and strings that are handed to a plugin.
package final class CMemory {
    package init() {}

    private var blocks: [UnsafeMutableRawPointer] = []

    deinit { for block in blocks { block.deallocate() } }

    package func allocate<Element: BitwiseCopyable>(_ element: Element) -> UnsafeMutablePointer<Element> {
        let pointer = UnsafeMutablePointer<Element>.allocate(capacity: 1)
        pointer.initialize(to: element)
        blocks.append(UnsafeMutableRawPointer(pointer))
        return pointer
    }

    /// NULL if there are no elements.
    package func array<Element: BitwiseCopyable>(_ elements: [Element]) -> UnsafeMutablePointer<Element>? {
        guard !elements.isEmpty else { return nil }
        let pointer = UnsafeMutablePointer<Element>.allocate(capacity: elements.count)
        pointer.initialize(from: elements, count: elements.count)
        blocks.append(UnsafeMutableRawPointer(pointer))
        return pointer
    }

    package func string(_ text: String) -> sb_string {
        let bytes = Array(text.utf8)
        let data = array(bytes).map { UnsafeRawPointer($0).assumingMemoryBound(to: CChar.self) }
        return sb_string(data: data, length: bytes.count)
    }
}
