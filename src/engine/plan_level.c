#include "engine/plan_level.h"

#include <stdlib.h>

/* Files of LEVEL that are BUSY or not, into S; RANGES and BY_KEY have room for all. */
static int build_set(const allocator *a, const struct plan_files *f, unsigned level, bool busy, struct key_range *ranges, uint32_t *by_key, size_t *picked, struct plan_set *s, frz_error *err)
{
    size_t n = 0;
    for (size_t k = 0; k < f->count; k++) {
        const struct plan_file *x = &f->at[k];
        if (x->level != level || x->foreign || x->busy != busy) continue;
        ranges[n] = (struct key_range){x->first, x->last, false};
        picked[n++] = k;
    }
    s->files = (size_t *)frz__alloc_array(a, n + 1, sizeof *s->files);
    s->runs = (struct run *)frz__alloc_array(a, n + 1, sizeof *s->runs);
    s->before = (uint64_t *)frz__alloc_array(a, n + 1, sizeof *s->before);
    if (!s->files || !s->runs || !s->before) return frz__err_no_memory(err, (n + 1) * sizeof *s->runs);
    TRY(frz__runs_build(a, ranges, n, by_key, s->runs, &s->run_count, err));
    s->file_count = n;
    s->before[0] = 0;
    for (size_t k = 0; k < n; k++) {
        s->files[k] = picked[by_key[k]];
        s->before[k + 1] = s->before[k] + f->live[s->files[k]];
    }
    return FRZ_OK;
}

static int by_first(const void *a, const void *b) { return slice_cmp(((const struct key_range *)a)->first, ((const struct key_range *)b)->first); }

/* COVER holds the ranges of the free files. */
static void join_cover(struct plan_level *l)
{
    struct key_range *c = l->cover;
    size_t n = 0;
    qsort(c, l->free.file_count, sizeof *c, by_first);
    for (size_t i = 0; i < l->free.file_count; i++) {
        if (n == 0 || slice_cmp(c[n - 1].last, c[i].first) < 0) c[n++] = c[i];
        else if (slice_cmp(c[n - 1].last, c[i].last) < 0) c[n - 1].last = c[i].last;
    }
    l->cover_count = n;
}

int frz__plan_level_build(const allocator *a, const struct plan_files *f, unsigned level, struct plan_level *out, frz_error *err)
{
    size_t n = 0;
    int rc = FRZ_OK;
    *out = (struct plan_level){.bytes = 0};
    for (size_t k = 0; k < f->count; k++) n += f->at[k].level == level;
    struct key_range *ranges = (struct key_range *)frz__alloc_array(a, n + 1, sizeof *ranges);
    uint32_t *by_key = (uint32_t *)frz__alloc_array(a, n + 1, sizeof *by_key);
    size_t *picked = (size_t *)frz__alloc_array(a, n + 1, sizeof *picked);
    if (!ranges || !by_key || !picked) CHECK(frz__err_no_memory(err, (n + 1) * sizeof *ranges));
    CHECK(build_set(a, f, level, true, ranges, by_key, picked, &out->busy, err));
    CHECK(build_set(a, f, level, false, ranges, by_key, picked, &out->free, err));
    out->bytes = out->busy.before[out->busy.file_count] + out->free.before[out->free.file_count];
    out->cover = ranges; /* of the free ones */
    ranges = NULL;
    join_cover(out);
done:
    frz__free(a, ranges);
    frz__free(a, by_key);
    frz__free(a, picked);
    return rc;
}

static void clear_set(const allocator *a, struct plan_set *s)
{
    frz__free(a, s->files);
    frz__free(a, s->runs);
    frz__free(a, s->before);
}

void frz__plan_level_clear(const allocator *a, struct plan_level *l)
{
    clear_set(a, &l->free);
    clear_set(a, &l->busy);
    frz__free(a, l->cover);
}

static int compare(const struct plan_files *f, slice x, slice y)
{
    ++*f->compared;
    return slice_cmp(x, y);
}

struct plan_span frz__plan_within(const struct plan_files *f, const struct plan_set *s, size_t r, slice first, slice last)
{
    struct plan_span all = plan_run_span(s, r), out = all;
    for (size_t end = all.end; out.from < end;) { /* the first that does not end before it */
        size_t mid = out.from + (end - out.from) / 2;
        if (compare(f, f->at[s->files[mid]].last, first) < 0) out.from = mid + 1;
        else end = mid;
    }
    for (size_t from = out.from; from < out.end;) { /* the first that begins behind it */
        size_t mid = from + (out.end - from) / 2;
        if (compare(f, f->at[s->files[mid]].first, last) <= 0) from = mid + 1;
        else out.end = mid;
    }
    return out;
}

uint64_t frz__plan_overlapped_bytes(const struct plan_files *f, const struct plan_level *l, size_t file)
{
    uint64_t bytes = 0;
    for (size_t r = 0; r < l->busy.run_count; r++) {
        struct plan_span span = frz__plan_overlapped(f, &l->busy, r, file);
        if (span.from < span.end) return UINT64_MAX;
    }
    for (size_t r = 0; r < l->free.run_count; r++) bytes += plan_span_bytes(&l->free, frz__plan_overlapped(f, &l->free, r, file));
    return bytes;
}

bool frz__plan_covers(const struct plan_files *f, const struct plan_level *l, size_t file)
{
    size_t from = 0;
    for (size_t end = l->cover_count; from < end;) {
        size_t mid = from + (end - from) / 2;
        if (compare(f, l->cover[mid].last, f->at[file].first) < 0) from = mid + 1;
        else end = mid;
    }
    return from < l->cover_count && compare(f, l->cover[from].first, f->at[file].last) <= 0;
}
