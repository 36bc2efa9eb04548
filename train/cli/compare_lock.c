#include "compare_lock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>
#include <unistd.h>

#include "file.h"

ebm_status compare_lock_take(const char *folder, compare_lock *lock)
{
    *lock = (compare_lock){false, -1};
    EBM_TRY(ebm_directory_make(folder));
    char *path = ebm_path_join(folder, "lock");
    if (!path) return ebm_fail(EBM_ERROR_MEMORY, "no memory for a path");
    ebm_status status = ebm_ok();
    lock->descriptor = open(path, O_RDWR | O_CREAT, 0666); // without O_CLOEXEC: see the header
    if (lock->descriptor < 0)
        status = ebm_fail(EBM_ERROR_IO, "%s: %m", path);
    else if (flock(lock->descriptor, LOCK_EX | LOCK_NB) == 0)
        lock->held = true;
    else if (errno != EWOULDBLOCK)
        status = ebm_fail(EBM_ERROR_IO, "%s cannot be locked: %m", path);
    if (!lock->held) compare_lock_release(lock);
    free(path);
    return status;
}

void compare_lock_release(compare_lock *lock)
{
    if (lock->descriptor >= 0) close(lock->descriptor);
    *lock = (compare_lock){false, -1};
}
