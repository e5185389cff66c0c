/* fuzz.h — for the targets: each is one parser, given any bytes. A target checks more than "no crash": what was read is written and read again, and must be the same.
 *
 * Under clang's libFuzzer (FRZ_FUZZ) a target is a fuzzer; elsewhere standalone.c runs it over files, so that each corpus is a regression test. */
#ifndef FRZ_FUZZ_H
#define FRZ_FUZZ_H
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/coding.h"
#include "base/hash.h"
#include "base/status.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A broken promise: said, then abort, in every build. */
#define FUZZ_CHECK(x)                                                                                                                      \
    do {                                                                                                                                   \
        if (!(x)) {                                                                                                                        \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #x);                                                                        \
            abort();                                                                                                                       \
        }                                                                                                                                  \
    } while (0)
/* An error has a code that is one, and a message. */
static inline void fuzz_check_error(int rc, const frz_error *err)
{
    if (rc >= 0) return;
    FUZZ_CHECK(rc != FRZ_BUG);
    FUZZ_CHECK(err->code == rc);
    FUZZ_CHECK(err->message[0]);
}
/* A copy of its own size, so that a byte too far is seen. Freed by the target. */
static inline uint8_t *fuzz_copy(const uint8_t *data, size_t size)
{
    uint8_t *p = (uint8_t *)malloc(size ? size : 1);
    FUZZ_CHECK(p);
    if (size) memcpy(p, data, size);
    return p;
}
#endif
