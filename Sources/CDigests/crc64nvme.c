#include "CDigests.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

// The polynomial 0xAD93D23594C93659 with its bits reversed: bit i is the coefficient of x^(63-i).
#define POLYNOMIAL UINT64_C(0x9A6C9329AC4BC9B5)

// Row r holds what a byte contributes after r more bytes have followed it, so that eight bytes cost eight look-ups that
// do not wait for each other.
static uint64_t table[8][256];

__attribute__((constructor)) static void fill_table(void) {
    for (int byte = 0; byte < 256; byte++) {
        uint64_t value = (uint64_t)byte;
        for (int bit = 0; bit < 8; bit++)
            value = value & 1 ? value >> 1 ^ POLYNOMIAL : value >> 1;
        table[0][byte] = value;
    }
    for (int row = 1; row < 8; row++)
        for (int byte = 0; byte < 256; byte++) {
            uint64_t before = table[row - 1][byte];
            table[row][byte] = before >> 8 ^ table[0][before & 255];
        }
}

static uint64_t load64(const uint8_t *bytes) {
    uint64_t value = 0;
    for (int i = 7; i >= 0; i--)
        value = value << 8 | bytes[i];
    return value;
}

/// Advances the raw register (no inversions).
static uint64_t advance(uint64_t state, const uint8_t *bytes, size_t count) {
    for (; count >= 8; bytes += 8, count -= 8) {
        uint64_t word = state ^ load64(bytes);
        state = 0;
        for (int i = 0; i < 8; i++)
            state ^= table[7 - i][word >> 8 * i & 255];
    }
    for (; count > 0; bytes++, count--)
        state = state >> 8 ^ table[0][(state ^ *bytes) & 255];
    return state;
}

uint64_t cairn_crc64nvme_portable(uint64_t crc, const void *bytes, size_t count) {
    return ~advance(~crc, bytes, count);
}

#if defined(__x86_64__)

// Folding (V. Gopal et al., Fast CRC Computation for Generic Polynomials Using PCLMULQDQ, Intel 2009): a 16-byte lane
// is moved D bits further down the message by multiplying its halves with x^(D+63) and x^(D-1) modulo the polynomial
// (bit-reversed; the product of two reversed words carries one factor x too many, hence D - 1).
#define LANES 8
#define LANE_BYTES 16

__attribute__((target("pclmul,sse2"))) static inline __m128i fold(__m128i lane, __m128i constants, __m128i next) {
    __m128i low = _mm_clmulepi64_si128(lane, constants, 0x00);
    __m128i high = _mm_clmulepi64_si128(lane, constants, 0x11);
    return _mm_xor_si128(next, _mm_xor_si128(low, high));
}

/// Needs `count` ≥ LANES * LANE_BYTES.
__attribute__((target("pclmul,sse2"))) static uint64_t advance_folding(
    uint64_t state, const uint8_t *bytes, size_t count
) {
    const __m128i by_all_lanes = _mm_set_epi64x(0x5f852fb61e8d92dc, (long long)0xa1ca681e733f9c40);  // D = 1,024
    const __m128i by_one_lane = _mm_set_epi64x(0x21e9761e252621ac, (long long)0xeadc41fd2ba3d420);   // D = 128
    const size_t step = LANES * LANE_BYTES;
    __m128i lane[LANES];
    for (int i = 0; i < LANES; i++)
        lane[i] = _mm_loadu_si128((const __m128i *)(bytes + i * LANE_BYTES));
    lane[0] = _mm_xor_si128(lane[0], _mm_cvtsi64_si128((long long)state));
    for (bytes += step, count -= step; count >= step; bytes += step, count -= step)
        for (int i = 0; i < LANES; i++)
            lane[i] = fold(lane[i], by_all_lanes, _mm_loadu_si128((const __m128i *)(bytes + i * LANE_BYTES)));
    __m128i folded = lane[0];
    for (int i = 1; i < LANES; i++)
        folded = fold(folded, by_one_lane, lane[i]);
    for (; count >= LANE_BYTES; bytes += LANE_BYTES, count -= LANE_BYTES)
        folded = fold(folded, by_one_lane, _mm_loadu_si128((const __m128i *)bytes));
    // What is folded is congruent with all that came before: its remainder is the register.
    uint8_t rest[LANE_BYTES];
    _mm_storeu_si128((__m128i *)rest, folded);
    return advance(advance(0, rest, LANE_BYTES), bytes, count);
}

uint64_t cairn_crc64nvme(uint64_t crc, const void *bytes, size_t count) {
    if (count >= LANES * LANE_BYTES && __builtin_cpu_supports("pclmul"))
        return ~advance_folding(~crc, bytes, count);
    return cairn_crc64nvme_portable(crc, bytes, count);
}

#else

uint64_t cairn_crc64nvme(uint64_t crc, const void *bytes, size_t count) {
    return cairn_crc64nvme_portable(crc, bytes, count);
}

#endif
