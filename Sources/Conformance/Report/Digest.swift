// SPDX-License-Identifier: Apache-2.0
import Crypto
package import Foundation

/// A SHA-256 in the notation of reports: `sha256:` and 64 hexadecimal digits.
package func sha256(_ bytes: some DataProtocol) -> String {
    let digits = Array("0123456789abcdef".utf8)
    var text = Array("sha256:".utf8)
    for byte in SHA256.hash(data: bytes) {
        text.append(digits[Int(byte >> 4)])
        text.append(digits[Int(byte & 15)])
    }
    return String(decoding: text, as: UTF8.self)
}
