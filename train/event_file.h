// TensorBoard's event files: scalars over steps, as `tensorboard --logdir` reads them.
//
//     EBM_TRY(ebm_event_file_create("runs/events.out.tfevents.1700000000.ebmcl", now));
//     EBM_TRY(ebm_event_file_append(path, now, 50, (ebm_scalar[]){{"train/loss", 0.61}}, 1));
//     EBM_TRY(ebm_event_file_cut(path, 40)); // back to step 40: what came later, or was cut short, goes
//
// TFRecords: length (8 bytes), its masked CRC-32C (4), the record, its masked CRC-32C (4), all little-endian; a record
// is an Event in protocol buffers' encoding (tensorflow/core/util/event.proto): wall_time = 1, step = 2, file_version =
// 3
// ("brain.Event:2", the first record), summary = 5 of values with tag = 1 and simple_value = 2, a float.
#ifndef EBM_EVENT_FILE_H
#define EBM_EVENT_FILE_H

#include <stddef.h>
#include <stdint.h>

#include "status.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
    const char *tag;
    double value; // kept as a float
} ebm_scalar;

// wall_time: seconds since 1970. A file that is there already is replaced.
ebm_status ebm_event_file_create(const char *path, double wall_time);
// One event at the end of the file.
ebm_status ebm_event_file_append(const char *path, double wall_time, int64_t step, const ebm_scalar *scalars,
                                 size_t count);
// Leaves records up to the first that is not whole or whose checksum is wrong, without events of steps after
// `last_step`.
ebm_status ebm_event_file_cut(const char *path, int64_t last_step);

// CRC-32C (Castagnoli; RFC 3720, appendix B.4), and as TFRecords mask it.
uint32_t ebm_crc32c(const void *bytes, size_t size);
uint32_t ebm_crc32c_masked(const void *bytes, size_t size);

#ifdef __cplusplus
}
#endif
#endif
