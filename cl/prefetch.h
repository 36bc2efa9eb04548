// Asks for the cache line at a __global address that is needed soon. It may lie outside the buffer: nothing is read.
// PoCL's prefetch() does nothing, hence the instruction itself. LEVEL2: not into the first-level cache, which is full
// of what is needed now.
#define CACHE_LINE 16 // floats

#if defined(__x86_64__)
#define PREFETCH(address) __asm__ volatile("prefetcht0 %0" : : "m"(*(address)))
#define PREFETCH_LEVEL2(address) __asm__ volatile("prefetcht1 %0" : : "m"(*(address)))
#else
#define PREFETCH(address) prefetch(address, 1)
#define PREFETCH_LEVEL2(address) prefetch(address, 1)
#endif
