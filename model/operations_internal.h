// What the files behind operations.h share.
#ifndef EBM_OPERATIONS_INTERNAL_H
#define EBM_OPERATIONS_INTERNAL_H

#include "launch.h"
#include "operations.h"

typedef struct {
    const char *name;
    ebm_slice slice;
    size_t elements; // at least
} ebm_operand;

// Every operand must hold its elements, and channels be a positive multiple of `multiple`: kernels do not check.
ebm_status ebm_operands_check(const char *operation, size_t channels, size_t multiple, const ebm_operand *operands,
                              size_t count);

#define EBM_OPERANDS(operation, channels, multiple, ...)                                                               \
    do {                                                                                                               \
        const ebm_operand operands_[] = {__VA_ARGS__};                                                                 \
        EBM_TRY(ebm_operands_check(operation, channels, multiple, operands_, sizeof operands_ / sizeof *operands_));   \
    } while (0)

// The six arguments DROPOUT_PARAMETERS of cl/rng.h; NULL: no dropout. A probability outside [0, 1) fails the launch.
void ebm_arg_dropout(ebm_launch *launch, const ebm_dropout *dropout, size_t channels);

// Work-groups side by side that cover all channels when each item takes a strip of blocks (STRIP of cl/lanes.h).
size_t ebm_strip_groups(const ebm_device *device, size_t channels);
// Slabs a sum over rows is cut into: rows of a slab suffice to make it worth a work-group.
size_t ebm_column_slabs(size_t rows);
// total (channels) += the sum of `slabs` rows of `stride` floats in scratch, from element `first` of each.
ebm_status ebm_add_slabs(ebm_device *device, ebm_slice total, ebm_slice scratch, size_t first, size_t stride,
                         size_t slabs, size_t channels);

#endif
