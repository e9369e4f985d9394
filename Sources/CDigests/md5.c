#include "CDigests.h"
#include "md5_rounds.h"

#include <string.h>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

// A step waits for the one before only through b. Everything else is added to a beforehand; PIN keeps the compiler from
// adding it up in another order, which would make the chain of dependent operations longer (by a quarter, measured).
#define PIN(value) __asm__("" : "+r"(value))
#define STEP(function, a, b, c, d, word, rotation, constant)          \
    a += message[word] + (uint32_t)constant;                          \
    PIN(a);                                                           \
    ADD_##function(a, b, c, d);                                       \
    a = ((a << rotation) | (a >> (32 - rotation))) + b
#define ADD_F(a, b, c, d) a += (d) ^ ((b) & ((c) ^ (d)))
// The two terms have no bit in common: added one after the other, only the one with b waits.
#define ADD_G(a, b, c, d) a += (c) & ~(d); PIN(a); a += (b) & (d)
#define ADD_H(a, b, c, d) a += (b) ^ ((c) ^ (d))
#define ADD_I(a, b, c, d) a += (c) ^ ((b) | ~(d))

static void advance_scalar(uint32_t *const *states, const uint8_t *const *data, unsigned lanes, size_t blocks) {
    (void)lanes;
    uint32_t *state = states[0];
    const uint8_t *source = data[0];
    uint32_t a = state[0], b = state[1], c = state[2], d = state[3];
    for (size_t block = 0; block < blocks; block++, source += 64) {
        uint32_t message[16];
        for (int i = 0; i < 16; i++)
            message[i] = (uint32_t)source[4 * i] | (uint32_t)source[4 * i + 1] << 8
                | (uint32_t)source[4 * i + 2] << 16 | (uint32_t)source[4 * i + 3] << 24;
        uint32_t a0 = a, b0 = b, c0 = c, d0 = d;
        MD5_ROUNDS
        a += a0;
        b += b0;
        c += c0;
        d += d0;
    }
    state[0] = a;
    state[1] = b;
    state[2] = c;
    state[3] = d;
}

#if defined(__x86_64__)

#undef PIN
#define PIN(value) __asm__("" : "+v"(value))

#define LOAD_16(j, lane) _mm_loadu_si128((const __m128i *)(source[lane] + 16 * (j)))
#define LOAD_32(j, lane) _mm256_inserti128_si256(_mm256_castsi128_si256(LOAD_16(j, lane)), LOAD_16(j, lane + 4), 1)
#define LOAD_64(j, lane) _mm512_inserti64x4(_mm512_castsi256_si512(LOAD_32(j, lane)), LOAD_32(j, lane + 8), 1)

#define KERNEL advance_sse2_4
#define TARGET "sse2"
#define WIDTH 4
#define VECTOR __m128i
#define LOAD LOAD_16
#define UNPACK_LOW_32 _mm_unpacklo_epi32
#define UNPACK_HIGH_32 _mm_unpackhi_epi32
#define UNPACK_LOW_64 _mm_unpacklo_epi64
#define UNPACK_HIGH_64 _mm_unpackhi_epi64
#include "md5_kernel.h"

#define KERNEL advance_avx2_8
#define TARGET "avx2"
#define WIDTH 8
#define VECTOR __m256i
#define LOAD LOAD_32
#define UNPACK_LOW_32 _mm256_unpacklo_epi32
#define UNPACK_HIGH_32 _mm256_unpackhi_epi32
#define UNPACK_LOW_64 _mm256_unpacklo_epi64
#define UNPACK_HIGH_64 _mm256_unpackhi_epi64
#include "md5_kernel.h"

// AVX-512 rotates, and computes any function of three operands, in one instruction, at the narrow widths as well.
#undef ADD_G
#define ADD_G(a, b, c, d) a += (c) ^ ((d) & ((b) ^ (c)))

#define KERNEL advance_avx512_4
#define TARGET "avx512f,avx512vl"
#define WIDTH 4
#define VECTOR __m128i
#define LOAD LOAD_16
#define UNPACK_LOW_32 _mm_unpacklo_epi32
#define UNPACK_HIGH_32 _mm_unpackhi_epi32
#define UNPACK_LOW_64 _mm_unpacklo_epi64
#define UNPACK_HIGH_64 _mm_unpackhi_epi64
#include "md5_kernel.h"

#define KERNEL advance_avx512_8
#define TARGET "avx512f,avx512vl"
#define WIDTH 8
#define VECTOR __m256i
#define LOAD LOAD_32
#define UNPACK_LOW_32 _mm256_unpacklo_epi32
#define UNPACK_HIGH_32 _mm256_unpackhi_epi32
#define UNPACK_LOW_64 _mm256_unpacklo_epi64
#define UNPACK_HIGH_64 _mm256_unpackhi_epi64
#include "md5_kernel.h"

#define KERNEL advance_avx512_16
#define TARGET "avx512f,avx512vl"
#define WIDTH 16
#define VECTOR __m512i
#define LOAD LOAD_64
#define UNPACK_LOW_32 _mm512_unpacklo_epi32
#define UNPACK_HIGH_32 _mm512_unpackhi_epi32
#define UNPACK_LOW_64 _mm512_unpacklo_epi64
#define UNPACK_HIGH_64 _mm512_unpackhi_epi64
#include "md5_kernel.h"

unsigned cairn_md5_width(cairn_md5_kernel kernel) {
    int has_avx512 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl");
    switch (kernel) {
    case CAIRN_MD5_SCALAR: return 1;
    case CAIRN_MD5_SSE2_4: return 4;
    case CAIRN_MD5_AVX2_8: return __builtin_cpu_supports("avx2") ? 8 : 0;
    case CAIRN_MD5_AVX512_4: return has_avx512 ? 4 : 0;
    case CAIRN_MD5_AVX512_8: return has_avx512 ? 8 : 0;
    case CAIRN_MD5_AVX512_16: return has_avx512 ? 16 : 0;
    }
    return 0;
}

cairn_md5_kernel cairn_md5_best_kernel(unsigned lanes) {
    if (cairn_md5_width(CAIRN_MD5_AVX512_16) != 0)
        return lanes <= 4 ? CAIRN_MD5_AVX512_4 : lanes <= 8 ? CAIRN_MD5_AVX512_8 : CAIRN_MD5_AVX512_16;
    if (lanes <= 1)
        return CAIRN_MD5_SCALAR;
    return cairn_md5_width(CAIRN_MD5_AVX2_8) != 0 ? CAIRN_MD5_AVX2_8 : CAIRN_MD5_SSE2_4;
}

void cairn_md5_advance(
    cairn_md5_kernel kernel, uint32_t *const *states, const uint8_t *const *data, unsigned lanes, size_t blocks
) {
    switch (kernel) {
    case CAIRN_MD5_SCALAR: return advance_scalar(states, data, lanes, blocks);
    case CAIRN_MD5_SSE2_4: return advance_sse2_4(states, data, lanes, blocks);
    case CAIRN_MD5_AVX2_8: return advance_avx2_8(states, data, lanes, blocks);
    case CAIRN_MD5_AVX512_4: return advance_avx512_4(states, data, lanes, blocks);
    case CAIRN_MD5_AVX512_8: return advance_avx512_8(states, data, lanes, blocks);
    case CAIRN_MD5_AVX512_16: return advance_avx512_16(states, data, lanes, blocks);
    }
}

#else

unsigned cairn_md5_width(cairn_md5_kernel kernel) { return kernel == CAIRN_MD5_SCALAR ? 1 : 0; }

cairn_md5_kernel cairn_md5_best_kernel(unsigned lanes) {
    (void)lanes;
    return CAIRN_MD5_SCALAR;
}

void cairn_md5_advance(
    cairn_md5_kernel kernel, uint32_t *const *states, const uint8_t *const *data, unsigned lanes, size_t blocks
) {
    (void)kernel;
    advance_scalar(states, data, lanes, blocks);
}

#endif
