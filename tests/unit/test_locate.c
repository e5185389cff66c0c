/* Goal: a key is found where its one live row is, by probe and by merge-join, and a get sees memtables first. Method: files with overlapping ranges and masked older versions, beside a model by key. */
#include "sst_fixture.h"
#include "view/view.h"

#define KEYS 20000
#define FILES 12
struct world {
    struct fx x;
    frz_schema *schema;
    struct vfile *files[FILES];
    struct view *view;
    int file_of[KEYS];
    uint64_t pos_of[KEYS];
    int64_t value_of[KEYS];
};

static void encode(uint8_t key[8], int64_t k) { store_u64_be(key, (uint64_t)k ^ UINT64_C(1) << 63); }

/* FILES files over parts of the key space; of a key in several, all but one row are masked, or all are. Key = 3 × number. */
static void world_open(struct world *w, uint64_t seed, bool disjoint)
{
    struct rng r = {seed};
    static uint64_t dead[FILES][KEYS];
    size_t dead_n[FILES] = {0};
    memset(w, 0, sizeof *w);
    fx_open(&w->x, 256 << 10);
    w->schema = fx_schema("k long, v long", "k");
    for (int i = 0; i < KEYS; i++) w->file_of[i] = -1;
    struct fx_table t[FILES];
    int where[KEYS]; /* the last file that has it, and where */
    uint64_t at[KEYS];
    memset(where, -1, sizeof where);
    for (int f = 0; f < FILES; f++) {
        fx_table_new(&t[f], "k long, v long", "k", KEYS);
        int from = (int)rng_below(&r, KEYS), span = f == 0 ? KEYS : (int)rng_below(&r, KEYS / (f % 3 + 1)), every = f == 0 ? 2 : 1 + (int)rng_below(&r, 60);
        if (disjoint) from = f * (KEYS / FILES), span = KEYS / FILES - 5, every = 3;
        if (f == 0) from = 0;
        if (f == 5) span = 0; /* an empty file */
        for (int k = from; k < KEYS && k < from + span; k += 1 + (every > 1 ? (int)rng_below(&r, (uint64_t)every) : 0)) {
            frz_value v[2] = {value_i64(FRZ_LONG, 3 * (int64_t)k), value_i64(FRZ_LONG, f * 1000000 + k)};
            if (where[k] >= 0) dead[where[k]][dead_n[where[k]]++] = at[k];
            where[k] = f;
            at[k] = t[f].n;
            fx_push(&t[f], v);
            w->file_of[k] = f;
            w->pos_of[k] = at[k];
            w->value_of[k] = f * 1000000 + k;
            if (rng_below(&r, 20) == 0) { /* deleted */
                dead[f][dead_n[f]++] = at[k];
                where[k] = w->file_of[k] = -1;
            }
        }
    }
    for (int f = 0; f < FILES; f++) {
        char path[16];
        struct mask *m = NULL;
        snprintf(path, sizeof path, "f%d", f);
        struct sst_writer_options o = fx_options(&t[f]);
        if (f % 4 == 3) o.filter_bits = 0;
        struct sst *s = fx_file(&w->x, path, (uint64_t)f + 1, &t[f], &o);
        for (size_t i = 0; i < dead_n[f]; i++) /* into order */
            for (size_t k = i; k > 0 && dead[f][k - 1] > dead[f][k]; k--) {
                uint64_t d = dead[f][k];
                dead[f][k] = dead[f][k - 1];
                dead[f][k - 1] = d;
            }
        if (dead_n[f]) OK(frz__mask_add(NULL, NULL, dead[f], dead_n[f], &m, &err), &err);
        OK(frz__vfile_new(NULL, s, m, slice_str("file:///x"), -1, f, (int64_t)s->bytes, &w->files[f], &err), &err);
    }
    OK(frz__view_new(NULL, w->schema, NULL, 0, w->files, FILES, 0, -1, &w->view, &err), &err);
    OK(frz__view_check(w->view, &err), &err);
    uint64_t live = 0;
    for (int k = 0; k < KEYS; k++) live += w->file_of[k] >= 0;
    assert_int_equal(w->view->rows, live);
    for (int f = 0; f < FILES; f++) fx_table_clear(&t[f]);
}

static void world_close(struct world *w)
{
    frz__view_release(w->view);
    for (int f = 0; f < FILES; f++) frz__vfile_release(w->files[f]);
    frz__schema_release(w->schema);
    fx_close(&w->x);
}

static void expect_place(const struct world *w, int64_t key, const struct place *p)
{
    int want = key % 3 == 0 && key >= 0 && key < 3 * KEYS ? w->file_of[key / 3] : -1;
    assert_int_equal(p->file, want);
    if (want >= 0) assert_int_equal(p->pos, w->pos_of[key / 3]);
}

static void check_locate(struct world *w, uint64_t seed)
{
    struct rng r = {seed};
    static uint8_t bytes[3 * KEYS + 10][8];
    static slice keys[3 * KEYS + 10];
    static uint64_t hashes[3 * KEYS + 10];
    static int64_t numbers[3 * KEYS + 10];
    static struct place places[3 * KEYS + 10];
    uint64_t steps[] = {1, 2, 5, 30, 300, 5000, 100000};
    for (size_t round = 0; round < FRZ_ARRAY_LEN(steps); round++) {
        size_t n = 0;
        for (int64_t k = -3; k < 3 * KEYS + 6; k += 1 + (int64_t)rng_below(&r, steps[round])) {
            encode(bytes[n], k);
            numbers[n] = k;
            keys[n] = slice_of(bytes[n], 8);
            hashes[n] = frz__hash64(keys[n]);
            n++;
        }
        OK(frz__view_locate(w->view, keys, hashes, n, w->x.codec, places, &err), &err);
        for (size_t i = 0; i < n; i++) expect_place(w, numbers[i], &places[i]);
        for (size_t i = 0; i < n; i += 1 + n / 500) {
            struct place one;
            OK(frz__view_locate_one(w->view, keys[i], hashes[i], w->x.codec, &one, &err), &err);
            expect_place(w, numbers[i], &one);
        }
    }
}

TEST(locate, finds_the_one_live_row_among_overlapping_files)
{
    static struct world w;
    uint64_t seed = test_seed(3);
    for (uint64_t i = 0; i < 2; i++) {
        world_open(&w, seed + i, false);
        assert_true(w.view->run_count > 1);
        check_locate(&w, seed + i);
        world_close(&w);
    }
}

TEST(locate, finds_it_in_one_run_of_disjoint_files)
{
    static struct world w;
    world_open(&w, 5, true);
    assert_true(w.view->run_count <= 2);
    check_locate(&w, 5);
    world_close(&w);
}

TEST(locate, joins_where_keys_are_dense_and_reads_no_page_through_the_cache)
{
    static struct world w;
    static uint8_t bytes[KEYS][8];
    static slice keys[KEYS];
    static uint64_t hashes[KEYS];
    static struct place places[KEYS];
    world_open(&w, 7, true);
    for (int k = 0; k < KEYS; k++) {
        encode(bytes[k], 3 * (int64_t)k);
        keys[k] = slice_of(bytes[k], 8);
        hashes[k] = frz__hash64(keys[k]);
    }
    OK(frz__view_locate(w.view, keys, hashes, KEYS, w.x.codec, places, &err), &err);
    assert_int_equal(w.x.counters.filter_checks, 0);
    for (int k = 0; k < KEYS; k++) expect_place(&w, 3 * (int64_t)k, &places[k]);
    w.x.counters.filter_checks = 0;
    OK(frz__view_locate(w.view, keys + 100, hashes + 100, 20, w.x.codec, places, &err), &err); /* few: probes */
    assert_true(w.x.counters.filter_checks >= 20);
    world_close(&w);
}

TEST(locate, says_so_where_a_foreign_file_must_be_adopted_first)
{
    static struct world w;
    struct place place;
    uint8_t key[8];
    world_open(&w, 11, true);
    encode(key, 1);
    slice k = slice_of(key, 8);
    uint64_t hash = frz__hash64(k);
    struct sst *s = w.files[2]->sst; /* as if another engine had written it */
    const slice no = {NULL, 0};
    slice first = s->first_key, last = s->last_key;
    frz__view_release(w.view);
    s->sorted = false;
    s->first_key = s->last_key = no;
    OK(frz__view_new(NULL, w.schema, NULL, 0, w.files, FILES, 0, -1, &w.view, &err), &err);
    OK(frz__view_check(w.view, &err), &err);
    FAILS(frz__view_locate_one(w.view, k, hash, w.x.codec, &place, &err), FRZ_UNSUPPORTED, &err);
    FAILS(frz__view_locate(w.view, &k, &hash, 1, w.x.codec, &place, &err), FRZ_UNSUPPORTED, &err);
    MESSAGE_HAS(&err, "f2");
    s->sorted = true;
    s->first_key = first;
    s->last_key = last;
    world_close(&w);
}

TEST(locate, comes_out_whole_when_a_file_is_damaged)
{
    static struct world w;
    static uint8_t bytes[KEYS][8];
    static slice keys[KEYS];
    static uint64_t hashes[KEYS];
    static struct place places[KEYS];
    struct file *f = NULL;
    uint64_t size;
    world_open(&w, 12, true);
    OK(frz__fs_open(w.x.fs, "f4", FS_OPEN_WRITE, &f, &err), &err);
    OK(frz__file_size(f, &size, &err), &err);
    for (uint64_t at = 4; at < 400; at++) OK(frz__file_write(f, at, "\xA5", 1, &err), &err); /* its key column */
    OK(frz__file_close(f, &err), &err);
    for (int k = 0; k < KEYS; k++) {
        encode(bytes[k], 3 * (int64_t)k);
        keys[k] = slice_of(bytes[k], 8);
        hashes[k] = frz__hash64(keys[k]);
    }
    FAILS(frz__view_locate(w.view, keys, hashes, KEYS, w.x.codec, places, &err), FRZ_CORRUPT, &err); /* by join */
    MESSAGE_HAS(&err, "f4");
    int in = 0;
    while (w.file_of[in] != 4) in++;
    FAILS(frz__view_locate(w.view, keys + in, hashes + in, 100, w.x.codec, places, &err), FRZ_CORRUPT, &err); /* by probe */
    FAILS(frz__view_locate_one(w.view, keys[in], hashes[in], w.x.codec, places, &err), FRZ_CORRUPT, &err);
    MESSAGE_HAS(&err, "f4");
    OK(frz__view_locate(w.view, keys, hashes, 100, w.x.codec, places, &err), &err); /* elsewhere all is well */
    world_close(&w);
}

TEST(locate, survives_every_failed_allocation)
{
    static struct world w;
    static uint8_t bytes[500][8];
    slice keys[500];
    uint64_t hashes[500];
    struct place places[500];
    world_open(&w, 13, false);
    for (int k = 0; k < 500; k++) {
        encode(bytes[k], 3 * (int64_t)k);
        keys[k] = slice_of(bytes[k], 8);
        hashes[k] = frz__hash64(keys[k]);
    }
    for (long n = 1;; n++) {
        struct test_alloc t;
        struct view *v = NULL;
        test_alloc_init(&t, n);
        int rc = frz__view_new(&t.vt, w.schema, NULL, 0, w.files, FILES, 0, -1, &v, &err);
        if (rc == FRZ_OK) rc = frz__view_locate(v, keys, hashes, 500, w.x.codec, places, &err);
        if (rc == FRZ_OK)
            for (int k = 0; k < 500; k++) expect_place(&w, 3 * (int64_t)k, &places[k]);
        else assert_int_equal(rc, FRZ_NO_MEMORY);
        frz__view_release(v);
        assert_int_equal(t.live, 0);
        if (rc == FRZ_OK) break;
        assert_true(n < 50);
    }
    world_close(&w);
}

TEST(view_get, takes_memtables_newest_first_then_the_files)
{
    static struct world w;
    struct mem *mems[2];
    struct view *v = NULL;
    frz_row *row = NULL;
    struct buf b = BUF_INIT(NULL, 0);
    bool from_mem;
    world_open(&w, 9, false);
    int in_file = 0, gone = 0;
    while (w.file_of[in_file] < 0) in_file++;
    while (w.file_of[gone] >= 0) gone++;
    for (int i = 0; i < 2; i++) OK(frz__mem_new(NULL, w.schema, &mems[i], &err), &err);
    OK(frz__row_new(NULL, w.schema, &row, &err), &err);
    uint8_t key[8], other[8];
    encode(key, 3 * (int64_t)in_file);
    encode(other, 3 * (int64_t)gone);
    slice k = slice_of(key, 8);
    frz_value values[2] = {value_i64(FRZ_LONG, 0), value_i64(FRZ_LONG, -11)};
    OK(frz__row_encode(w.schema, values, &b, &err), &err);
    OK(frz__mem_add(mems[1], 10, OP_PUT, k, buf_slice(&b), &err), &err);
    OK(frz__mem_add(mems[1], 12, OP_DELETE, k, slice_of(NULL, 0), &err), &err);
    buf_reset(&b);
    values[1].as.i64 = -22;
    OK(frz__row_encode(w.schema, values, &b, &err), &err);
    OK(frz__mem_add(mems[0], 20, OP_PUT, k, buf_slice(&b), &err), &err);
    OK(frz__mem_add(mems[0], 21, OP_PUT, slice_of(other, 8), buf_slice(&b), &err), &err);
    OK(frz__view_new(NULL, w.schema, mems, 2, w.files, FILES, 9, -1, &v, &err), &err);

    OK(frz__view_get(v, 9, k, NULL, w.x.codec, row, &from_mem, &err), &err);
    assert_false(from_mem);
    assert_int_equal(row->values[1].as.i64, w.value_of[in_file]);
    assert_int_equal(row->values[0].as.i64, 3 * (int64_t)in_file);
    OK(frz__view_get(v, 11, k, NULL, w.x.codec, row, &from_mem, &err), &err);
    assert_true(from_mem);
    assert_int_equal(row->values[1].as.i64, -11);
    RC(frz__view_get(v, 15, k, NULL, w.x.codec, row, &from_mem, &err), FRZ_NOT_FOUND, &err);
    assert_true(from_mem);
    OK(frz__view_get(v, 20, k, NULL, w.x.codec, row, &from_mem, &err), &err);
    assert_int_equal(row->values[1].as.i64, -22);
    OK(frz__view_get(v, 99, k, NULL, w.x.codec, NULL, &from_mem, &err), &err); /* is it there? */
    uint8_t only_v = 2;
    OK(frz__view_get(v, 9, k, &only_v, w.x.codec, row, &from_mem, &err), &err);
    assert_int_equal(row->set[0] & 3, 2);
    RC(frz__view_get(v, 20, slice_of(other, 8), NULL, w.x.codec, row, &from_mem, &err), FRZ_NOT_FOUND, &err);
    assert_false(from_mem);
    OK(frz__view_get(v, 21, slice_of(other, 8), NULL, w.x.codec, row, &from_mem, &err), &err);

    frz__view_release(v);
    for (int i = 0; i < 2; i++) frz__mem_release(mems[i]);
    frz__row_free(row);
    buf_clear(&b);
    world_close(&w);
}
