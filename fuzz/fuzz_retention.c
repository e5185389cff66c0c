/* fuzz_retention.c — a retention ladder's text: what is one is printed and read again; and on snapshots of many times it keeps what its header promises. */
#include "fuzz.h"

#include "base/rand.h"
#include "iceberg/ice_retention.h"

#define SNAPSHOTS 64

static void read_again(const struct ice_retention *r)
{
    char text[ICE_RUNGS_MAX * 48];
    size_t n = 0;
    struct ice_retention again;
    frz_error err = {0};
    for (size_t i = 0; i < r->count; i++) {
        const struct ice_rung *x = &r->rungs[i];
        const char *comma = i ? ", " : "";
        if (x->width_ms) n += (size_t)snprintf(text + n, sizeof text - n, "%s%llds:%lld", comma, (long long)(x->width_ms / 1000), (long long)x->count);
        else n += (size_t)snprintf(text + n, sizeof text - n, "%sall:%lld", comma, (long long)x->count);
    }
    FUZZ_CHECK(frz__ice_retention_parse(slice_of(text, n), &again, &err) == FRZ_OK);
    FUZZ_CHECK(again.count == r->count);
    for (size_t i = 0; i < r->count; i++) FUZZ_CHECK(again.rungs[i].width_ms == r->rungs[i].width_ms && again.rungs[i].count == r->rungs[i].count);
}

static void keeps(const struct ice_retention *r, uint64_t seed)
{
    struct rng rng = {seed};
    int64_t times[SNAPSHOTS], left[SNAPSHOTS], step = (int64_t)1 << rng_below(&rng, 40), now = (int64_t)1700000000000;
    bool keep[SNAPSHOTS] = {0}, again[SNAPSHOTS] = {0};
    size_t kept = 0;
    for (size_t i = 0; i < SNAPSHOTS; i++) {
        times[i] = now;
        now -= (int64_t)rng_below(&rng, (uint64_t)step);
    }
    frz__ice_retention_mark(r, times, SNAPSHOTS, keep);
    FUZZ_CHECK(keep[0]); /* the newest */
    for (size_t i = 0; i < SNAPSHOTS; i++)
        if (keep[i]) left[kept++] = times[i];
    FUZZ_CHECK((int64_t)kept <= frz__ice_retention_max(r));
    frz__ice_retention_mark(r, left, kept, again); /* what is left stays */
    for (size_t i = 0; i < kept; i++) FUZZ_CHECK(again[i]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t *bytes = fuzz_copy(data, size);
    struct ice_retention r;
    frz_error err = {0};
    int rc = frz__ice_retention_parse(slice_of(bytes, size), &r, &err);
    fuzz_check_error(rc, &err);
    if (rc == FRZ_OK) {
        FUZZ_CHECK(r.count >= 1 && r.count <= ICE_RUNGS_MAX);
        for (size_t i = 0; i < r.count; i++) {
            FUZZ_CHECK(r.rungs[i].count >= 1 && r.rungs[i].width_ms >= 0);
            FUZZ_CHECK(i == 0 || r.rungs[i].width_ms > r.rungs[i - 1].width_ms);
        }
        read_again(&r);
        keeps(&r, frz__hash64(slice_of(bytes, size)));
    }
    free(bytes);
    return 0;
}
