/* frz_test.h — a test is a claim: TEST(wal_reader, stops_at_torn_tail) { … }. Tests register themselves; each file is one program; cmocka's asserts.
 * Run one: ./test_x name-part. */
#ifndef FRZ_TEST_H
#define FRZ_TEST_H
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "base/status.h"

void frz_test_register(const char *group, const char *claim, void (*fn)(void **state));
#define TEST(group, claim)                                                                                                                 \
    static void test_##group##_##claim(void **state);                                                                                      \
    __attribute__((constructor)) static void register_##group##_##claim(void) { frz_test_register(#group, #claim, test_##group##_##claim); } \
    static void test_##group##_##claim(void **state __attribute__((unused)))

/* rc checks that print the message: OK(expr, &err) and FAILS(expr, FRZ_CORRUPT, &err). */
void frz_test_rc(int rc, int want, const frz_error *err, const char *expr, const char *file, int line);
#define OK(expr, err) frz_test_rc((expr), FRZ_OK, (err), #expr, __FILE__, __LINE__)
#define RC(expr, want, err) frz_test_rc((expr), (want), (err), #expr, __FILE__, __LINE__)
#define FAILS(expr, want, err)                                                                                                             \
    do {                                                                                                                                   \
        (err)->message[0] = 0;                                                                                                             \
        frz_test_rc((expr), (want), (err), #expr, __FILE__, __LINE__);                                                                     \
        assert_true((err)->message[0] != 0);                                                                                               \
    } while (0)
#define MESSAGE_HAS(err, text) assert_non_null(strstr((err)->message, (text)))

/* An allocator that counts, and fails the nth call: torture. live = blocks not yet freed. */
struct test_alloc { frz_allocator vt; long live, calls, fail_at; };
void test_alloc_init(struct test_alloc *t, long fail_at); /* 0 = never */
/* A fresh directory under the build's temporary place; removed with all in it by test_tmp_remove. NUL-terminated, static. */
const char *test_tmp_dir(const char *name);
void test_tmp_remove(const char *path);
/* The seed of a random test: FRZ_SEED, or DEFAULT; printed when a test fails. */
uint64_t test_seed(uint64_t def);
#endif
