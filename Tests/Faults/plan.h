// The control file that a test and the process under test share (see faults.c). The test side of the same layout is
// Tests/Clients/support/faults.py.
#ifndef FAULTS_PLAN_H
#define FAULTS_PLAN_H

#include <stdatomic.h>
#include <stdint.h>

enum { PLAN_MAGIC = 0x43464c54 };

// Kinds of calls, as bits.
enum kind {
    KIND_WRITE = 1,
    KIND_SYNC = 2,
    KIND_ALLOCATE = 4, // fallocate, ftruncate: what takes or gives back room
    KIND_NAME = 8,     // what makes, moves or removes a name, or changes what belongs to it
    KIND_READ = 16,
};

// What happens at the n-th call.
enum action {
    ACTION_NONE = 0,
    ACTION_KILL = 1,  // SIGKILL before the call
    ACTION_TORN = 2,  // of a write, SIGKILL after its first half; of any other call, right after it
    ACTION_FAIL = 3,  // the call is not made and gives `error`
    ACTION_SHORT = 4, // of a write only half is done, and half is what it says; other calls fail with `error`
    ACTION_DELAY = 5, // the call is made `delay` milliseconds later
};

struct plan {
    uint32_t magic;
    _Atomic uint32_t armed; // everything below is read only while this is 1
    uint64_t target;        // n, from 1
    uint32_t action;
    uint32_t kinds; // which calls count
    int32_t error;  // an errno
    uint32_t delay;
    _Atomic uint64_t counted; // calls since it was armed
    _Atomic uint64_t hits;    // calls that met the fault
    uint32_t hit_kind;
    uint32_t loaded; // processes that have mapped this file so far
    char match[256]; // counts only calls on paths that hold this text; empty: on all
    char hit_path[512]; // of the n-th call
    char hit_call[32];
    uint64_t last; // calls from the n-th to this one meet the fault; when it is less, the n-th alone
};

#endif
