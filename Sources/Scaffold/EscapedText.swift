// SPDX-License-Identifier: Apache-2.0

/// The inside of a C string literal that means `text` in UTF-8. Everything but plain characters is written in octal, three digits each, so that no
/// following digit is taken for a part of it; '?' too, because of trigraphs.
func escapedForC(_ text: String) -> String {
    var escaped = ""
    for byte in text.utf8 {
        switch byte {
        case UInt8(ascii: "\\"), UInt8(ascii: "\""), UInt8(ascii: "?"): escaped += "\\" + String(UnicodeScalar(byte))
        // '@' marks the placeholders of a template.
        case UInt8(ascii: "@"), 0..<0x20, 0x7f...0xff:
            let digits = String(byte, radix: 8)
            escaped += "\\" + String(repeating: "0", count: 3 - digits.count) + digits
        default: escaped.unicodeScalars.append(UnicodeScalar(byte))
        }
    }
    return escaped
}

/// The inside of a Swift string literal that means `text`.
func escapedForSwift(_ text: String) -> String {
    var escaped = ""
    for scalar in text.unicodeScalars {
        switch scalar {
        case "\\", "\"": escaped += "\\\(scalar)"
        // '@' marks the placeholders of a template.
        case "@", "\u{0}"..<" ", "\u{7f}"..."\u{9f}", "\u{2028}", "\u{2029}": escaped += "\\u{\(String(scalar.value, radix: 16))}"
        default: escaped.unicodeScalars.append(scalar)
        }
    }
    return escaped
}
