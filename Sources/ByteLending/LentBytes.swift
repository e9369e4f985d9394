@_spi(CustomByteBufferAllocator) package import NIOCore
import Synchronization
package import SystemInterface

extension ByteBuffer {
    /// Below this size a copy costs less than the bookkeeping of lending.
    package static let smallestLent = 32 << 10

    /// The bytes of a slice for the socket: lent where they are many, so that what was verified is sent from where it
    /// was read; copied where they are few. Nobody writes to the slice's bytes any more, neither does NIO.
    package init(sending slice: BufferSlice) {
        if slice.count < Self.smallestLent {
            self = slice.withBytes { ByteBuffer(bytes: $0) }
        } else {
            self.init(
                takingOwnershipOf: LentBytes.lend(slice),
                allocator: ByteBufferAllocator(
                    allocate: { .allocate(byteCount: $0, alignment: LentBytes.alignment) },
                    reallocate: { LentBytes.grow($0, from: $1, to: $2) },
                    deallocate: { LentBytes.release($0) },
                    copy: { $0.copyMemory(from: $1, byteCount: $2) }
                )
            )
        }
    }
}

/// Keeps alive the slices whose bytes a `ByteBuffer` points to. NIO's allocator knows a piece of memory by its address
/// only, so this is one table for the process.
private enum LentBytes {
    private struct Loan {
        var slice: BufferSlice
        /// The same bytes may be on their way to several clients.
        var count: Int
    }

    /// Of memory that NIO asks for itself: malloc's own.
    static let alignment = 16
    private static let loans = Mutex<[UInt: Loan]>([:])

    static func lend(_ slice: BufferSlice) -> UnsafeMutableRawBufferPointer {
        let bytes = UnsafeMutableRawBufferPointer(mutating: slice.bytes)
        loans.withLock { loans in
            loans[UInt(bitPattern: bytes.baseAddress), default: Loan(slice: slice, count: 0)].count += 1
        }
        return bytes
    }

    /// Ends a loan, or frees what NIO allocated when it copied a buffer.
    static func release(_ pointer: UnsafeMutableRawPointer) {
        let address = UInt(bitPattern: pointer)
        let (isLent, ended) = loans.withLock { loans -> (Bool, BufferSlice?) in
            guard var loan = loans[address] else { return (false, nil) }
            loan.count -= 1
            loans[address] = loan.count > 0 ? loan : nil
            return (true, loan.slice)
        }
        // The last reference may give memory back to its pool: outside the lock.
        withExtendedLifetime(ended) {}
        if !isLent { pointer.deallocate() }
    }

    /// NIO never grows what it only sends; were it to, the bytes move to memory of its own.
    static func grow(_ pointer: UnsafeMutableRawPointer?, from old: Int, to new: Int) -> UnsafeMutableRawPointer? {
        let grown = UnsafeMutableRawPointer.allocate(byteCount: new, alignment: alignment)
        if let pointer {
            grown.copyMemory(from: pointer, byteCount: min(old, new))
            release(pointer)
        }
        return grown
    }
}
