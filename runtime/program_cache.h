// Built programs on disk, for drivers that do not keep them themselves.
//
// Folder: $EBMCL_CACHE_DIR, else $XDG_CACHE_HOME/ebmcl, else ~/.cache/ebmcl. EBMCL_CACHE=on|off overrides the default,
// which is on except for PoCL and NVIDIA, whose drivers cache by themselves.
//
// File <key>.bin, all numbers little-endian as the host writes them:
//   offset 0    8 bytes   "EBMCLPRG"
//   offset 8    u32       format version (1)
//   offset 12   u32       length of the identity text
//   offset 16   u64       length of the binary
//   offset 24   u64       FNV-1a of identity and binary
//   offset 32   identity  platform, device, driver, options, a newline each, then the hash of the source
//   then        binary    as clGetProgramInfo gave it
// key: FNV-1a of the identity, in hex. A file that differs in anything is ignored and replaced: never fatal.
#ifndef EBM_PROGRAM_CACHE_H
#define EBM_PROGRAM_CACHE_H

#include "device_internal.h"

// A program to be built, or NULL when there is no good entry.
cl_program ebm_program_cache_load(const ebm_device *device, const char *source, const char *options);
// Stores a built program; failure is silent, it only costs the next start a compilation.
void ebm_program_cache_store(const ebm_device *device, const char *source, const char *options, cl_program program);

// The folder, where other things are kept too (tuning.h); false: no variable names one.
bool ebm_cache_folder(char *folder, size_t size);
uint64_t ebm_cache_key(const char *identity); // its FNV-1a
// Of all kernel files as programs are built from; of $EBMCL_KERNEL_DIR what can be read.
uint64_t ebm_program_sources_hash(void);

#endif
