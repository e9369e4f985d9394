#ifndef CAIRN_CDIGESTS_H
#define CAIRN_CDIGESTS_H

#include <stddef.h>
#include <stdint.h>

// CRC-64/NVME: reflected, polynomial 0xAD93D23594C93659, initial value and final XOR all ones.
// Known answer: "123456789" gives 0xAE8B14860A799888.
// `crc` is the checksum of what came before, 0 at the start.

/// By carry-less multiplication where the processor has it, else by tables.
uint64_t cairn_crc64nvme(uint64_t crc, const void *bytes, size_t count);

/// By tables alone: what machines without carry-less multiplication run, and what tests compare with.
uint64_t cairn_crc64nvme_portable(uint64_t crc, const void *bytes, size_t count);

/// Ways to run the MD5 compression function (RFC 1321 §3.4). The wide ones run as many streams side by side as the
/// number says, for little more than the time of one: MD5 is a single chain of dependent steps, a core is mostly idle
/// in it.
typedef enum {
    CAIRN_MD5_SCALAR = 0,
    CAIRN_MD5_SCALAR_2 = 1,
    CAIRN_MD5_SSE2_4 = 2,
    CAIRN_MD5_AVX2_8 = 3,
    CAIRN_MD5_AVX512_4 = 4,
    CAIRN_MD5_AVX512_8 = 5,
    CAIRN_MD5_AVX512_16 = 6,
} cairn_md5_kernel;

#define CAIRN_MD5_KERNEL_COUNT 7
/// The most streams of one call.
#define CAIRN_MD5_LANES 16

/// The streams that the kernel runs side by side; 0 when this processor cannot run it.
unsigned cairn_md5_width(cairn_md5_kernel kernel);

/// The kernel that is fastest on this processor for so many streams, as the first call has found by trying each for
/// a moment. Any thread may call it.
cairn_md5_kernel cairn_md5_best_kernel(unsigned lanes);

/// Advances the state of every stream (`lanes` of them, four words each) over `blocks` blocks of 64 bytes at its
/// `data`. No two lanes may share a state. `lanes` is 1 ... the kernel's width.
void cairn_md5_advance(
    cairn_md5_kernel kernel, uint32_t *const *states, const uint8_t *const *data, unsigned lanes, size_t blocks
);

#endif
