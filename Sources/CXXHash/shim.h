#include <xxhash.h>
#if defined(__x86_64__)
// Chooses AVX2 or AVX-512 at run time; plain XXH3 of a distribution's build is SSE2.
#include <xxh_x86dispatch.h>
#endif
