// One wide MD5 kernel; included once per width and instruction set. The includer defines KERNEL (the function's name),
// TARGET (its instruction set), WIDTH (lanes), VECTOR (as many 32-bit words), LOAD(j, i) (words 4j ... 4j+3 of lanes
// i, i+4, i+8 ...) and UNPACK_{LOW,HIGH}_{32,64} (interleave within each 16 bytes).

__attribute__((target(TARGET))) static void KERNEL(
    uint32_t *const *states, const uint8_t *const *data, unsigned lanes, size_t blocks
) {
    const uint8_t *source[WIDTH];
    uint32_t register_words[4][WIDTH] __attribute__((aligned(64)));
    for (unsigned lane = 0; lane < WIDTH; lane++) {
        // Lanes without a stream repeat the first one; their results are dropped.
        unsigned stream = lane < lanes ? lane : 0;
        source[lane] = data[stream];
        for (int i = 0; i < 4; i++)
            register_words[i][lane] = states[stream][i];
    }
    typedef uint32_t words __attribute__((vector_size(WIDTH * 4)));
    words a, b, c, d;
    memcpy(&a, register_words[0], sizeof a);
    memcpy(&b, register_words[1], sizeof b);
    memcpy(&c, register_words[2], sizeof c);
    memcpy(&d, register_words[3], sizeof d);
    for (size_t block = 0; block < blocks; block++) {
        words message[16];
        for (int j = 0; j < 4; j++) {
            // A 4 × 4 transposition within each 16 bytes: word by word, all lanes of a word together.
            VECTOR row0 = LOAD(j, 0), row1 = LOAD(j, 1), row2 = LOAD(j, 2), row3 = LOAD(j, 3);
            VECTOR low01 = UNPACK_LOW_32(row0, row1), high01 = UNPACK_HIGH_32(row0, row1);
            VECTOR low23 = UNPACK_LOW_32(row2, row3), high23 = UNPACK_HIGH_32(row2, row3);
            message[4 * j] = (words)UNPACK_LOW_64(low01, low23);
            message[4 * j + 1] = (words)UNPACK_HIGH_64(low01, low23);
            message[4 * j + 2] = (words)UNPACK_LOW_64(high01, high23);
            message[4 * j + 3] = (words)UNPACK_HIGH_64(high01, high23);
        }
        for (unsigned lane = 0; lane < WIDTH; lane++)
            source[lane] += 64;
        words a0 = a, b0 = b, c0 = c, d0 = d;
        MD5_ROUNDS
        a += a0;
        b += b0;
        c += c0;
        d += d0;
    }
    memcpy(register_words[0], &a, sizeof a);
    memcpy(register_words[1], &b, sizeof b);
    memcpy(register_words[2], &c, sizeof c);
    memcpy(register_words[3], &d, sizeof d);
    for (unsigned lane = 0; lane < lanes; lane++)
        for (int i = 0; i < 4; i++)
            states[lane][i] = register_words[i][lane];
}

#undef KERNEL
#undef TARGET
#undef WIDTH
#undef VECTOR
#undef LOAD
#undef UNPACK_LOW_32
#undef UNPACK_HIGH_32
#undef UNPACK_LOW_64
#undef UNPACK_HIGH_64
