// SPDX-License-Identifier: Apache-2.0
package import Conformance
package import Foundation

/// The forms in which a run is shown.
package enum ReportFormat: String, CaseIterable, Sendable {
    case html, md, json, junit, csv
}

/// A whole report in one form. Equal reports give equal bytes.
package func render(_ report: Report, as format: ReportFormat) throws -> Data {
    switch format {
    case .html: Data(try HTMLReport(report).text.utf8)
    case .md: Data(MarkdownReport(report).text.utf8)
    case .json: try report.encoded()
    case .junit: Data(JUnitReport(report).text.utf8)
    case .csv: Data(CSVReport(report).text.utf8)
    }
}
