// A lock file, held by whoever works in a folder.
//
//     compare_lock lock;
//     EBM_TRY(compare_lock_take("cells/CoLA/CE/seed-1", &lock));     // makes the folder
//     if (lock.held) ...
//     compare_lock_release(&lock);
//
// The lock ends with the last process that has the descriptor: should we be killed, a training that we started and that
// still runs keeps it. On one machine and on network file systems that know flock.
#ifndef EBM_COMPARE_LOCK_H
#define EBM_COMPARE_LOCK_H

#include <stdbool.h>

#include "status.h"

typedef struct {
    bool held; // false: another process has it
    int descriptor;
} compare_lock;

ebm_status compare_lock_take(const char *folder, compare_lock *lock);
void compare_lock_release(compare_lock *lock);

#endif
