#include "frz_test.h"
#include "base/hash.h"
#include "base/rand.h"

#include <stdlib.h>
#include <string.h>

/* RFC 3720, B.4, and the check value of the catalogue of parametrised CRCs. */
TEST(crc32c, gives_the_published_values)
{
    uint8_t b[32];
    assert_int_equal(frz__crc32c(0, "123456789", 9), 0xE3069283u);
    memset(b, 0, 32);
    assert_int_equal(frz__crc32c(0, b, 32), 0x8A9136AAu);
    memset(b, 0xFF, 32);
    assert_int_equal(frz__crc32c(0, b, 32), 0x62A8AB43u);
    for (int i = 0; i < 32; i++) b[i] = (uint8_t)i;
    assert_int_equal(frz__crc32c(0, b, 32), 0x46DD794Eu);
    for (int i = 0; i < 32; i++) b[i] = (uint8_t)(31 - i);
    assert_int_equal(frz__crc32c(0, b, 32), 0x113FDB5Cu);
    assert_int_equal(frz__test_crc32c_portable(0, "123456789", 9), 0xE3069283u);
    assert_int_equal(frz__crc32c(0, NULL, 0), 0);
}

static uint32_t bit_by_bit(const uint8_t *p, size_t len)
{
    uint32_t s = ~0u;
    while (len--) {
        s ^= *p++;
        for (int i = 0; i < 8; i++) s = s >> 1 ^ (0x82F63B78u & -(s & 1));
    }
    return ~s;
}

TEST(crc32c, is_the_same_by_table_by_instruction_and_by_bits_at_every_length_around_its_lanes)
{
    enum { MAX = 40000 };
    uint8_t *b = malloc(MAX + 16);
    struct rng r = {test_seed(1)};
    for (int i = 0; i < MAX + 16; i++) b[i] = (uint8_t)rng_next(&r);
    for (size_t len = 0; len < 900; len++) {
        size_t off = len % 9;
        assert_int_equal(frz__crc32c(0, b + off, len), bit_by_bit(b + off, len));
        assert_int_equal(frz__test_crc32c_portable(0, b + off, len), bit_by_bit(b + off, len));
    }
    for (int i = 0; i < 300; i++) {
        size_t len = rng_below(&r, MAX), off = rng_below(&r, 16);
        assert_int_equal(frz__crc32c(7, b + off, len), frz__test_crc32c_portable(7, b + off, len));
    }
    assert_int_equal(frz__crc32c(0, b, MAX), bit_by_bit(b, MAX));
    free(b);
}

TEST(crc32c, goes_on_where_it_stopped)
{
    uint8_t b[20000];
    struct rng r = {test_seed(2)};
    for (size_t i = 0; i < sizeof b; i++) b[i] = (uint8_t)rng_next(&r);
    uint32_t whole = frz__crc32c(0, b, sizeof b);
    for (int i = 0; i < 50; i++) {
        size_t cut = rng_below(&r, sizeof b);
        assert_int_equal(frz__crc32c(frz__crc32c(0, b, cut), b + cut, sizeof b - cut), whole);
    }
}

/* ── CRC-32 ── */

TEST(crc32, gives_the_published_values)
{
    uint8_t b[256];
    assert_int_equal(frz__crc32(0, "123456789", 9), 0xCBF43926u);
    assert_int_equal(frz__crc32(0, NULL, 0), 0);
    memset(b, 0, sizeof b);
    assert_int_equal(frz__crc32(0, b, 32), 0x190A55ADu);
    memset(b, 'a', sizeof b);
    for (size_t n = 0; n <= sizeof b; n++) assert_int_equal(frz__crc32(0, b, n), frz__test_crc32_portable(0, b, n));
}

TEST(crc32, is_the_same_by_folding_and_by_zlib_at_every_length_and_place)
{
    enum { MAX = 70000 };
    uint8_t *b = malloc(MAX + 16);
    struct rng r = {test_seed(3)};
    for (int i = 0; i < MAX + 16; i++) b[i] = (uint8_t)rng_next(&r);
    for (size_t len = 0; len < 1200; len++) {
        size_t off = len % 17;
        assert_int_equal(frz__crc32((uint32_t)len * 77, b + off, len), frz__test_crc32_portable((uint32_t)len * 77, b + off, len));
    }
    for (int i = 0; i < 500; i++) {
        size_t len = rng_below(&r, MAX), off = rng_below(&r, 16), cut = rng_below(&r, len + 1);
        uint32_t seed = (uint32_t)rng_next(&r), whole = frz__crc32(seed, b + off, len);
        assert_int_equal(whole, frz__test_crc32_portable(seed, b + off, len));
        assert_int_equal(frz__crc32(frz__crc32(seed, b + off, cut), b + off + cut, len - cut), whole);
    }
    free(b);
}
