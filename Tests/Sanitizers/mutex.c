// Tells the thread sanitizer what Swift's Mutex does where it waits.
//
// A Mutex that nobody else holds is taken and given back by atomic instructions in the code that uses it, which the
// sanitizer sees. What it does otherwise is in libswiftSynchronization, which is not instrumented: without this library
// every Mutex that is waited for looks like a data race. Preloaded by Scripts/sanitizers/run.
//
// The functions are those of the library (swift demangle names them), with its calling convention: the mutex itself is
// the context. Both directions order more than is needed, never less than the mutex does.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

#define SWIFT __attribute__((swiftcall))
#define CONTEXT __attribute__((swift_context))

#define LOCK "$s15Synchronization12_MutexHandleV9_lockSlowyys6UInt32VF"
#define TRY_LOCK "$s15Synchronization12_MutexHandleV12_tryLockSlowSbyF"
#define UNLOCK "$s15Synchronization12_MutexHandleV11_unlockSlowyyF"

// Of the sanitizer's runtime, in the program.
extern void __tsan_acquire(void *address);
extern void __tsan_release(void *address);

SWIFT void lock_slow(uint32_t thread, CONTEXT void *mutex) __asm__(LOCK);
SWIFT bool try_lock_slow(CONTEXT void *mutex) __asm__(TRY_LOCK);
SWIFT void unlock_slow(CONTEXT void *mutex) __asm__(UNLOCK);

static void *original(const char *name) {
    void *found = dlsym(RTLD_NEXT, name);
    if (found == NULL) abort();
    return found;
}

SWIFT void lock_slow(uint32_t thread, CONTEXT void *mutex) {
    static SWIFT void (*next)(uint32_t, CONTEXT void *);
    if (next == NULL) next = original(LOCK);
    next(thread, mutex);
    __tsan_acquire(mutex);
}

SWIFT bool try_lock_slow(CONTEXT void *mutex) {
    static SWIFT bool (*next)(CONTEXT void *);
    if (next == NULL) next = original(TRY_LOCK);
    bool taken = next(mutex);
    if (taken) __tsan_acquire(mutex);
    return taken;
}

SWIFT void unlock_slow(CONTEXT void *mutex) {
    static SWIFT void (*next)(CONTEXT void *);
    if (next == NULL) next = original(UNLOCK);
    __tsan_release(mutex);
    next(mutex);
}
