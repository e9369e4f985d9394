/// Why an operator's command was not done, and what to do next.
package struct AdminError: Error, Codable, Hashable, Sendable, CustomStringConvertible {
    /// What callers tell apart; each has its HTTP status on the socket.
    package enum Code: String, Codable, Sendable, CaseIterable {
        /// Nobody answers on the admin socket.
        case notRunning
        /// Another process serves the same data folder.
        case alreadyRunning
        case notFound
        /// The name is taken, or the thing is not in a state for this command.
        case conflict
        case badRequest
        /// The store cannot do it now; the same command may work later.
        case unavailable
        case failed
    }

    package var code: Code
    /// What is wrong, in a sentence.
    package var message: String
    /// What the operator should do, in a sentence; empty when the message says it.
    package var advice: String

    package init(_ code: Code, _ message: String, advice: String = "") {
        self.code = code
        self.message = message
        self.advice = advice
    }

    package var description: String { advice.isEmpty ? message : "\(message)\n\(advice)" }
}
