#include "CDigests.h"
#include "md5_rounds.h"

#include <pthread.h>
#include <string.h>
#include <time.h>

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

static inline uint32_t word_at(const uint8_t *bytes) {
    return (uint32_t)bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 | (uint32_t)bytes[3] << 24;
}

static void advance_scalar(uint32_t *const *states, const uint8_t *const *data, unsigned lanes, size_t blocks) {
    (void)lanes;
    uint32_t *state = states[0];
    const uint8_t *source = data[0];
    uint32_t a = state[0], b = state[1], c = state[2], d = state[3];
    for (size_t block = 0; block < blocks; block++, source += 64) {
        uint32_t message[16];
        for (int i = 0; i < 16; i++)
            message[i] = word_at(source + 4 * i);
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

// Two streams step by step in turn: while one waits for its own step before, the other's runs. The words of the
// messages stay in memory, since the registers are needed for the states.
#undef STEP
#define HALF_STEP(function, a, b, c, d, source, word, rotation, constant) \
    a += word_at(source + 4 * word) + (uint32_t)constant;                 \
    PIN(a);                                                               \
    ADD_##function(a, b, c, d);                                           \
    a = ((a << rotation) | (a >> (32 - rotation))) + b
#define STEP(function, a, b, c, d, word, rotation, constant)                         \
    HALF_STEP(function, a, b, c, d, source, word, rotation, constant);               \
    HALF_STEP(function, a##2, b##2, c##2, d##2, source2, word, rotation, constant)

static void advance_scalar_2(uint32_t *const *states, const uint8_t *const *data, unsigned lanes, size_t blocks) {
    if (lanes < 2)
        return advance_scalar(states, data, lanes, blocks);
    uint32_t *state = states[0], *state2 = states[1];
    const uint8_t *source = data[0], *source2 = data[1];
    uint32_t a = state[0], b = state[1], c = state[2], d = state[3];
    uint32_t a2 = state2[0], b2 = state2[1], c2 = state2[2], d2 = state2[3];
    for (size_t block = 0; block < blocks; block++, source += 64, source2 += 64) {
        uint32_t before[8] = {a, b, c, d, a2, b2, c2, d2};
        MD5_ROUNDS
        a += before[0];
        b += before[1];
        c += before[2];
        d += before[3];
        a2 += before[4];
        b2 += before[5];
        c2 += before[6];
        d2 += before[7];
    }
    state[0] = a;
    state[1] = b;
    state[2] = c;
    state[3] = d;
    state2[0] = a2;
    state2[1] = b2;
    state2[2] = c2;
    state2[3] = d2;
}

#if defined(__x86_64__)

#undef STEP
#define STEP(function, a, b, c, d, word, rotation, constant) \
    a += message[word] + (uint32_t)constant;                 \
    PIN(a);                                                  \
    ADD_##function(a, b, c, d);                              \
    a = ((a << rotation) | (a >> (32 - rotation))) + b
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
    case CAIRN_MD5_SCALAR_2: return 2;
    case CAIRN_MD5_SSE2_4: return 4;
    case CAIRN_MD5_AVX2_8: return __builtin_cpu_supports("avx2") ? 8 : 0;
    case CAIRN_MD5_AVX512_4: return has_avx512 ? 4 : 0;
    case CAIRN_MD5_AVX512_8: return has_avx512 ? 8 : 0;
    case CAIRN_MD5_AVX512_16: return has_avx512 ? 16 : 0;
    }
    return 0;
}

void cairn_md5_advance(
    cairn_md5_kernel kernel, uint32_t *const *states, const uint8_t *const *data, unsigned lanes, size_t blocks
) {
    switch (kernel) {
    case CAIRN_MD5_SCALAR: return advance_scalar(states, data, lanes, blocks);
    case CAIRN_MD5_SCALAR_2: return advance_scalar_2(states, data, lanes, blocks);
    case CAIRN_MD5_SSE2_4: return advance_sse2_4(states, data, lanes, blocks);
    case CAIRN_MD5_AVX2_8: return advance_avx2_8(states, data, lanes, blocks);
    case CAIRN_MD5_AVX512_4: return advance_avx512_4(states, data, lanes, blocks);
    case CAIRN_MD5_AVX512_8: return advance_avx512_8(states, data, lanes, blocks);
    case CAIRN_MD5_AVX512_16: return advance_avx512_16(states, data, lanes, blocks);
    }
}

#else

unsigned cairn_md5_width(cairn_md5_kernel kernel) {
    return kernel == CAIRN_MD5_SCALAR ? 1 : kernel == CAIRN_MD5_SCALAR_2 ? 2 : 0;
}

void cairn_md5_advance(
    cairn_md5_kernel kernel, uint32_t *const *states, const uint8_t *const *data, unsigned lanes, size_t blocks
) {
    if (kernel == CAIRN_MD5_SCALAR_2)
        return advance_scalar_2(states, data, lanes, blocks);
    advance_scalar(states, data, lanes, blocks);
}

#endif

// Which kernel is fastest depends on more than the instructions a processor has: a vector operation takes one cycle on
// Zen 4 and two on Zen 5, where a lone stream is hashed twice as fast without vectors. So each is tried once, for half
// a millisecond in all. The choice changes no result.
#define TRIAL_BLOCKS 32
#define TRIALS 8

static pthread_once_t chosen_once = PTHREAD_ONCE_INIT;
static cairn_md5_kernel chosen[CAIRN_MD5_LANES + 1];

static uint64_t nanoseconds(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_nsec;
}

// The shortest of some tries: others may need the processor meanwhile.
static uint64_t shortest_trial(cairn_md5_kernel kernel, const uint8_t *bytes) {
    uint32_t words[CAIRN_MD5_LANES][4] = {{0}};
    uint32_t *states[CAIRN_MD5_LANES];
    const uint8_t *data[CAIRN_MD5_LANES];
    for (int lane = 0; lane < CAIRN_MD5_LANES; lane++) {
        states[lane] = words[lane];
        data[lane] = bytes;
    }
    uint64_t shortest = UINT64_MAX;
    for (int trial = 0; trial < TRIALS; trial++) {
        uint64_t start = nanoseconds();
        cairn_md5_advance(kernel, states, data, cairn_md5_width(kernel), TRIAL_BLOCKS);
        uint64_t taken = nanoseconds() - start;
        shortest = taken < shortest ? taken : shortest;
    }
    return shortest;
}

static void choose_kernels(void) {
    static const uint8_t bytes[TRIAL_BLOCKS * 64];
    double times[CAIRN_MD5_KERNEL_COUNT];
    for (int kernel = 0; kernel < CAIRN_MD5_KERNEL_COUNT; kernel++)
        if (cairn_md5_width((cairn_md5_kernel)kernel) > 0)
            times[kernel] = (double)shortest_trial((cairn_md5_kernel)kernel, bytes);
    for (unsigned lanes = 1; lanes <= CAIRN_MD5_LANES; lanes++) {
        double best = 0;
        for (int kernel = 0; kernel < CAIRN_MD5_KERNEL_COUNT; kernel++) {
            unsigned width = cairn_md5_width((cairn_md5_kernel)kernel);
            // A kernel takes as long for few lanes as for all of its own.
            unsigned used = lanes < width ? lanes : width;
            if (used == 0 || (best > 0 && times[kernel] / used >= best))
                continue;
            best = times[kernel] / used;
            chosen[lanes] = (cairn_md5_kernel)kernel;
        }
    }
}

cairn_md5_kernel cairn_md5_best_kernel(unsigned lanes) {
    pthread_once(&chosen_once, choose_kernels);
    return chosen[lanes < 1 ? 1 : lanes > CAIRN_MD5_LANES ? CAIRN_MD5_LANES : lanes];
}
