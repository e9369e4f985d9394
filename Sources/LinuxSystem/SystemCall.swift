import SystemInterface

/// The one place where a system call is repeated and its result told from its error.
enum SystemCall {
    /// Repeats `call` while a signal interrupts it before it did anything (signal(7)).
    static func retrying<Value: SignedInteger>(_ call: () -> Value) -> Value {
        while true {
            let value = call()
            if value != -Value(ErrorNumber.interrupted) { return value }
        }
    }

    /// The value of `call`, or what its error number means for `operation` on `path`.
    @discardableResult
    static func value<Value: SignedInteger>(
        _ operation: String,
        _ path: String,
        _ call: () -> Value
    ) throws(FileError) -> Int {
        let value = retrying(call)
        guard value >= 0 else { throw FileError.linux(Int32(clamping: -value), operation, path) }
        return Int(value)
    }
}
