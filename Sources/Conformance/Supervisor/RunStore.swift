// SPDX-License-Identifier: Apache-2.0
package import Foundation

/// A run's folder: the log that grows line by line, and what belongs to single cases.
package final class RunStore {
    package let folder: URL
    private(set) var header: RunHeader?
    /// Verdicts that were there when the run was opened.
    private(set) var earlier: [CaseResult] = []
    private var encoder = RunLogEncoder()
    private let descriptor: Int32

    static func logFile(in folder: URL) -> URL { folder.appending(path: "run.jsonl") }

    /// Opens a folder for a new run or, with `resume`, for one that was begun. Throws `usage` if the folder is not fit for that, or if another run holds it.
    init(folder: URL, resume: Bool) throws(ConformanceError) {
        self.folder = folder
        let path = Self.logFile(in: folder).path
        let exists = access(path, F_OK) == 0
        if resume && !exists { throw .usage("there is no run to resume in \(folder.path)") }
        if !resume && exists {
            throw .usage("\(folder.path) holds a run already; add --resume to go on with it, or choose another --output")
        }
        do {
            try FileManager.default.createDirectory(at: folder.appending(path: "logs"), withIntermediateDirectories: true)
        } catch {
            throw .usage("the folder \(folder.path) cannot be made: \(error.localizedDescription)")
        }
        descriptor = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else { throw .usage("\(path): \(String(cString: strerror(errno)))") }
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
            close(descriptor)
            throw .usage("another run is writing to \(folder.path)")
        }
        guard resume else { return }
        do {
            let log = try RunLog(reading: try Data(contentsOf: URL(fileURLWithPath: path)), source: path)
            header = log.header
            earlier = log.cases
            encoder = RunLogEncoder(resuming: log)
            guard ftruncate(descriptor, off_t(log.completeBytes)) == 0 else { throw CocoaError(.fileWriteUnknown) }
        } catch let error as ReportReadError {
            throw .usage(error.description)
        } catch {
            throw .usage("\(path) cannot be read: \(error.localizedDescription)")
        }
    }

    deinit { close(descriptor) }

    func begin(_ header: RunHeader) throws(ConformanceError) {
        self.header = header
        try append { try encoder.line(header) }
    }

    func append(_ result: CaseResult) throws(ConformanceError) {
        try append { try encoder.line(result) }
    }

    var end: RunLog.End? { encoder.end }

    /// One write per line: a reader sees whole lines, and a kill loses at most the last.
    private func append(_ makeLine: () throws -> Data) throws(ConformanceError) {
        let line: Data
        do { line = try makeLine() } catch { throw .internal("a verdict cannot be written: \(error)") }
        var done = 0
        while done < line.count {
            let written = line.withUnsafeBytes { write(descriptor, $0.baseAddress! + done, $0.count - done) }
            if written < 0 && errno == EINTR { continue }
            guard written > 0 else {
                throw .internal(
                    "\(Self.logFile(in: folder).path): \(String(cString: strerror(errno))); what was decided so far is kept, "
                        + "continue with --resume --output \(folder.path)")
            }
            done += written
        }
    }

    /// The folder of a case's reproducer, relative to the run's.
    static func failureFolder(_ id: String) -> String { "failures/\(id)" }

    /// Writes what is needed to run a failed case again. `files` by name.
    func writeReproducer(_ id: String, files: [(name: String, data: Data)]) throws(ConformanceError) {
        let target = folder.appending(path: Self.failureFolder(id))
        do {
            try FileManager.default.createDirectory(at: target, withIntermediateDirectories: true)
            for (name, data) in files { try data.write(to: target.appending(path: name), options: .atomic) }
        } catch {
            throw .internal("the reproducer in \(target.path) cannot be written: \(error.localizedDescription)")
        }
    }
}
