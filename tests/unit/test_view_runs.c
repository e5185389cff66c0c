/* Goal: runs are disjoint, sorted, and as few as can be, whatever levels files say that they are of. Method: random intervals beside a count of the deepest overlap; views over files made up here. */
#include <stdlib.h>
#include "frz_test.h"
#include "base/coding.h"
#include "base/rand.h"
#include "view/runs.h"

static frz_error err;

#define FILES_MAX 200
struct fake { struct sst sst; uint8_t keys[2][4]; };

static void fake_init(struct fake *f, uint32_t first, uint32_t last, uint64_t rows)
{
    memset(f, 0, sizeof *f);
    store_u32_be(f->keys[0], first);
    store_u32_be(f->keys[1], last);
    atomic_init(&f->sst.refs, 1u << 20); /* never freed */
    f->sst.rows = rows;
    f->sst.sorted = true;
    static char path[] = "fake";
    f->sst.path = path;
    f->sst.first_key = slice_of(f->keys[0], rows ? 4 : 0);
    f->sst.last_key = slice_of(f->keys[1], rows ? 4 : 0);
}

static struct view *view_of(struct fake *fakes, size_t n, struct mask *mask_of_first)
{
    frz_schema *s = NULL;
    struct vfile *files[FILES_MAX];
    struct view *v = NULL;
    OK(frz__schema_parse_text(NULL, slice_str("id int"), slice_str("id"), &s, &err), &err);
    OK(frz__schema_seal(s, true, &err), &err);
    for (size_t i = 0; i < n; i++)
        OK(frz__vfile_new(NULL, &fakes[i].sst, i == 0 ? mask_of_first : NULL, slice_str("file:///x"), -1, 1, 100, &files[i], &err), &err);
    OK(frz__view_new(NULL, s, NULL, 0, files, n, 7, -1, &v, &err), &err);
    for (size_t i = 0; i < n; i++) frz__vfile_release(files[i]);
    frz__schema_release(s);
    return v;
}

static size_t deepest(const struct fake *f, size_t n)
{
    size_t best = 0;
    for (size_t i = 0; i < n; i++) { /* depth at each first key */
        size_t depth = 0;
        for (size_t k = 0; k < n; k++)
            depth += f[i].sst.rows && f[k].sst.rows && slice_cmp(f[k].sst.first_key, f[i].sst.first_key) <= 0 && slice_cmp(f[i].sst.first_key, f[k].sst.last_key) <= 0;
        if (depth > best) best = depth;
    }
    return best;
}

TEST(view_runs, hazard_15_levels_are_hints_and_runs_come_from_exact_bounds)
{
    static struct fake f[FILES_MAX];
    struct rng r = {test_seed(15)};
    for (int round = 0; round < 200; round++) {
        size_t n = rng_below(&r, round < 150 ? 12 : FILES_MAX);
        uint32_t space = (uint32_t[]){10, 100, 100000}[round % 3];
        for (size_t i = 0; i < n; i++) {
            uint32_t a = (uint32_t)rng_below(&r, space), len = (uint32_t)rng_below(&r, 1 + space / (1 + rng_below(&r, 20)));
            fake_init(&f[i], a, a + len, rng_below(&r, 10) ? 5 : 0);
            f[i].sst.level_hint = (uint8_t)rng_below(&r, 4); /* what a file says of itself counts for nothing */
        }
        struct view *v = view_of(f, n, NULL);
        OK(frz__view_check(v, &err), &err);
        assert_int_equal(v->run_count, deepest(f, n));
        /* the same whatever the caches knew before */
        struct view *again = view_of(f, n, NULL);
        assert_int_equal(again->run_count, v->run_count);
        assert_memory_equal(again->by_key, v->by_key, sizeof *v->by_key * n);
        frz__view_release(again);
        frz__view_release(v);
    }
}

TEST(view_runs, files_that_touch_in_one_key_are_not_disjoint)
{
    static struct fake f[2];
    fake_init(&f[0], 1, 10, 5);
    fake_init(&f[1], 10, 20, 5);
    struct view *v = view_of(f, 2, NULL);
    assert_int_equal(v->run_count, 2);
    frz__view_release(v);
    fake_init(&f[1], 11, 20, 5);
    v = view_of(f, 2, NULL);
    assert_int_equal(v->run_count, 1);
    assert_int_equal(v->rows, 10);
    frz__view_release(v);
}

TEST(view_runs, a_foreign_file_is_a_run_of_its_own)
{
    static struct fake f[4];
    for (int i = 0; i < 4; i++) fake_init(&f[i], (uint32_t)i * 10, (uint32_t)i * 10 + 5, 5);
    f[1].sst.sorted = f[3].sst.sorted = false;
    f[1].sst.first_key = f[1].sst.last_key = f[3].sst.first_key = f[3].sst.last_key = slice_of("", 0);
    struct view *v = view_of(f, 4, NULL);
    OK(frz__view_check(v, &err), &err);
    assert_int_equal(v->run_count, 3);
    assert_int_equal(v->runs[0].count, 2);
    frz__view_release(v);
}

TEST(view_check, hazard_15_finds_what_is_not_disjoint_lost_or_counted_wrong)
{
    static struct fake f[3];
    for (int i = 0; i < 3; i++) fake_init(&f[i], (uint32_t)i * 10, (uint32_t)i * 10 + 5, 5);
    struct view *v = view_of(f, 3, NULL);
    OK(frz__view_check(v, &err), &err);
    uint32_t t = v->by_key[0];
    v->by_key[0] = v->by_key[1];
    FAILS(frz__view_check(v, &err), FRZ_BUG, &err); /* one twice */
    v->by_key[0] = t;
    store_u32_be(f[0].keys[1], 12);
    FAILS(frz__view_check(v, &err), FRZ_BUG, &err);
    MESSAGE_HAS(&err, "disjoint");
    store_u32_be(f[0].keys[1], 5);
    v->rows++;
    FAILS(frz__view_check(v, &err), FRZ_BUG, &err);
    v->rows--;
    v->runs[0].count = 2;
    FAILS(frz__view_check(v, &err), FRZ_BUG, &err); /* a file in no run */
    v->runs[0].count = 3;
    OK(frz__view_check(v, &err), &err);
    frz__view_release(v);

    struct mask *m = NULL;
    uint64_t beyond = 5;
    OK(frz__mask_add(NULL, NULL, &beyond, 1, &m, &err), &err);
    v = view_of(f, 3, m);
    assert_int_equal(v->rows, 14);
    FAILS(frz__view_check(v, &err), FRZ_BUG, &err);
    MESSAGE_HAS(&err, "mask");
    frz__view_release(v);
}

TEST(view, survives_every_failed_allocation)
{
    static struct fake f[3];
    for (int i = 0; i < 3; i++) fake_init(&f[i], (uint32_t)i * 10, (uint32_t)i * 10 + 15, 5);
    frz_schema *s = NULL;
    OK(frz__schema_parse_text(NULL, slice_str("id int"), slice_str("id"), &s, &err), &err);
    OK(frz__schema_seal(s, true, &err), &err);
    for (long n = 1;; n++) {
        struct test_alloc t;
        test_alloc_init(&t, n);
        struct vfile *files[3] = {0};
        struct view *v = NULL;
        int rc = FRZ_OK;
        for (int i = 0; i < 3 && rc == FRZ_OK; i++) rc = frz__vfile_new(&t.vt, &f[i].sst, NULL, slice_str("file:///x"), -1, 1, 100, &files[i], &err);
        if (rc == FRZ_OK) rc = frz__view_new(&t.vt, s, NULL, 0, files, 3, 7, -1, &v, &err);
        if (rc < 0) assert_int_equal(rc, FRZ_NO_MEMORY);
        for (int i = 0; i < 3; i++) frz__vfile_release(files[i]);
        frz__view_release(v);
        assert_int_equal(t.live, 0);
        if (rc == FRZ_OK) break;
        assert_true(n < 100);
    }
    frz__schema_release(s);
}
