#define _GNU_SOURCE
#include "CLinux.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <malloc.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

static inline int64_t result(int64_t value) { return value < 0 ? -(int64_t)errno : value; }

// MARK: Files

int cairn_open_root(const char *path) { return (int)result(open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)); }

int cairn_open_at(int directory, const char *path, int options) {
    int flags = O_CLOEXEC | O_NOFOLLOW;
    flags |= options & CAIRN_OPEN_WRITE ? O_RDWR : O_RDONLY;
    if (options & CAIRN_OPEN_CREATE) flags |= O_CREAT;
    if (options & CAIRN_OPEN_EXCLUSIVE) flags |= O_EXCL;
    if (options & CAIRN_OPEN_DIRECT) flags |= O_DIRECT;
    if (options & CAIRN_OPEN_DIRECTORY) flags |= O_DIRECTORY;
    // Without O_NONBLOCK a FIFO would keep the caller waiting for its other end, for ever.
    int descriptor = openat(directory, path, flags | O_NONBLOCK, 0600);
    if (descriptor < 0) return (int)result(descriptor);
    struct stat status;
    if (fstat(descriptor, &status) == 0 && (S_ISREG(status.st_mode) || S_ISDIR(status.st_mode))) return descriptor;
    close(descriptor);
    return -EINVAL;
}

void cairn_close(int descriptor) { close(descriptor); }

int64_t cairn_read_at(int descriptor, void *buffer, size_t count, int64_t offset) {
    return result(pread(descriptor, buffer, count, offset));
}

int64_t cairn_read_cached_at(int descriptor, void *buffer, size_t count, int64_t offset) {
    struct iovec piece = {.iov_base = buffer, .iov_len = count};
    return result(preadv2(descriptor, &piece, 1, offset, RWF_NOWAIT));
}

int64_t cairn_write_at(int descriptor, const struct iovec *pieces, int count, int64_t offset) {
    return result(pwritev(descriptor, pieces, count, offset));
}

int cairn_sync_data(int descriptor) { return (int)result(fdatasync(descriptor)); }

int cairn_sync(int descriptor) { return (int)result(fsync(descriptor)); }

int cairn_allocate(int descriptor, int64_t offset, int64_t length) {
    return (int)result(fallocate(descriptor, 0, offset, length));
}

int cairn_punch(int descriptor, int64_t offset, int64_t length) {
    return (int)result(fallocate(descriptor, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offset, length));
}

int cairn_forget_cached(int descriptor) { return -posix_fadvise(descriptor, 0, 0, POSIX_FADV_DONTNEED); }

int cairn_truncate(int descriptor, int64_t length) { return (int)result(ftruncate(descriptor, length)); }

static void fill(struct cairn_status *status, const struct stat *raw) {
    status->device = raw->st_dev;
    status->inode = raw->st_ino;
    status->links = raw->st_nlink;
    status->length = raw->st_size;
    status->allocated = (int64_t)raw->st_blocks * 512;
    status->is_directory = S_ISDIR(raw->st_mode);
}

int cairn_status_of(int descriptor, struct cairn_status *status) {
    struct stat raw;
    if (fstat(descriptor, &raw) < 0) return -errno;
    fill(status, &raw);
    return 0;
}

int cairn_lock(int descriptor) {
    struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    return (int)result(fcntl(descriptor, F_OFD_SETLK, &whole));
}

// MARK: Names

int cairn_make_directory_at(int directory, const char *path) { return (int)result(mkdirat(directory, path, 0700)); }

int cairn_remove_at(int directory, const char *path, bool is_directory) {
    return (int)result(unlinkat(directory, path, is_directory ? AT_REMOVEDIR : 0));
}

int cairn_rename_at(int directory, const char *from, const char *to) {
    return (int)result(renameat(directory, from, directory, to));
}

int cairn_status_at(int directory, const char *path, struct cairn_status *status) {
    struct stat raw;
    if (fstatat(directory, path, &raw, AT_SYMLINK_NOFOLLOW) < 0) return -errno;
    fill(status, &raw);
    return 0;
}

int cairn_list(int descriptor, void *context, void (*each)(void *context, const char *name)) {
    // closedir closes what fdopendir was given, so it gets a descriptor of its own.
    int own = openat(descriptor, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (own < 0) return -errno;
    DIR *stream = fdopendir(own);
    if (stream == NULL) {
        int error = errno;
        close(own);
        return -error;
    }
    errno = 0;
    struct dirent *entry;
    while ((entry = readdir(stream)) != NULL) {
        each(context, entry->d_name);
        errno = 0;
    }
    int error = errno;
    closedir(stream);
    return -error;
}

int cairn_space_of(int descriptor, struct cairn_space *space) {
    struct statvfs raw;
    if (fstatvfs(descriptor, &raw) < 0) return -errno;
    space->total = (int64_t)raw.f_blocks * (int64_t)raw.f_frsize;
    // Without a free inode no file can be made, whatever room there is. Some file systems count none.
    bool takes_files = raw.f_files == 0 || raw.f_favail > 0;
    space->available = takes_files ? (int64_t)raw.f_bavail * (int64_t)raw.f_frsize : 0;
    return 0;
}

// MARK: Time, randomness, threads

static int64_t nanoseconds(clockid_t clock) {
    struct timespec now;
    clock_gettime(clock, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

uint64_t cairn_monotonic(void) { return (uint64_t)nanoseconds(CLOCK_BOOTTIME); }

int64_t cairn_wall(void) { return nanoseconds(CLOCK_REALTIME) / 1000000; }

int cairn_random(void *buffer, size_t count) { return (int)result(getrandom(buffer, count, 0)); }

struct start {
    char name[16];
    void (*body)(void *context);
    void *context;
};

static void *run(void *argument) {
    struct start start = *(struct start *)argument;
    free(argument);
    pthread_setname_np(pthread_self(), start.name);
    start.body(start.context);
    return NULL;
}

int cairn_thread_start(const char *name, void (*body)(void *context), void *context) {
    struct start *start = calloc(1, sizeof(*start));
    if (start == NULL) return -ENOMEM;
    strncpy(start->name, name, sizeof(start->name) - 1);
    start->body = body;
    start->context = context;

    // A new thread inherits the signal mask: with everything blocked, signals go to the threads that expect them.
    sigset_t all, previous;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &previous);
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    pthread_t thread;
    int error = pthread_create(&thread, &attributes, run, start);
    pthread_attr_destroy(&attributes);
    pthread_sigmask(SIG_SETMASK, &previous, NULL);
    if (error != 0) free(start);
    return -error;
}

struct cairn_semaphore {
    sem_t value;
};

void cairn_trim_heap(void) { malloc_trim(0); }

struct cairn_semaphore *cairn_semaphore_make(void) {
    struct cairn_semaphore *semaphore = malloc(sizeof(*semaphore));
    if (semaphore == NULL || sem_init(&semaphore->value, 0, 0) != 0) abort();
    return semaphore;
}

void cairn_semaphore_free(struct cairn_semaphore *semaphore) {
    sem_destroy(&semaphore->value);
    free(semaphore);
}

void cairn_semaphore_signal(struct cairn_semaphore *semaphore) { sem_post(&semaphore->value); }

void cairn_semaphore_wait(struct cairn_semaphore *semaphore) {
    while (sem_wait(&semaphore->value) != 0 && errno == EINTR) {}
}

int64_t cairn_raise_open_files(void) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return result(-1);
    if (limit.rlim_cur < limit.rlim_max) {
        struct rlimit raised = {.rlim_cur = limit.rlim_max, .rlim_max = limit.rlim_max};
        if (setrlimit(RLIMIT_NOFILE, &raised) == 0) limit = raised;
    }
    return limit.rlim_cur > INT32_MAX ? INT32_MAX : (int64_t)limit.rlim_cur;
}

// The `memory.max` of the control group that the process is in, INT64_MAX where there is no such limit. Above it lie
// the groups of its group: only its own is asked.
static int64_t control_group_memory(void) {
    char line[512], path[600];
    int64_t limit = INT64_MAX;
    FILE *groups = fopen("/proc/self/cgroup", "re");
    if (groups == NULL) return limit;
    while (fgets(line, sizeof(line), groups) != NULL) {
        if (strncmp(line, "0::", 3) != 0) continue;
        line[strcspn(line, "\n")] = 0;
        snprintf(path, sizeof(path), "/sys/fs/cgroup%s/memory.max", line + 3);
        FILE *file = fopen(path, "re");
        if (file == NULL) continue;
        long long bytes;
        if (fscanf(file, "%lld", &bytes) == 1 && bytes > 0) limit = bytes;
        fclose(file);
    }
    fclose(groups);
    return limit;
}

int64_t cairn_memory(void) {
    int64_t machine = (int64_t)sysconf(_SC_PHYS_PAGES) * sysconf(_SC_PAGESIZE);
    int64_t group = control_group_memory();
    return machine < group ? machine : group;
}

// MARK: Temporary file systems

int cairn_mount_tmpfs(const char *path, int64_t bytes) {
    char options[64];
    snprintf(options, sizeof(options), "size=%lld,mode=0700", (long long)bytes);
    return (int)result(mount("cairn-test", path, "tmpfs", MS_NOSUID | MS_NODEV, options));
}

int cairn_unmount(const char *path) { return (int)result(umount2(path, MNT_DETACH)); }
