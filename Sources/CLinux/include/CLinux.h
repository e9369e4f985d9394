// Thin shims over Linux system calls, for LinuxSystem alone.
//
// Swift cannot call variadic functions and sees neither `errno` nor GNU extensions reliably, so each call is wrapped
// once here. Every function that can fail returns the negated error number; the meaning of a number is decided in
// LinuxSystem, in one place. No function here retries: EINTR is the caller's business as well.

#ifndef CAIRN_CLINUX_H
#define CAIRN_CLINUX_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

// How cairn_open_at opens. O_CLOEXEC and O_NOFOLLOW are always set.
enum {
    CAIRN_OPEN_WRITE = 1,      // O_RDWR instead of O_RDONLY
    CAIRN_OPEN_CREATE = 2,     // O_CREAT, mode 0600
    CAIRN_OPEN_EXCLUSIVE = 4,  // O_EXCL
    CAIRN_OPEN_DIRECT = 8,     // O_DIRECT
    CAIRN_OPEN_DIRECTORY = 16, // O_DIRECTORY
};

struct cairn_status {
    uint64_t device;
    uint64_t inode;
    uint64_t links;
    int64_t length;
    int64_t allocated;
    bool is_directory;
};

struct cairn_space {
    int64_t total;
    int64_t available;
};

// Files (open(2), pread(2), pwritev(2), fdatasync(2), fallocate(2), ftruncate(2), fstat(2)).

/// Opens a directory by an absolute or process-relative path, following symbolic links.
int cairn_open_root(const char *path);
int cairn_open_at(int directory, const char *path, int options);
void cairn_close(int descriptor);
int64_t cairn_read_at(int descriptor, void *buffer, size_t count, int64_t offset);
/// preadv2 with RWF_NOWAIT: -EAGAIN when the page cache does not hold the bytes.
int64_t cairn_read_cached_at(int descriptor, void *buffer, size_t count, int64_t offset);
int64_t cairn_write_at(int descriptor, const struct iovec *pieces, int count, int64_t offset);
int cairn_sync_data(int descriptor);
/// fsync: for directories.
int cairn_sync(int descriptor);
int cairn_allocate(int descriptor, int64_t offset, int64_t length);
int cairn_punch(int descriptor, int64_t offset, int64_t length);
/// Drops the clean pages that the page cache holds of a file (posix_fadvise(2), POSIX_FADV_DONTNEED).
int cairn_forget_cached(int descriptor);
int cairn_truncate(int descriptor, int64_t length);
int cairn_status_of(int descriptor, struct cairn_status *status);
/// Takes an exclusive open-file-description lock (fcntl(2), F_OFD_SETLK) without waiting.
int cairn_lock(int descriptor);

// Names (mkdirat(2), unlinkat(2), renameat(2), fstatat(2), readdir(3), statvfs(3)).

int cairn_make_directory_at(int directory, const char *path);
int cairn_remove_at(int directory, const char *path, bool is_directory);
int cairn_rename_at(int directory, const char *from, const char *to);
int cairn_status_at(int directory, const char *path, struct cairn_status *status);
/// Calls `each` with every name in the directory, `.` and `..` included.
int cairn_list(int descriptor, void *context, void (*each)(void *context, const char *name));
int cairn_space_of(int descriptor, struct cairn_space *space);

// Time, randomness, threads.

/// Nanoseconds of CLOCK_BOOTTIME, which goes on counting while the machine is suspended.
uint64_t cairn_monotonic(void);
/// Milliseconds since 1970-01-01 UTC.
int64_t cairn_wall(void);
/// getrandom(2); at most 256 bytes, which the kernel gives whole.
int cairn_random(void *buffer, size_t count);
/// Starts a detached thread that shows as `name` (15 bytes at most) in ps, top and perf. Signals are left to others.
int cairn_thread_start(const char *name, void (*body)(void *context), void *context);

/// Gives free memory of the heap back to the system (malloc_trim(3)).
void cairn_trim_heap(void);

/// Raises the number of files that this process may have open as far as it is allowed to (setrlimit(2),
/// RLIMIT_NOFILE); returns it, at most INT32_MAX.
int64_t cairn_raise_open_files(void);

/// Bytes of memory that this machine has, or that the control group of this process allows (cgroup v2), if those are
/// fewer.
int64_t cairn_memory(void);

/// A counting semaphore between threads of this process (sem_overview(7)).
struct cairn_semaphore;
struct cairn_semaphore *cairn_semaphore_make(void);
void cairn_semaphore_free(struct cairn_semaphore *semaphore);
void cairn_semaphore_signal(struct cairn_semaphore *semaphore);
void cairn_semaphore_wait(struct cairn_semaphore *semaphore);

// Temporary file systems, for tests (mount(2), umount2(2)).

/// Mounts a tmpfs of `bytes` on a directory; needs CAP_SYS_ADMIN.
int cairn_mount_tmpfs(const char *path, int64_t bytes);
int cairn_unmount(const char *path);

#endif
