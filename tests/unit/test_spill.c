/* Goal    a row group that can't be cut yet takes no more memory than it may: what is beyond waits in a file, and the data file is the same.
 * Method  the same rows with and without such a place, byte by byte; memory counted; each call of the file system and each allocation made to fail. */
#include "sst_fixture.h"

#include <malloc.h>

#include "io/fs_fault.h"

#define SPILL "d/.tmp-spill-t.parquet"

/* ── memory, counted ── */

struct meter { frz_allocator vt; size_t now, peak; };
static void *meter_more(struct meter *m, void *p)
{
    m->now += p ? malloc_usable_size(p) : 0;
    if (m->now > m->peak) m->peak = m->now;
    return p;
}
static void *m_alloc(void *ctx, size_t bytes) { return meter_more((struct meter *)ctx, malloc(bytes)); }
static void m_free(void *ctx, void *p)
{
    ((struct meter *)ctx)->now -= p ? malloc_usable_size(p) : 0;
    free(p);
}
static void *m_realloc(void *ctx, void *p, size_t bytes)
{
    struct meter *m = (struct meter *)ctx;
    size_t before = p ? malloc_usable_size(p) : 0;
    void *q = realloc(p, bytes);
    if (!q) return NULL;
    m->now -= before;
    return meter_more(m, q);
}
static void meter_init(struct meter *m) { *m = (struct meter){.vt = {m, m_alloc, m_realloc, m_free}}; }

/* ── rows of random bytes, which no page packs ── */

static void wide_rows(struct fx_table *t, size_t n, size_t wide, size_t len)
{
    struct rng r = {17};
    uint8_t *bytes = (uint8_t *)malloc(len + 8);
    fx_table_new(t, "k long, a binary?, s string?, b binary", "k", n);
    for (size_t i = 0; i < n; i++) {
        size_t own = i < wide ? 5 : len - i % 100;
        for (size_t k = 0; k < own; k += 8) store_u64(bytes + k, rng_next(&r));
        frz_value values[4] = {{FRZ_LONG, 0, {.i64 = (int64_t)i}}, value_bytes(FRZ_BINARY, slice_of(bytes, own)), value_bytes(FRZ_STRING, slice_str(i % 3 ? "three" : "")), value_bytes(FRZ_BINARY, slice_of(bytes, own / 2))};
        if (i % 10 == 3) values[1] = value_null();
        fx_push(t, values);
    }
    free(bytes);
}

static slice file_bytes(struct fs *fs, const char *path, struct buf *out)
{
    *out = BUF_INIT(NULL, 0);
    OK(frz__fs_read_file(fs, path, (uint64_t)1 << 30, out, &err), &err);
    return buf_slice(out);
}

static bool there(struct fs *fs, const char *path)
{
    struct fs_stat st;
    return frz__fs_stat(fs, path, &st, &err) == FRZ_OK;
}

TEST(spill, the_file_is_the_same_and_memory_a_part)
{
    static const struct { size_t n, wide, len; } rows[] = {{700, 0, 40000}, {2500, 1200, 30000}, {3, 0, 8000000}, {5000, 5000, 1}};
    for (size_t i = 0; i < FRZ_ARRAY_LEN(rows); i++) {
        struct fx_table t;
        struct buf got[2];
        size_t peak[2];
        wide_rows(&t, rows[i].n, rows[i].wide, rows[i].len);
        for (int spill = 0; spill < 2; spill++) {
            struct fx x;
            struct meter m;
            meter_init(&m);
            fx_open(&x, 1 << 20);
            x.a = &m.vt;
            struct sst_writer_options o = fx_options(&t);
            o.row_group_bytes = 1 << 20;
            OK(frz__fs_mkdir(x.fs, "d", &err), &err);
            if (spill) {
                o.spill_fs = x.fs;
                o.spill_path = SPILL;
            }
            (void)fx_write(&x, "d/t.parquet", &t, &o);
            assert_int_equal(m.now, 0);
            peak[spill] = m.peak;
            assert_false(there(x.fs, SPILL));
            (void)file_bytes(x.fs, "d/t.parquet", &got[spill]);
            x.a = NULL;
            fx_close(&x);
        }
        assert_true(slice_eq(buf_slice(&got[0]), buf_slice(&got[1])));
        if (rows[i].n > 100 && rows[i].wide < rows[i].n) {
            assert_true(peak[0] > got[0].len / 2);
            assert_true(peak[1] < (size_t)16 << 20); /* two row groups, a batch, and a page of each column in the making, all as they grow by halves */
        }
        buf_clear(&got[0]);
        buf_clear(&got[1]);
        fx_table_clear(&t);
    }
}

/* With the Nth call of the file system, or the Nth allocation, made to fail. FALSE: it had fewer. */
static bool try_failing(const struct fx_table *t, bool calls, uint64_t n)
{
    struct fx x;
    struct ice_file out;
    struct arena ar = ARENA_INIT(NULL);
    struct test_alloc a;
    test_alloc_init(&a, calls ? 0 : (long)n);
    fx_open(&x, 1 << 20);
    frz__fs_free(x.fs);
    OK(frz__fs_fault_new(NULL, 1, &x.fs, &err), &err);
    x.a = &a.vt;
    OK(frz__fs_mkdir(x.fs, "d", &err), &err);
    struct sst_writer_options o = fx_options(t);
    o.row_group_bytes = 1 << 19;
    o.spill_fs = x.fs;
    o.spill_path = SPILL;
    frz__fs_fault_plan(x.fs, &(struct fs_fault_plan){.fail_call = calls ? n : 0});
    int rc = fx_try_write(&x, "d/t.parquet", t, &o, &out, &ar);
    bool fails = calls ? frz__fs_fault_counts(x.fs).calls >= n : a.calls >= (long)n;
    RC(rc, !fails ? FRZ_OK : calls ? FRZ_IO : FRZ_NO_MEMORY, &err);
    frz__fs_fault_plan(x.fs, &(struct fs_fault_plan){0});
    assert_int_equal(a.live, 0);
    if (!calls) assert_false(there(x.fs, SPILL)); /* else the call that failed may be the one that removes it: the next open looks for such names */
    frz__arena_clear(&ar);
    x.a = NULL;
    fx_close(&x);
    return fails;
}

TEST(spill, a_call_or_an_allocation_that_fails_leaves_nothing)
{
    struct fx_table t;
    wide_rows(&t, 120, 0, 50000);
    for (int calls = 0; calls < 2; calls++) {
        uint64_t n = 1;
        while (try_failing(&t, calls, n)) n++;
        assert_true(n > 10);
    }
    fx_table_clear(&t);
}
