/* The log against a list of what was appended: round trips, torn tails at every length, flips of every byte, stale lives of recycled files, failed calls and power cuts at every call. */
#include "frz_test.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/failpoint.h"
#include "base/rand.h"
#include "io/fs_fault.h"
#include "wal/wal_format.h"

#define DIR "wal"
#define SEGMENT ((uint64_t)64 << 10)

/* ── what was appended ── */

struct group { uint64_t base; uint32_t ops; uint32_t bytes, salt; bool failed, acked; };
struct book { struct group g[4096]; size_t count; uint64_t seq_next; };

static void group_bytes(const struct group *g, uint8_t *out)
{
    struct rng r = {g->salt};
    for (uint32_t i = 0; i < g->bytes; i++) out[i] = (uint8_t)rng_next(&r);
}

/* ── what is replayed ── */

struct seen { struct book *b; size_t at, count, tables, drops; uint64_t low_water, last_table; uint64_t next; bool strict; uint8_t *scratch; };

static int on_table(void *ctx, const struct wal_table *t, frz_error *err)
{
    struct seen *s = (struct seen *)ctx;
    (void)err;
    s->tables++;
    s->low_water = t->low_water;
    s->last_table = t->table_no;
    assert_true(slice_eq(t->name, slice_str("main.flights")));
    assert_int_equal(t->uuid[3], t->table_no);
    assert_int_equal(t->schema_id, -7);
    assert_int_equal(t->schema_json.data[0], '{');
    return FRZ_OK;
}
static int on_group(void *ctx, uint64_t segment, uint64_t base, uint32_t ops, slice bytes, frz_error *err)
{
    struct seen *s = (struct seen *)ctx;
    (void)segment, (void)err;
    while (s->at < s->b->count && (s->b->g[s->at].base != base || s->b->g[s->at].failed)) {
        assert_false(s->b->g[s->at].acked); /* one that was acknowledged is passed over */
        s->at++;
    }
    assert_true(s->at < s->b->count);
    struct group *g = &s->b->g[s->at++];
    assert_int_equal(ops, g->ops);
    assert_int_equal(bytes.len, g->bytes);
    group_bytes(g, s->scratch);
    assert_memory_equal(bytes.data, s->scratch, bytes.len);
    s->count++;
    return FRZ_OK;
}
static int on_drop(void *ctx, uint64_t table_no, frz_error *err)
{
    (void)err, (void)table_no;
    ((struct seen *)ctx)->drops++;
    return FRZ_OK;
}

static uint8_t scratch[(size_t)70 << 20];
static int read_log(struct fs *fs, const allocator *a, struct book *b, struct seen *s, struct wal_report *report, frz_error *e)
{
    *s = (struct seen){.b = b, .scratch = scratch};
    const struct wal_visitor v = {s, on_table, on_group, on_drop};
    return frz__wal_read(a, NULL, fs, DIR, &v, report, e);
}
/* Every group that was acknowledged was seen. */
static void all_acked(const struct book *b, const struct seen *s)
{
    for (size_t i = s->at; i < b->count; i++) assert_false(b->g[i].acked);
}

static char schema_text[64] = "{\"type\":\"struct\"}";
static struct wal_table table_line(uint64_t no, uint64_t low)
{
    struct wal_table t = {.table_no = no, .name = slice_str("main.flights"), .schema_id = -7, .schema_json = slice_str(schema_text), .low_water = low};
    t.uuid[3] = (uint8_t)no;
    return t;
}

static int open_log(struct fs *fs, const allocator *a, const struct wal_report *rep, uint64_t epoch, uint32_t recycle, uint64_t next, struct wal **w, frz_error *e)
{
    struct wal_options o = {.a = a, .dir = DIR, .writer_epoch = epoch, .segment_bytes = SEGMENT, .recycle_max = recycle};
    memset(o.log_uuid, 0x5A, 16);
    struct wal_table t = table_line(1, 1);
    return frz__wal_open(fs, &o, rep, next, &t, 1, w, e);
}
/* Appends one group of BYTES; noted in B. */
static int append(struct wal *w, struct book *b, uint32_t bytes, frz_error *e)
{
    struct group *g = &b->g[b->count++];
    assert_true(b->count < 4096);
    *g = (struct group){b->seq_next, 1 + bytes % 3, bytes, (uint32_t)b->count * 77, false, false};
    uint8_t *p = (uint8_t *)malloc(bytes + 1);
    group_bytes(g, p);
    uint64_t segment = 0;
    slice parts[3] = {slice_of(p, bytes / 3), slice_of(p + bytes / 3, 0), slice_of(p + bytes / 3, bytes - bytes / 3)};
    int rc = frz__wal_append(w, g->base, g->ops, parts, 3, &segment, e);
    free(p);
    g->failed = rc < 0;
    b->seq_next += g->ops;
    return rc;
}
static int release(struct wal *w, uint64_t oldest, frz_error *e)
{
    TRY(frz__wal_release(w, oldest, e));
    int rc = frz__wal_recycle(w, e);
    assert_true(rc <= 0); /* nobody is at it beside */
    return rc;
}
static void ack_all(struct book *b)
{
    for (size_t i = 0; i < b->count; i++) b->g[i].acked = !b->g[i].failed;
}

static struct book book;
static void book_new(void)
{
    memset(&book, 0, sizeof book);
    book.seq_next = 1;
}

/* ── when ── */

struct moments {
    size_t count, lines, drops;
    uint64_t base[8];
    int64_t time_us[8];
    size_t lines_before[8], drops_before[8]; /* so many had come */
};
static int on_moment(void *ctx, uint64_t base_seq, int64_t time_us, const uint8_t *counts, uint32_t n, frz_error *err)
{
    struct moments *m = (struct moments *)ctx;
    (void)counts, (void)err;
    assert_true(m->count < FRZ_ARRAY_LEN(m->base) && n == 0);
    m->base[m->count] = base_seq;
    m->time_us[m->count] = time_us;
    m->lines_before[m->count] = m->lines;
    m->drops_before[m->count++] = m->drops;
    return FRZ_OK;
}
static int count_line(void *ctx, const struct wal_table *t, frz_error *err)
{
    (void)t, (void)err;
    ((struct moments *)ctx)->lines++;
    return FRZ_OK;
}
static int count_drop(void *ctx, uint64_t table_no, frz_error *err)
{
    (void)table_no, (void)err;
    ((struct moments *)ctx)->drops++;
    return FRZ_OK;
}
TEST(wal, says_when_lines_and_drops_were_and_its_times_do_not_go_back)
{
    frz_error e;
    struct fs *fs = NULL;
    struct wal *w = NULL;
    struct wal_report rep = {0};
    struct moments m = {0};
    struct wal_options o = {.dir = DIR, .writer_epoch = 1, .segment_bytes = SEGMENT, .recycle_max = 1, .time_us = 1000};
    memset(o.log_uuid, 0x5A, 16);
    book_new();
    OK(frz__fs_mem_new(NULL, &fs, &e), &e);
    struct wal_table one = table_line(1, 1), two = table_line(2, 1);
    OK(frz__wal_open(fs, &o, &rep, 1, &one, 1, &w, &e), &e);
    OK(frz__wal_add_table_at(w, &two, 2000, &e), &e);
    OK(append(w, &book, 100, &e), &e);
    OK(frz__wal_add_table(w, &one, &e), &e); /* of no time */
    OK(frz__wal_append_drop(w, 2, 1500, &e), &e); /* the clock was set back */
    OK(frz__wal_sync(w, &e), &e);
    OK(frz__wal_close(w, &e), &e);
    const struct wal_visitor v = {.ctx = &m, .table = count_line, .drop = count_drop, .moment = on_moment};
    OK(frz__wal_read(NULL, NULL, fs, DIR, &v, &rep, &e), &e);
    assert_int_equal(m.count, 3);
    assert_true(m.time_us[0] == 1000 && m.lines_before[0] == 0 && m.base[0] == 1);
    assert_true(m.time_us[1] == 2000 && m.lines_before[1] == 1 && m.base[1] == 1);
    assert_true(m.time_us[2] == 2000 && m.lines_before[2] == 3 && m.drops_before[2] == 0 && m.base[2] == book.seq_next);
    assert_true(m.drops == 1 && rep.time_us == 2000);
    frz__fs_free(fs);
}

/* ── round trips ── */

TEST(wal, gives_back_what_was_appended_over_segments_and_reopenings)
{
    frz_error e;
    struct fs *fs = NULL;
    struct wal *w = NULL;
    struct wal_report rep;
    struct seen s;
    struct rng r = {test_seed(2)};
    OK(frz__fs_mem_new(NULL, &fs, &e), &e);
    book_new();
    OK(read_log(fs, NULL, &book, &s, &rep, &e), &e);
    assert_false(rep.found);
    for (uint64_t epoch = 1; epoch < 6; epoch++) {
        OK(open_log(fs, NULL, &rep, epoch, 2, book.seq_next, &w, &e), &e);
        for (int i = 0; i < 80; i++) {
            uint64_t shape = rng_below(&r, 10);
            OK(append(w, &book, (uint32_t)(shape == 0 ? rng_below(&r, 40000) : shape == 1 ? rng_below(&r, 5) : rng_below(&r, 300)), &e), &e);
            if (shape == 2) book.seq_next += rng_below(&r, 3); /* refused after they were assigned */
            if (shape == 3) OK(frz__wal_sync(w, &e), &e);
        }
        OK(frz__wal_append_drop(w, 9, 0, &e), &e);
        ack_all(&book);
        OK(frz__wal_close(w, &e), &e);
        OK(read_log(fs, NULL, &book, &s, &rep, &e), &e);
        assert_int_equal(s.count, book.count);
        assert_int_equal(s.drops, epoch);
        assert_true(rep.found);
        assert_false(rep.tail_cut);
        assert_int_equal(rep.writer_epoch, epoch);
        assert_int_equal(rep.log_uuid[7], 0x5A);
        assert_int_equal(s.tables, rep.segments);
        assert_int_equal(rep.seq_last, book.g[book.count - 1].base + book.g[book.count - 1].ops - 1);
        book.seq_next = rep.seq_last + 1;
    }
    frz__fs_free(fs);
}

TEST(wal, frames_a_record_of_every_length_around_a_block)
{
    frz_error e;
    for (int pass = 0; pass < 2; pass++) {
        struct fs *fs = NULL;
        struct wal *w = NULL;
        struct wal_report rep = {0};
        struct seen s;
        OK(frz__fs_mem_new(NULL, &fs, &e), &e);
        book_new();
        OK(open_log(fs, NULL, &rep, 1, 0, 1, &w, &e), &e);
        for (uint32_t n = 0; n < 130; n++) OK(append(w, &book, pass ? n : 32768 - 100 + n, &e), &e);
        OK(frz__wal_close(w, &e), &e);
        OK(read_log(fs, NULL, &book, &s, &rep, &e), &e);
        assert_int_equal(s.count, book.count);
        frz__fs_free(fs);
    }
}

TEST(wal, takes_a_record_of_64_MiB)
{
    frz_error e;
    struct fs *fs = NULL;
    struct wal *w = NULL;
    struct wal_report rep = {0};
    struct seen s;
    OK(frz__fs_mem_new(NULL, &fs, &e), &e);
    book_new();
    OK(open_log(fs, NULL, &rep, 1, 4, 1, &w, &e), &e);
    OK(append(w, &book, 10, &e), &e);
    OK(append(w, &book, (uint32_t)64 << 20, &e), &e);
    OK(append(w, &book, 10, &e), &e);
    assert_int_equal(frz__wal_segment(w), 3); /* it has its own segment */
    OK(frz__wal_sync(w, &e), &e);
    OK(release(w, 3, &e), &e); /* and is no spare later */
    struct wal_stats st;
    frz__wal_stats(w, &st);
    assert_int_equal(st.segments, 1);
    bool there = false;
    OK(frz__fs_exists(fs, DIR "/000000001.free", &there, &e), &e);
    assert_true(there);
    OK(frz__fs_exists(fs, DIR "/000000002.free", &there, &e), &e);
    assert_false(there);
    OK(frz__wal_close(w, &e), &e);
    OK(read_log(fs, NULL, &book, &s, &rep, &e), &e);
    assert_int_equal(s.count, 1);
    frz__fs_free(fs);
    fs = NULL;
    OK(frz__fs_mem_new(NULL, &fs, &e), &e);
    book_new();
    rep = (struct wal_report){0};
    OK(open_log(fs, NULL, &rep, 1, 4, 1, &w, &e), &e);
    OK(append(w, &book, (uint32_t)64 << 20, &e), &e);
    OK(frz__wal_close(w, &e), &e);
    OK(read_log(fs, NULL, &book, &s, &rep, &e), &e);
    assert_int_equal(s.count, 1);
    frz__fs_free(fs);
}

TEST(wal, begins_each_segment_with_the_dictionary_and_its_low_waters)
{
    frz_error e;
    struct fs *fs = NULL;
    struct wal *w = NULL;
    struct wal_report rep = {0};
    struct seen s;
    OK(frz__fs_mem_new(NULL, &fs, &e), &e);
    book_new();
    OK(open_log(fs, NULL, &rep, 1, 0, 1, &w, &e), &e);
    struct wal_table two = table_line(2, 1);
    OK(frz__wal_add_table(w, &two, &e), &e);
    OK(frz__wal_add_table(w, &two, &e), &e); /* changed: its line again, still one in the dictionary */
    frz__wal_set_low_water(w, 2, 40);
    frz__wal_set_low_water(w, 2, 30); /* never back */
    OK(append(w, &book, 60000, &e), &e);
    OK(append(w, &book, 60000, &e), &e); /* next segment: both tables */
    OK(read_log(fs, NULL, &book, &s, &rep, &e), &e);
    assert_int_equal(rep.segments, 2);
    assert_int_equal(s.tables, 1 + 2 + 2);
    assert_int_equal(s.low_water, 40);
    OK(frz__wal_append_drop(w, 1, 0, &e), &e);
    OK(append(w, &book, 60000, &e), &e);
    OK(read_log(fs, NULL, &book, &s, &rep, &e), &e);
    assert_int_equal(s.tables, 1 + 2 + 2 + 1);
    assert_int_equal(s.last_table, 2);
    OK(frz__wal_close(w, &e), &e);
    frz__fs_free(fs);
}

TEST(wal, what_is_released_stays_until_it_is_recycled_and_what_is_not_stays_beyond)
{
    frz_error e;
    struct fs *fs = NULL;
    struct wal *w = NULL;
    struct wal_report rep = {0};
    struct wal_stats st;
    OK(frz__fs_mem_new(NULL, &fs, &e), &e);
    book_new();
    OK(open_log(fs, NULL, &rep, 1, 0, 1, &w, &e), &e);
    for (int i = 0; i < 4; i++) OK(append(w, &book, 60000, &e), &e);
    OK(frz__wal_sync(w, &e), &e);
    OK(frz__wal_recycle(w, &e), &e); /* nothing was released */
    frz__wal_stats(w, &st);
    assert_int_equal(st.segments, 4);
    OK(frz__wal_release(w, 3, &e), &e);
    OK(frz__wal_release(w, 2, &e), &e); /* never back */
    frz__wal_stats(w, &st);
    assert_int_equal(st.segments, 4);
    OK(frz__wal_recycle(w, &e), &e);
    frz__wal_stats(w, &st);
    assert_int_equal(st.segments, 2);
    OK(frz__wal_release(w, UINT64_MAX, &e), &e);
    OK(frz__wal_recycle(w, &e), &e); /* the one that is written stays */
    frz__wal_stats(w, &st);
    assert_int_equal(st.segments, 1);
    OK(append(w, &book, 10, &e), &e);
    OK(frz__wal_close(w, &e), &e);
    frz__fs_free(fs);
}

TEST(wal, lines_that_could_not_be_written_are_there_before_older_segments_go)
{
    frz_error e;
    struct fs *fs = NULL;
    struct wal *w = NULL;
    struct wal_report rep = {0};
    struct seen s;
    OK(frz__fs_fault_new(NULL, 1, &fs, &e), &e);
    book_new();
    OK(open_log(fs, NULL, &rep, 1, 0, 1, &w, &e), &e);
    OK(append(w, &book, 60000, &e), &e);
    OK(append(w, &book, 30000, &e), &e);
    OK(frz__wal_sync(w, &e), &e);
    frz__wal_set_low_water(w, 1, 40);
    frz__fs_fault_plan(fs, &(struct fs_fault_plan){.fail_call = 1});
    FAILS(release(w, frz__wal_segment(w), &e), FRZ_IO, &e);
    frz__fs_fault_plan(fs, &(struct fs_fault_plan){0});
    OK(release(w, frz__wal_segment(w), &e), &e);
    OK(read_log(fs, NULL, &book, &s, &rep, &e), &e);
    assert_int_equal(s.low_water, 40);
    OK(frz__wal_close(w, &e), &e);
    frz__fs_free(fs);
}

TEST(wal, refuses_a_sequence_that_was_assigned_before_and_bad_options)
{
    frz_error e;
    struct fs *fs = NULL;
    struct wal *w = NULL;
    struct wal_report rep = {0};
    uint64_t segment;
    OK(frz__fs_mem_new(NULL, &fs, &e), &e);
    book_new();
    OK(open_log(fs, NULL, &rep, 1, 0, 10, &w, &e), &e);
    slice op = slice_str("x");
    OK(frz__wal_append(w, 10, 2, &op, 1, &segment, &e), &e);
    FAILS(frz__wal_append(w, 11, 1, &op, 1, &segment, &e), FRZ_BUG, &e);
    OK(frz__wal_append(w, 12, 1, &op, 1, &segment, &e), &e);
    OK(frz__wal_close(w, &e), &e);
    OK(frz__wal_read(NULL, NULL, fs, DIR, &(struct wal_visitor){0}, &rep, &e), &e);
    assert_int_equal(rep.seq_last, 12);
    FAILS(open_log(fs, NULL, &rep, 2, 0, 12, &w, &e), FRZ_BUG, &e);
    struct wal_options o = {.dir = DIR, .segment_bytes = SEGMENT + 1};
    FAILS(frz__wal_open(fs, &o, &rep, 13, NULL, 0, &w, &e), FRZ_INVALID, &e);
    frz__fs_free(fs);
}

/* ── damage ── */

static void flip(struct fs *fs, const char *path, uint64_t at, uint8_t mask)
{
    frz_error e;
    struct file *f = NULL;
    uint8_t byte;
    OK(frz__fs_open(fs, path, FS_OPEN_WRITE, &f, &e), &e);
    OK(frz__file_read_full(f, at, &byte, 1, &e), &e);
    byte ^= mask;
    OK(frz__file_write(f, at, &byte, 1, &e), &e);
    OK(frz__file_close(f, &e), &e);
}

TEST(wal, hazard_10_a_flip_of_any_byte_is_named_as_corruption_or_is_a_tail_never_known_synced)
{
    frz_error e;
    struct fs *fs = NULL;
    struct wal *w = NULL;
    struct wal_report rep = {0};
    struct seen s;
    OK(frz__fs_mem_new(NULL, &fs, &e), &e);
    book_new();
    OK(open_log(fs, NULL, &rep, 1, 0, 1, &w, &e), &e);
    for (int i = 0; i < 12; i++) {
        OK(append(w, &book, 50 + 13 * (uint32_t)i, &e), &e);
        OK(frz__wal_sync(w, &e), &e);
    }
    OK(frz__wal_close(w, &e), &e);
    OK(read_log(fs, NULL, &book, &s, &rep, &e), &e);
    size_t all = s.count, tails = 0, corrupt = 0;
    uint64_t end = rep.tail_offset;
    for (uint64_t at = 0; at < end; at++) {
        flip(fs, DIR "/000000001.wal", at, (uint8_t)(1u << (at % 8)));
        int rc = read_log(fs, NULL, &book, &s, &rep, &e);
        if (rc == FRZ_CORRUPT) {
            corrupt++;
            MESSAGE_HAS(&e, "000000001.wal at offset ");
        } else {
            OK(rc, &e);
            assert_true(s.count == all || (s.count == all - 1 && rep.tail_cut));
            tails += s.count != all;
        }
        flip(fs, DIR "/000000001.wal", at, (uint8_t)(1u << (at % 8)));
    }
    assert_true(corrupt > 1000); /* all but the header's two copies and the last record, which nothing later bears witness of */
    assert_true(tails > 100 && tails < 300);
    frz__fs_free(fs);
}

TEST(wal, cuts_a_torn_tail_at_every_length_and_goes_on_behind_it)
{
    frz_error e;
    struct fs *fs = NULL;
    struct wal *w = NULL;
    struct wal_report rep = {0};
    struct seen s;
    OK(frz__fs_mem_new(NULL, &fs, &e), &e);
    book_new();
    OK(open_log(fs, NULL, &rep, 1, 0, 1, &w, &e), &e);
    OK(append(w, &book, 32000, &e), &e);
    OK(frz__wal_close(w, &e), &e);
    OK(read_log(fs, NULL, &book, &s, &rep, &e), &e);
    struct buf whole = BUF_INIT(NULL, 0);
    frz__fs_free(fs);
    uint64_t from = 0, to = 0;
    for (uint64_t cut = 0; cut == 0 || cut <= to; cut += cut ? 1 + (cut > from + 400 && cut < to - 200) * 61 : 1) {
        struct file *f = NULL;
        fs = NULL;
        OK(frz__fs_mem_new(NULL, &fs, &e), &e);
        book_new();
        rep = (struct wal_report){0};
        OK(open_log(fs, NULL, &rep, 1, 0, 1, &w, &e), &e);
        OK(append(w, &book, 32000, &e), &e);
        ack_all(&book);
        struct wal_report before;
        OK(read_log(fs, NULL, &book, &s, &before, &e), &e);
        OK(append(w, &book, 1500, &e), &e);
        OK(append(w, &book, 100, &e), &e);
        OK(frz__wal_close(w, &e), &e);
        OK(read_log(fs, NULL, &book, &s, &rep, &e), &e);
        assert_int_equal(s.count, 3);
        if (cut == 0) {
            from = before.tail_offset;
            to = rep.tail_offset;
            cut = from;
        }
        /* what was written up to CUT is there; the rest is zeros, as the preallocated file has them */
        static uint8_t zeros[4096];
        OK(frz__fs_open(fs, DIR "/000000001.wal", FS_OPEN_WRITE, &f, &e), &e);
        OK(frz__file_write(f, cut, zeros, (size_t)(to - cut), &e), &e);
        OK(frz__file_close(f, &e), &e);
        OK(read_log(fs, NULL, &book, &s, &rep, &e), &e);
        assert_true(s.count >= 1 && s.count <= 3);
        assert_true(cut != to || (s.count == 3 && !rep.tail_cut));
        assert_true(cut == to || cut == from || rep.tail_cut || s.count > 1);
        size_t kept = s.count;
        for (size_t i = kept; i < 3; i++) book.g[i].failed = true;
        book.seq_next = rep.seq_last + 1;
        OK(open_log(fs, NULL, &rep, 2, 0, book.seq_next, &w, &e), &e);
        OK(append(w, &book, 77, &e), &e);
        ack_all(&book);
        OK(frz__wal_close(w, &e), &e);
        OK(read_log(fs, NULL, &book, &s, &rep, &e), &e);
        assert_int_equal(s.count, kept + 1);
        frz__fs_free(fs);
    }
    buf_clear(&whole);
}

TEST(wal, survives_bytes_that_are_anything)
{
    frz_error e;
    struct rng r = {test_seed(8)};
    for (int round = 0; round < 300; round++) {
        struct fs *fs = NULL;
        struct wal *w = NULL;
        struct wal_report rep = {0};
        OK(frz__fs_mem_new(NULL, &fs, &e), &e);
        book_new();
        OK(open_log(fs, NULL, &rep, 1, 0, 1, &w, &e), &e);
        for (int i = 0; i < 30; i++) OK(append(w, &book, (uint32_t)rng_below(&r, 6000), &e), &e);
        OK(frz__wal_close(w, &e), &e);
        char path[64];
        uint64_t edits = 1 + rng_below(&r, 6);
        for (uint64_t i = 0; i < edits; i++) {
            struct file *f = NULL;
            uint8_t junk[64];
            snprintf(path, sizeof path, DIR "/%09d.wal", 1 + (int)rng_below(&r, 2));
            for (size_t j = 0; j < sizeof junk; j++) junk[j] = (uint8_t)rng_next(&r);
            if (frz__fs_open(fs, path, FS_OPEN_WRITE, &f, &e) == FRZ_NOT_FOUND) continue;
            if (rng_below(&r, 5)) OK(frz__file_write(f, rng_below(&r, rng_below(&r, 2) ? 400 : SEGMENT), junk, rng_below(&r, sizeof junk), &e), &e);
            else OK(frz__file_truncate(f, rng_below(&r, SEGMENT), &e), &e);
            OK(frz__file_close(f, &e), &e);
        }
        int rc = frz__wal_read(NULL, NULL, fs, DIR, NULL, &rep, &e);
        assert_true(rc == FRZ_OK || rc == FRZ_CORRUPT || rc == FRZ_NEWER_FORMAT);
        frz__fs_free(fs);
    }
}

TEST(wal, hazard_24_damage_of_a_synced_segment_header_is_corruption_of_an_unsynced_one_the_tail)
{
    frz_error e;
    for (int synced = 0; synced < 2; synced++) {
        struct fs *fs = NULL;
        struct wal *w = NULL;
        struct wal_report rep = {0};
        struct seen s;
        OK(frz__fs_mem_new(NULL, &fs, &e), &e);
        book_new();
        OK(open_log(fs, NULL, &rep, 1, 0, 1, &w, &e), &e);
        for (int i = 0; i < 4; i++) {
            OK(append(w, &book, 60000, &e), &e);
            if (synced) OK(frz__wal_sync(w, &e), &e);
        }
        OK(frz__wal_close(w, &e), &e);
        flip(fs, DIR "/000000002.wal", 30, 1);
        flip(fs, DIR "/000000002.wal", 160, 1);
        if (synced) {
            FAILS(read_log(fs, NULL, &book, &s, &rep, &e), FRZ_CORRUPT, &e);
            MESSAGE_HAS(&e, "000000002.wal at offset 0");
        } else {
            OK(read_log(fs, NULL, &book, &s, &rep, &e), &e);
            assert_int_equal(s.count, 1);
            assert_true(rep.tail_cut);
        }
        frz__fs_free(fs);
    }
}

/* ── recycling ── */

TEST(wal, a_recycled_segment_never_replays_its_former_life)
{
    frz_error e;
    struct fs *fs = NULL;
    struct wal *w = NULL;
    struct wal_report rep = {0};
    struct seen s;
    struct wal_stats st;
    OK(frz__fs_mem_new(NULL, &fs, &e), &e);
    book_new();
    OK(open_log(fs, NULL, &rep, 1, 2, 1, &w, &e), &e);
    for (int i = 0; i < 300; i++) {
        OK(append(w, &book, 3000, &e), &e);
        if (i % 20 == 19) {
            OK(frz__wal_sync(w, &e), &e);
            OK(release(w, frz__wal_segment(w), &e), &e);
            OK(read_log(fs, NULL, &book, &s, &rep, &e), &e);
            assert_int_equal(rep.segments, 1);
            assert_int_equal(rep.seq_last, book.seq_next - 1);
            assert_false(rep.tail_cut);
        }
    }
    frz__wal_stats(w, &st);
    assert_true(st.recycled > 8);
    assert_int_equal(st.segments, 1);
    OK(frz__wal_close(w, &e), &e);
    OK(read_log(fs, NULL, &book, &s, &rep, &e), &e);
    /* a process that died in a recycled segment: the next goes on, spares and all */
    OK(open_log(fs, NULL, &rep, 2, 2, book.seq_next, &w, &e), &e);
    OK(append(w, &book, 10, &e), &e);
    frz__wal_stats(w, &st);
    assert_int_equal(st.recycled, 0); /* counted since open, where one was used */
    OK(frz__wal_close(w, &e), &e);
    OK(read_log(fs, NULL, &book, &s, &rep, &e), &e);
    assert_int_equal(rep.seq_last, book.seq_next - 1);
    frz__fs_free(fs);
}

/* ── failures ── */

/* A scenario under FULL: append, sync, acknowledge; some drops, a release. Errors are passed over as an engine does: what failed is refused. Gives how many were acknowledged. */
static size_t scenario(struct fs *fs, const allocator *a, bool refuse, frz_error *e)
{
    struct wal_report rep;
    struct seen s;
    struct wal *w = NULL;
    size_t acked = 0;
    if (read_log(fs, a, &book, &s, &rep, e) < 0 || open_log(fs, a, &rep, 1, 1, book.seq_next, &w, e) < 0) return 0;
    for (int i = 0; i < 26; i++) {
        int rc = append(w, &book, i % 7 == 3 ? 20000 : 900, e);
        struct group *g = &book.g[book.count - 1];
        if (rc >= 0) {
            rc = frz__wal_sync(w, e);
            if (rc >= 0) g->acked = true;
            else {
                g->failed = true; /* may be replayed only while no later segment says so: after a cut */
                if (refuse && frz__wal_refuse(w, g->base, e) < 0) {}
                else if (!refuse && i < 25) book.seq_next = g->base; /* assigned again: so the old one was refused */
                else if (!refuse) g->failed = false;                 /* nobody refused it */
            }
        } else if (!refuse) {
            book.seq_next = g->base;
        }
        acked += g->acked;
        if (i == 20 && release(w, frz__wal_segment(w), e) < 0) {}
        if (i == 20)
            for (size_t k = 0; k < book.count; k++) book.g[k].acked = false; /* published: may be gone */
        if (i == 12 && (refuse || !g->failed) && frz__wal_append_drop(w, 5, 0, e) < 0) {} /* it would write again what is only refused by being assigned again */
    }
    (void)frz__wal_close(w, e);
    return acked;
}

TEST(wal, hazard_11_after_any_failed_call_what_was_acknowledged_is_there_and_what_failed_is_not)
{
    frz_error e;
    for (int kind = 0; kind < 3; kind++)
        for (int refuse = 0; refuse < 2; refuse++) {
            bool failed = true;
            for (uint64_t n = 1; failed; n++) {
                struct fs *fs = NULL;
                struct wal_report rep;
                struct seen s;
                OK(frz__fs_fault_new(NULL, n, &fs, &e), &e);
                book_new();
                struct fs_fault_plan plan = {.fail_call = n, .fail_calls = 1 + n % 2, .error = (enum fs_fault_error)kind};
                frz__fs_fault_plan(fs, &plan);
                size_t acked = scenario(fs, NULL, refuse, &e);
                failed = frz__fs_fault_counts(fs).calls >= n;
                frz__fs_fault_plan(fs, &(struct fs_fault_plan){0});
                OK(read_log(fs, NULL, &book, &s, &rep, &e), &e);
                all_acked(&book, &s);
                assert_true(acked >= 24 || s.count == 0 || n < 40);
                frz__fs_free(fs);
            }
        }
}

TEST(wal, under_full_sync_a_power_cut_at_any_call_loses_nothing_that_was_acknowledged)
{
    frz_error e;
    bool cut = true;
    for (uint64_t n = 1; cut; n++) {
        struct fs *fs = NULL;
        OK(frz__fs_fault_new(NULL, n, &fs, &e), &e);
        book_new();
        frz__fs_fault_plan(fs, &(struct fs_fault_plan){.cut_change = n});
        (void)scenario(fs, NULL, true, &e);
        cut = frz__fs_fault_is_cut(fs);
        for (size_t i = 0; i < book.count; i++) book.g[i].failed = false; /* what was under way may be there */
        for (uint64_t seed = 0; seed < 6; seed++) {
            struct fs *after = NULL;
            struct wal_report rep;
            struct wal *w = NULL;
            struct seen s;
            struct book keep = book;
            OK(frz__fs_fault_reboot(fs, seed, &after, &e), &e);
            OK(read_log(after, NULL, &book, &s, &rep, &e), &e);
            all_acked(&book, &s);
            /* and the log goes on, through one more cut */
            size_t before = s.count;
            for (size_t i = s.at; i < book.count; i++) book.g[i].failed = true;
            book.seq_next = rep.seq_last + 1;
            OK(open_log(after, NULL, &rep, 2, 1, book.seq_next, &w, &e), &e);
            OK(append(w, &book, 500, &e), &e);
            OK(frz__wal_sync(w, &e), &e);
            book.g[book.count - 1].acked = true;
            struct fs *again = NULL;
            OK(frz__fs_fault_reboot(after, seed, &again, &e), &e);
            OK(read_log(again, NULL, &book, &s, &rep, &e), &e);
            all_acked(&book, &s);
            assert_int_equal(s.count, before + 1);
            OK(frz__wal_close(w, &e), &e);
            frz__fs_free(again);
            frz__fs_free(after);
            book = keep;
        }
        frz__fs_free(fs);
    }
}

TEST(wal, hazard_10_blocks_persisted_out_of_order_are_a_tail_under_off)
{
    frz_error e;
    size_t cuts = 0;
    for (uint64_t seed = 0; seed < 60; seed++) {
        struct fs *fs = NULL, *after = NULL;
        struct wal *w = NULL;
        struct wal_report rep = {0};
        struct seen s;
        OK(frz__fs_fault_new(NULL, seed, &fs, &e), &e);
        book_new();
        OK(open_log(fs, NULL, &rep, 1, 1, 1, &w, &e), &e);
        for (int i = 0; i < 60; i++) {
            OK(append(w, &book, 2500 + 97 * (uint32_t)i, &e), &e);
            if (i == 9) {
                OK(frz__wal_sync(w, &e), &e);
                ack_all(&book);
            }
        }
        OK(frz__fs_fault_reboot(fs, seed, &after, &e), &e);
        OK(read_log(after, NULL, &book, &s, &rep, &e), &e);
        all_acked(&book, &s);
        for (size_t i = 0; i < s.count; i++) assert_int_equal(book.g[i].base, i ? book.g[i - 1].base + book.g[i - 1].ops : 1);
        assert_int_equal(s.at, s.count); /* a prefix */
        cuts += rep.tail_cut;
        OK(frz__wal_close(w, &e), &e);
        frz__fs_free(after);
        frz__fs_free(fs);
    }
    assert_true(cuts > 20);
}

TEST(wal, a_failed_sync_under_interval_loses_no_record_and_a_later_sync_holds_for_all)
{
    frz_error e;
    for (int when = 0; when < 2; when++) { /* in the first segment after it was synced once, and in a second that never was */
        struct fs *fs = NULL, *after = NULL;
        struct wal *w = NULL;
        struct wal_report rep = {0};
        struct seen s;
        OK(frz__fs_fault_new(NULL, 3, &fs, &e), &e);
        book_new();
        OK(open_log(fs, NULL, &rep, 1, 1, 1, &w, &e), &e);
        OK(append(w, &book, 100, &e), &e);
        OK(frz__wal_sync(w, &e), &e);
        for (int i = 0; i < (when ? 90 : 5); i++) OK(append(w, &book, 2000, &e), &e);
        struct wal_table two = table_line(2, 1);
        OK(frz__wal_add_table(w, &two, &e), &e);
        OK(frz__wal_append_drop(w, 2, 0, &e), &e);
        frz__fs_fault_plan(fs, &(struct fs_fault_plan){.fail_call = 1});
        FAILS(frz__wal_sync(w, &e), FRZ_IO, &e);
        MESSAGE_HAS(&e, "never repeated");
        if (when) OK(append(w, &book, 100, &e), &e);
        OK(frz__wal_sync(w, &e), &e);
        ack_all(&book);
        OK(frz__fs_fault_reboot(fs, 0, &after, &e), &e); /* nothing that was not synced */
        OK(read_log(after, NULL, &book, &s, &rep, &e), &e);
        assert_int_equal(s.count, book.count);
        assert_int_equal(s.drops, 1);
        OK(frz__wal_close(w, &e), &e);
        frz__fs_free(after);
        frz__fs_free(fs);
    }
}

/* Who failed has not refused its record yet: if it were written again now, it would come back after a crash. */
TEST(wal, a_sync_beside_appends_leaves_alone_what_is_in_doubt)
{
    frz_error e;
    struct fs *fs = NULL, *after = NULL;
    struct wal *w = NULL;
    struct wal_report rep = {0};
    struct seen s;
    OK(frz__fs_fault_new(NULL, 3, &fs, &e), &e);
    book_new();
    OK(open_log(fs, NULL, &rep, 1, 1, 1, &w, &e), &e);
    OK(append(w, &book, 100, &e), &e);
    OK(frz__wal_sync_beside(w, &e), &e);
    ack_all(&book);
    struct wal_stats before, now;
    frz__wal_stats(w, &before);
    OK(frz__wal_sync_beside(w, &e), &e); /* nothing to do */
    OK(append(w, &book, 50, &e), &e);
    struct group *refused = &book.g[book.count - 1];
    frz__fs_fault_plan(fs, &(struct fs_fault_plan){.fail_call = 1});
    FAILS(frz__wal_sync(w, &e), FRZ_IO, &e);
    assert_int_equal(frz__wal_sync_beside(w, &e), FRZ_DONE);
    frz__wal_stats(w, &now);
    assert_int_equal(now.syncs, before.syncs + 1);
    OK(frz__wal_refuse(w, refused->base, &e), &e);
    refused->failed = true;
    OK(append(w, &book, 100, &e), &e);
    OK(frz__wal_sync_beside(w, &e), &e); /* all is whole again */
    ack_all(&book);
    OK(frz__fs_fault_reboot(fs, 0, &after, &e), &e);
    OK(read_log(after, NULL, &book, &s, &rep, &e), &e);
    assert_int_equal(s.count, book.count - 1);
    OK(frz__wal_close(w, &e), &e);
    frz__fs_free(after);
    frz__fs_free(fs);
}

TEST(wal, an_allocation_that_fails_leaks_nothing_and_loses_nothing)
{
    frz_error e;
    bool failed = true;
    for (long n = 1; failed; n++) {
        struct test_alloc ta;
        struct fs *fs = NULL;
        struct wal_report rep;
        struct seen s;
        OK(frz__fs_mem_new(NULL, &fs, &e), &e);
        book_new();
        test_alloc_init(&ta, n);
        (void)scenario(fs, &ta.vt, true, &e);
        assert_int_equal(ta.live, 0);
        failed = ta.calls >= n;
        OK(read_log(fs, NULL, &book, &s, &rep, &e), &e);
        all_acked(&book, &s);
        test_alloc_init(&ta, n); /* and reading */
        int rc = read_log(fs, &ta.vt, &book, &s, &rep, &e);
        assert_true(rc == FRZ_OK || rc == FRZ_NO_MEMORY);
        assert_int_equal(ta.live, 0);
        frz__fs_free(fs);
    }
}

/* Under `interval`: syncs now and then; segments are recycled. What was appended before the last good sync is there, and what is there is a run without gaps. */
TEST(wal, under_interval_a_power_cut_at_any_call_leaves_a_prefix_with_all_that_was_synced)
{
    frz_error e;
    bool cut = true;
    for (uint64_t n = 1; cut; n++) {
        struct fs *fs = NULL;
        struct wal *w = NULL;
        struct wal_report rep;
        struct seen s;
        size_t released = 0;
        OK(frz__fs_fault_new(NULL, n, &fs, &e), &e);
        book_new();
        frz__fs_fault_plan(fs, &(struct fs_fault_plan){.cut_change = n});
        if (read_log(fs, NULL, &book, &s, &rep, &e) == FRZ_OK && open_log(fs, NULL, &rep, 1, 1, 1, &w, &e) == FRZ_OK) {
            for (int i = 0; i < 60 && !frz__fs_fault_is_cut(fs); i++) {
                (void)append(w, &book, 5000 + 200 * (uint32_t)(i % 7), &e);
                book.g[book.count - 1].failed = false; /* a cut: it may be there */
                if (i % 17 == 16 && frz__wal_sync(w, &e) == FRZ_OK)
                    for (size_t k = released; k < book.count; k++) book.g[k].acked = true;
                if (i == 35 || i == 52) {
                    if (release(w, frz__wal_segment(w) - 1, &e) < 0) {}
                    released = book.count; /* with their segments, perhaps */
                    for (size_t k = 0; k < released; k++) book.g[k].acked = false;
                }
            }
            (void)frz__wal_close(w, &e);
        }
        cut = frz__fs_fault_is_cut(fs);
        for (uint64_t seed = 0; seed < 8; seed++) {
            struct fs *after = NULL;
            OK(frz__fs_fault_reboot(fs, seed, &after, &e), &e);
            OK(read_log(after, NULL, &book, &s, &rep, &e), &e);
            all_acked(&book, &s);
            frz__fs_free(after);
        }
        frz__fs_free(fs);
    }
}

/* ── threads ── */

#include <pthread.h>

static struct { struct fs *fs; struct wal *w; _Atomic bool stop; _Atomic uint64_t syncs, reads, busy; } race;

static void *race_sync(void *arg)
{
    frz_error e;
    (void)arg;
    while (!race.stop) {
        if (frz__wal_sync_beside(race.w, &e) != FRZ_OK) abort();
        race.syncs++;
        frz__wal_set_low_water(race.w, 1, race.syncs);
        if (race.syncs % 8 == 0 && frz__wal_recycle(race.w, &e) < 0) abort();
    }
    return NULL;
}
static void *race_read(void *arg)
{
    frz_error e;
    (void)arg;
    while (!race.stop) {
        struct wal_report rep;
        int rc = frz__wal_read(NULL, NULL, race.fs, DIR, NULL, &rep, &e);
        if (rc != FRZ_OK && rc != FRZ_BUSY) {
            print_error("%s\n", e.message);
            abort();
        }
        race.reads++;
        race.busy += rc == FRZ_BUSY;
    }
    return NULL;
}

TEST(wal, is_synced_released_and_read_beside_appends)
{
    frz_error e;
    struct wal_report rep = {0};
    const char *root = test_tmp_dir("wal");
    pthread_t t[2];
    race.stop = false;
    OK(frz__fs_posix_new(NULL, root, false, &race.fs, &e), &e);
    OK(open_log(race.fs, NULL, &rep, 1, 2, 1, &race.w, &e), &e);
    assert_int_equal(pthread_create(&t[0], NULL, race_sync, NULL), 0);
    assert_int_equal(pthread_create(&t[1], NULL, race_read, NULL), 0);
    static uint8_t bytes[2000];
    uint64_t seq = 1;
    for (; seq <= 6000; seq++) {
        uint64_t segment;
        slice op = slice_of(bytes, 1 + seq * 37 % sizeof bytes);
        OK(frz__wal_append(race.w, seq, 1, &op, 1, &segment, &e), &e);
        if (seq % 40 == 0) OK(frz__wal_sync(race.w, &e), &e);
        if (seq % 60 == 0) OK(frz__wal_release(race.w, segment - 1, &e), &e);
        if (seq % 240 == 0) assert_true(frz__wal_recycle(race.w, &e) >= 0); /* perhaps both at once */
    }
    race.stop = true;
    for (int i = 0; i < 2; i++) pthread_join(t[i], NULL);
    OK(frz__wal_close(race.w, &e), &e);
    OK(frz__wal_read(NULL, NULL, race.fs, DIR, NULL, &rep, &e), &e);
    assert_int_equal(rep.seq_last, seq - 1);
    frz__fs_free(race.fs);
    test_tmp_remove(root);
}

#ifdef FRZ_FAILPOINTS
static void *read_once(void *arg)
{
    struct wal_report rep;
    frz_error e;
    (void)arg;
    if (frz__wal_read(NULL, NULL, race.fs, DIR, NULL, &rep, &e) != FRZ_OK) {
        print_error("%s\n", e.message);
        return NULL;
    }
    race.reads = rep.seq_last;
    return NULL;
}

/* What bears witness of a record that the reader did not see was written after it looked, as the record was. */
TEST(wal, what_is_appended_and_synced_while_its_end_is_read_is_no_damage)
{
    frz_error e;
    struct wal_report rep = {0};
    pthread_t t;
    OK(frz__fs_mem_new(NULL, &race.fs, &e), &e);
    book_new();
    OK(open_log(race.fs, NULL, &rep, 1, 1, 1, &race.w, &e), &e);
    for (int i = 0; i < 3; i++) OK(append(race.w, &book, 500, &e), &e);
    race.reads = 0;
    assert_true(frz__test_failpoint("wal.judge", "pause"));
    assert_int_equal(pthread_create(&t, NULL, read_once, NULL), 0);
    assert_true(frz__test_failpoint_wait_paused("wal.judge", 120000));
    for (int i = 0; i < 200; i++) { /* over some segments */
        OK(append(race.w, &book, 900, &e), &e);
        OK(frz__wal_sync(race.w, &e), &e);
    }
    frz__test_failpoint_resume("wal.judge");
    pthread_join(t, NULL);
    assert_in_range(race.reads, book.g[3].base, book.seq_next - 1);
    OK(frz__wal_close(race.w, &e), &e);
    frz__fs_free(race.fs);
}
#endif
