// A library to preload (LD_PRELOAD): counts the calls by which a process changes files below one folder, and at the
// n-th kills the process, lets the call fail, or delays it; or does so from the n-th on until it is disarmed.
//
//   FAULTS_ROOT     the folder; calls on anything else are passed on untouched
//   FAULTS_CONTROL  a file of sizeof(struct plan) bytes that a test maps too (plan.h); it arms the plan at the moment
//                   the operation begins, in a process that has long been running
//   FAULTS_SPEED    how many times faster monotonic time passes (clock.c); 1 when absent
//
// Every call goes to the kernel by syscall(2), never to another function of the C library: nothing here can call
// itself, and nothing needs to be looked up before the first call. There is no lock and no memory of its own but the
// plan; which file a descriptor means is asked of /proc/self/fd, so no open can be missed.
//
// What escapes: calls the C library makes inside itself (fwrite of stdio), memory mappings, raw system calls, io_uring.
// `cairn` changes files by none of these but SQLite's mapping of the log's index, which is not kept over a restart.
#define _GNU_SOURCE
#include "plan.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum { PATH_ROOM = 1024, DESCRIPTOR_LINK_ROOM = 64 };

static struct plan *plan;
static char root[PATH_ROOM];
static size_t root_length;

// Where the last single zero went; see `is_padding`.
static _Atomic uint64_t padded_end;

__attribute__((constructor)) static void begin(void) {
    const char *folder = getenv("FAULTS_ROOT"), *control = getenv("FAULTS_CONTROL");
    if (folder == NULL || control == NULL || strlen(folder) >= sizeof(root)) return;
    int file = (int)syscall(SYS_openat, AT_FDCWD, control, O_RDWR | O_CLOEXEC, 0);
    if (file < 0) return;
    void *mapped = mmap(NULL, sizeof(struct plan), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    syscall(SYS_close, file);
    if (mapped == MAP_FAILED || ((struct plan *)mapped)->magic != PLAN_MAGIC) return;
    strcpy(root, folder);
    root_length = strlen(root);
    plan = mapped;
    plan->loaded++;
}

// MARK: Which file

static bool is_below_root(const char *path) {
    return strncmp(path, root, root_length) == 0 && (path[root_length] == '/' || path[root_length] == 0);
}

static bool path_of_descriptor(int descriptor, char *path) {
    char link[DESCRIPTOR_LINK_ROOM];
    snprintf(link, sizeof(link), "/proc/self/fd/%d", descriptor);
    long length = syscall(SYS_readlinkat, AT_FDCWD, link, path, PATH_ROOM - 1);
    if (length < 0) return false;
    path[length] = 0;
    return true;
}

static bool path_of_name(int directory, const char *name, char *path) {
    if (name[0] == '/') return (size_t)snprintf(path, PATH_ROOM, "%s", name) < PATH_ROOM;
    char above[PATH_ROOM];
    if (directory == AT_FDCWD) {
        if (syscall(SYS_getcwd, above, sizeof(above)) < 0) return false;
    } else if (!path_of_descriptor(directory, above)) {
        return false;
    }
    return (size_t)snprintf(path, PATH_ROOM, "%s/%s", above, name) < PATH_ROOM;
}

// MARK: The n-th call

static bool is_armed(enum kind kind) {
    return plan != NULL && atomic_load(&plan->armed) == 1 && (plan->kinds & kind) != 0;
}

/// What shall happen to this call. The caller's errno is left as it was.
static enum action count(enum kind kind, const char *call, const char *path) {
    if (!is_below_root(path) || (plan->match[0] != 0 && strstr(path, plan->match) == NULL)) return ACTION_NONE;
    uint64_t number = atomic_fetch_add(&plan->counted, 1) + 1;
    if (number != plan->target && (plan->target == 0 || number < plan->target || number > plan->last)) {
        return ACTION_NONE;
    }
    if (number == plan->target) {
        plan->hit_kind = kind;
        strncpy(plan->hit_path, path, sizeof(plan->hit_path) - 1);
        strncpy(plan->hit_call, call, sizeof(plan->hit_call) - 1);
    }
    atomic_fetch_add(&plan->hits, 1);
    return (enum action)plan->action;
}

static enum action at_descriptor(enum kind kind, const char *call, int descriptor) {
    char path[PATH_ROOM];
    if (!is_armed(kind)) return ACTION_NONE;
    int error = errno;
    enum action action = path_of_descriptor(descriptor, path) ? count(kind, call, path) : ACTION_NONE;
    errno = error;
    return action;
}

static enum action at_name(enum kind kind, const char *call, int directory, const char *name) {
    char path[PATH_ROOM];
    if (!is_armed(kind) || name == NULL) return ACTION_NONE;
    int error = errno;
    enum action action = path_of_name(directory, name, path) ? count(kind, call, path) : ACTION_NONE;
    errno = error;
    return action;
}

_Noreturn static void end_process(void) {
    syscall(SYS_kill, syscall(SYS_getpid), SIGKILL);
    // The signal is taken on the way back from the kernel; nothing may follow it here.
    for (;;) syscall(SYS_ppoll, NULL, 0, NULL, NULL, 0);
}

static void wait_a_while(void) {
    struct timespec time = {.tv_sec = plan->delay / 1000, .tv_nsec = plan->delay % 1000 * 1000000L};
    syscall(SYS_nanosleep, &time, NULL);
}

/// A call that has no halves.
static long carry_out(enum action action, long number, long a, long b, long c, long d, long e) {
    switch (action) {
        case ACTION_KILL: end_process();
        case ACTION_FAIL:
        case ACTION_SHORT: errno = plan->error; return -1;
        case ACTION_DELAY: wait_a_while(); break;
        case ACTION_NONE:
        case ACTION_TORN: break;
    }
    long result = syscall(number, a, b, c, d, e);
    if (action == ACTION_TORN) end_process();
    return result;
}

// MARK: Writes

/// SQLite grows a file by one zero in each page to come: a thousand calls that differ in nothing. A run of them is one
/// point, its first.
static bool is_padding(const void *bytes, size_t length, off_t offset) {
    if (length != 1 || *(const char *)bytes != 0 || offset <= 0) return false;
    uint64_t end = (uint64_t)offset + 1, before = atomic_exchange(&padded_end, end);
    return end > before && end - before <= 65536 && before != 0;
}

/// The first half of what the pieces hold.
static int halve(const struct iovec *pieces, int count, struct iovec *half) {
    size_t total = 0;
    for (int each = 0; each < count; each++) total += pieces[each].iov_len;
    size_t left = total / 2;
    int used = 0;
    while (used < count && left > 0) {
        half[used] = pieces[used];
        if (half[used].iov_len > left) half[used].iov_len = left;
        left -= half[used].iov_len;
        used++;
    }
    return used;
}

static long write_pieces(
    const char *call, int file, const struct iovec *pieces, int count, off_t offset, bool has_offset, int flags
) {
    long number = has_offset ? SYS_pwritev2 : SYS_writev;
    bool is_single = has_offset && count == 1;
    enum action action = ACTION_NONE;
    if (!is_armed(KIND_WRITE) || !is_single || !is_padding(pieces[0].iov_base, pieces[0].iov_len, offset)) {
        action = at_descriptor(KIND_WRITE, call, file);
    }
    if (count > 0 && (action == ACTION_TORN || action == ACTION_SHORT)) {
        struct iovec half[count];
        int used = halve(pieces, count, half);
        if (used > 0 || action == ACTION_TORN) {
            long written = used > 0 ? syscall(number, file, half, used, offset, 0, flags) : 0;
            if (action == ACTION_TORN) end_process();
            return written;
        }
    }
    if (action == ACTION_KILL) end_process();
    if (action == ACTION_FAIL || action == ACTION_SHORT) {
        errno = plan->error;
        return -1;
    }
    if (action == ACTION_DELAY) wait_a_while();
    return syscall(number, file, pieces, count, offset, 0, flags);
}

ssize_t write(int file, const void *bytes, size_t length) {
    struct iovec piece = {.iov_base = (void *)bytes, .iov_len = length};
    if (!is_armed(KIND_WRITE)) return syscall(SYS_write, file, bytes, length);
    return write_pieces("write", file, &piece, 1, 0, false, 0);
}

ssize_t writev(int file, const struct iovec *pieces, int count) {
    return write_pieces("writev", file, pieces, count, 0, false, 0);
}

ssize_t pwrite(int file, const void *bytes, size_t length, off_t offset) {
    struct iovec piece = {.iov_base = (void *)bytes, .iov_len = length};
    return write_pieces("pwrite", file, &piece, 1, offset, true, 0);
}

ssize_t pwritev(int file, const struct iovec *pieces, int count, off_t offset) {
    return write_pieces("pwritev", file, pieces, count, offset, true, 0);
}

ssize_t pwritev2(int file, const struct iovec *pieces, int count, off_t offset, int flags) {
    return write_pieces("pwritev2", file, pieces, count, offset, offset != -1, flags);
}

#define SAME(result, name, of) extern __typeof__(of) name __attribute__((alias(#of)))

SAME(ssize_t, pwrite64, pwrite);
SAME(ssize_t, pwritev64, pwritev);
SAME(ssize_t, pwritev64v2, pwritev2);

// MARK: Syncs, room

#define ON_FILE(kind, name, file, number, a, b, c) \
    (int)carry_out(at_descriptor(kind, name, file), number, file, (long)(a), (long)(b), (long)(c), 0)

int fsync(int file) { return ON_FILE(KIND_SYNC, "fsync", file, SYS_fsync, 0, 0, 0); }
int fdatasync(int file) { return ON_FILE(KIND_SYNC, "fdatasync", file, SYS_fdatasync, 0, 0, 0); }
int syncfs(int file) { return ON_FILE(KIND_SYNC, "syncfs", file, SYS_syncfs, 0, 0, 0); }

int sync_file_range(int file, off_t offset, off_t length, unsigned flags) {
    return ON_FILE(KIND_SYNC, "sync_file_range", file, SYS_sync_file_range, offset, length, flags);
}

int fallocate(int file, int mode, off_t offset, off_t length) {
    return ON_FILE(KIND_ALLOCATE, "fallocate", file, SYS_fallocate, mode, offset, length);
}

int posix_fallocate(int file, off_t offset, off_t length) {
    int before = errno;
    int error = fallocate(file, 0, offset, length) == 0 ? 0 : errno;
    errno = before;
    return error;
}

int ftruncate(int file, off_t length) {
    return ON_FILE(KIND_ALLOCATE, "ftruncate", file, SYS_ftruncate, length, 0, 0);
}

int truncate(const char *path, off_t length) {
    return (int)carry_out(
        at_name(KIND_ALLOCATE, "truncate", AT_FDCWD, path), SYS_truncate, (long)path, length, 0, 0, 0
    );
}

SAME(int, fallocate64, fallocate);
SAME(int, posix_fallocate64, posix_fallocate);
SAME(int, ftruncate64, ftruncate);
SAME(int, truncate64, truncate);

// MARK: Names

/// An open that may make a file counts as a change of names, any other as a read.
static int open_name(const char *call, int directory, const char *path, int flags, mode_t mode) {
    enum kind kind = flags & (O_CREAT | O_TRUNC) ? KIND_NAME : KIND_READ;
    return (int)carry_out(at_name(kind, call, directory, path), SYS_openat, directory, (long)path, flags, mode, 0);
}

/// The mode is there only when the flags say so (open(2)).
#define MODE_AFTER(flags) \
    mode_t mode = 0; \
    if (((flags) & O_CREAT) != 0 || ((flags) & O_TMPFILE) == O_TMPFILE) { \
        va_list rest; \
        va_start(rest, flags); \
        mode = va_arg(rest, mode_t); \
        va_end(rest); \
    }

int open(const char *path, int flags, ...) {
    MODE_AFTER(flags)
    return open_name("open", AT_FDCWD, path, flags, mode);
}

int openat(int directory, const char *path, int flags, ...) {
    MODE_AFTER(flags)
    return open_name("openat", directory, path, flags, mode);
}

int creat(const char *path, mode_t mode) {
    return open_name("creat", AT_FDCWD, path, O_CREAT | O_WRONLY | O_TRUNC, mode);
}

SAME(int, open64, open);
SAME(int, openat64, openat);
SAME(int, creat64, creat);

#define ON_NAME(call, directory, path, number, a, b, c, d, e) \
    (int)carry_out(at_name(KIND_NAME, call, directory, path), number, (long)(a), (long)(b), (long)(c), (long)(d), \
                   (long)(e))

int mkdirat(int directory, const char *path, mode_t mode) {
    return ON_NAME("mkdirat", directory, path, SYS_mkdirat, directory, path, mode, 0, 0);
}

int mkdir(const char *path, mode_t mode) { return mkdirat(AT_FDCWD, path, mode); }

int unlinkat(int directory, const char *path, int flags) {
    return ON_NAME("unlinkat", directory, path, SYS_unlinkat, directory, path, flags, 0, 0);
}

int unlink(const char *path) { return unlinkat(AT_FDCWD, path, 0); }
int rmdir(const char *path) { return unlinkat(AT_FDCWD, path, AT_REMOVEDIR); }

int renameat2(int from, const char *old, int to, const char *new, unsigned flags) {
    return ON_NAME("renameat2", to, new, SYS_renameat2, from, old, to, new, flags);
}

int renameat(int from, const char *old, int to, const char *new) { return renameat2(from, old, to, new, 0); }
int rename(const char *old, const char *new) { return renameat2(AT_FDCWD, old, AT_FDCWD, new, 0); }

int linkat(int from, const char *old, int to, const char *new, int flags) {
    return ON_NAME("linkat", to, new, SYS_linkat, from, old, to, new, flags);
}

int link(const char *old, const char *new) { return linkat(AT_FDCWD, old, AT_FDCWD, new, 0); }

int symlinkat(const char *target, int directory, const char *path) {
    return ON_NAME("symlinkat", directory, path, SYS_symlinkat, target, directory, path, 0, 0);
}

int symlink(const char *target, const char *path) { return symlinkat(target, AT_FDCWD, path); }

int fchmod(int file, mode_t mode) { return ON_FILE(KIND_NAME, "fchmod", file, SYS_fchmod, mode, 0, 0); }

int chmod(const char *path, mode_t mode) {
    return ON_NAME("chmod", AT_FDCWD, path, SYS_fchmodat, AT_FDCWD, path, mode, 0, 0);
}

int fchown(int file, uid_t user, gid_t group) {
    return ON_FILE(KIND_NAME, "fchown", file, SYS_fchown, user, group, 0);
}

// MARK: Reads

ssize_t read(int file, void *bytes, size_t length) {
    return carry_out(at_descriptor(KIND_READ, "read", file), SYS_read, file, (long)bytes, (long)length, 0, 0);
}

ssize_t pread(int file, void *bytes, size_t length, off_t offset) {
    return carry_out(at_descriptor(KIND_READ, "pread", file), SYS_pread64, file, (long)bytes, (long)length, offset, 0);
}

ssize_t preadv2(int file, const struct iovec *pieces, int count, off_t offset, int flags) {
    enum action action = at_descriptor(KIND_READ, "preadv2", file);
    if (action != ACTION_NONE) return carry_out(action, SYS_preadv, file, (long)pieces, count, offset, 0);
    return syscall(SYS_preadv2, file, pieces, count, offset, 0, flags);
}

SAME(ssize_t, pread64, pread);
SAME(ssize_t, preadv64v2, preadv2);
