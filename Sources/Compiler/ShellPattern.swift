// SPDX-License-Identifier: Apache-2.0
import Glibc

/// Whether `text` matches a shell pattern (`*`, `?`, `[...]`; POSIX `fnmatch` without flags, so `*` also crosses `/`).
package func matches(_ text: String, _ pattern: String) -> Bool { fnmatch(pattern, text, 0) == 0 }
