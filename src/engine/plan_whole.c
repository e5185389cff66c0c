/* plan_whole.c — what a manual compaction rewrites: within its range, files that overlap become one run, dead rows go, what was flushed becomes what scans like, and small neighbours become one file.
 *
 * Files of the range fall into groups: each overlaps with the one before it, and nothing outside the group. Neighbouring groups with work are one job while they fit. A group too large for a job is taken
 * in windows by first key: what a window leaves below the first key of the next file is final, and above it there are fewer files to a key than before, so that it ends. */
#include "engine/plan.h"

#include <stdlib.h>

struct group {
    size_t from, end; /* of `order` */
    uint64_t bytes, rows;
    size_t open;      /* files of it at once, when it is merged; at most a bit more than may be */
    enum plan_reason reason;
    bool busy;
    size_t joined;    /* groups that are small together with this one, which is their first; 0 = none */
};
struct placed { slice first; size_t file; };
struct whole {
    const struct plan_file *files;
    const struct plan_options *o;
    struct placed *order; /* of the range, by first key */
    struct group *groups;
    size_t file_count, group_count;
};

static int cmp_placed(const void *a, const void *b)
{
    const struct placed *x = (const struct placed *)a, *y = (const struct placed *)b;
    int c = slice_cmp(x->first, y->first);
    return c ? c : (x->file > y->file) - (x->file < y->file);
}

/* The runs that files taken by their first key make. */
struct open_runs { slice last[RELOC_INPUTS_MAX + 1]; size_t count; };

/* False: F overlaps all of MAX runs. */
static bool open_file(struct open_runs *r, const struct plan_file *f, size_t max)
{
    for (size_t i = 0; i < r->count; i++) {
        if (slice_cmp(r->last[i], f->first) >= 0) continue;
        r->last[i] = f->last;
        return true;
    }
    if (r->count == max || r->count == FRZ_ARRAY_LEN(r->last)) return false;
    r->last[r->count++] = f->last;
    return true;
}

static void add_group(struct whole *w, size_t from, size_t end)
{
    struct open_runs runs = {.count = 0};
    struct group g = {.from = from, .end = end, .reason = end - from > 1 ? PLAN_RUNS : PLAN_NOTHING};
    for (size_t i = from; i < end; i++) {
        const struct plan_file *f = &w->files[w->order[i].file];
        g.bytes += plan_live_bytes(f);
        g.rows += f->rows - f->dead;
        g.busy |= f->busy;
        (void)open_file(&runs, f, w->o->open_max + 1);
        if (g.reason == PLAN_NOTHING) g.reason = f->dead ? PLAN_MASKED : f->level == 0 ? PLAN_MANUAL : PLAN_NOTHING;
    }
    g.open = runs.count;
    w->groups[w->group_count++] = g;
}

/* Neighbours without other work that fit well into one file. */
static void join_small(struct whole *w)
{
    uint64_t room = w->o->target_bytes / 4 * 3, rows_max = w->o->target_rows ? w->o->target_rows / 4 * 3 : UINT64_MAX;
    for (size_t i = 0, n; i < w->group_count; i += n) {
        uint64_t bytes = 0, rows = 0;
        for (n = 0; i + n < w->group_count && n < w->o->files_max; n++) {
            const struct group *g = &w->groups[i + n];
            if (g->reason != PLAN_NOTHING || g->busy || bytes + g->bytes > room || rows + g->rows > rows_max) break;
            bytes += g->bytes;
            rows += g->rows;
        }
        if (n > 1) {
            w->groups[i].joined = n;
            for (size_t k = i; k < i + n; k++) w->groups[k].reason = PLAN_SMALL;
        }
        if (n == 0) n = 1;
    }
}

static int whole_init(struct whole *w, const allocator *a, const struct plan_file *files, size_t count, const struct plan_options *o, frz_error *err)
{
    *w = (struct whole){.files = files, .o = o};
    w->order = (struct placed *)frz__alloc_array(a, count + 1, sizeof *w->order);
    w->groups = (struct group *)frz__alloc_array(a, count + 1, sizeof *w->groups);
    if (!w->order || !w->groups) return frz__err_no_memory(err, count * sizeof *w->groups);
    for (size_t k = 0; k < count; k++) {
        const struct plan_file *f = &files[k];
        if (f->foreign || (o->from.data && slice_cmp(f->last, o->from) < 0) || (o->to.data && slice_cmp(f->first, o->to) >= 0)) continue;
        w->order[w->file_count++] = (struct placed){f->first, k};
    }
    if (w->file_count) qsort(w->order, w->file_count, sizeof *w->order, cmp_placed);
    for (size_t from = 0, end; from < w->file_count; from = end) {
        slice last = files[w->order[from].file].last;
        for (end = from + 1; end < w->file_count && slice_cmp(w->order[end].first, last) <= 0; end++)
            if (slice_cmp(files[w->order[end].file].last, last) > 0) last = files[w->order[end].file].last;
        add_group(w, from, end);
    }
    join_small(w);
    return FRZ_OK;
}

static void whole_clear(struct whole *w, const allocator *a)
{
    frz__free(a, w->order);
    frz__free(a, w->groups);
}

/* ── what one job takes ── */

static void take(const struct whole *w, const struct group *g, struct plan *out)
{
    for (size_t i = g->from; i < g->end; i++) out->inputs[out->count++] = w->order[i].file;
    out->input_bytes += g->bytes;
}

/* More than a job may read; pieces, so that the next window can end near the end of one. */
static void take_window(const struct whole *w, const struct group *g, uint64_t bytes_max, struct plan *out)
{
    struct open_runs runs = {.count = 0};
    uint64_t piece = bytes_max / (w->o->ratio + 2);
    for (size_t i = g->from; i < g->end && out->count < w->o->files_max; i++) {
        const struct plan_file *f = &w->files[w->order[i].file];
        uint64_t more = plan_live_bytes(f);
        if ((out->count >= 2 && out->input_bytes + more > bytes_max) || !open_file(&runs, f, w->o->open_max)) break;
        out->inputs[out->count++] = w->order[i].file;
        out->input_bytes += more;
    }
    if (piece < out->output_bytes) out->output_bytes = piece;
}

static bool is_work(const struct group *g) { return g->reason != PLAN_NOTHING && g->reason != PLAN_SMALL; }

static bool fits(const struct whole *w, const struct group *g, uint64_t bytes_max, const struct plan *out)
{
    return g->open <= w->o->open_max && out->count + (g->end - g->from) <= w->o->files_max && out->input_bytes + g->bytes <= bytes_max;
}

static void pick(const struct whole *w, struct plan *out)
{
    uint64_t least = w->o->target_bytes > UINT64_MAX / 4 ? UINT64_MAX : w->o->target_bytes * 4; /* a window of less would leave crumbs */
    uint64_t bytes_max = w->o->input_bytes_max > least ? w->o->input_bytes_max : least;
    for (size_t i = 0; i < w->group_count; i++) {
        const struct group *g = &w->groups[i];
        if (!is_work(g)) continue;
        if (g->busy) {
            out->blocked = true;
            continue;
        }
        if (g->end - g->from > 2 && !fits(w, g, bytes_max, out)) {
            take_window(w, g, bytes_max, out);
            return;
        }
        take(w, g, out);
        for (i++; i < w->group_count && is_work(&w->groups[i]) && !w->groups[i].busy && fits(w, &w->groups[i], bytes_max, out); i++) take(w, &w->groups[i], out);
        return;
    }
    for (size_t i = 0; i < w->group_count; i++) {
        if (!w->groups[i].joined) continue;
        for (size_t k = 0; k < w->groups[i].joined; k++) take(w, &w->groups[i + k], out);
        out->one_file = true;
        return;
    }
}

int frz__plan_whole(const allocator *a, const struct plan_file *files, size_t count, const struct plan_options *o, uint8_t level, struct plan *out, frz_error *err)
{
    struct whole w;
    int rc = whole_init(&w, a, files, count, o, err);
    if (rc >= 0) {
        out->reason = PLAN_MANUAL;
        out->level = level;
        out->last = true;
        out->output_bytes = o->target_bytes;
        pick(&w, out);
    }
    whole_clear(&w, a);
    return rc;
}

int frz__plan_scope(const allocator *a, const struct plan_file *files, size_t count, const struct plan_options *o, enum plan_reason *why, size_t *order, size_t *n, frz_error *err)
{
    struct whole w;
    int rc = whole_init(&w, a, files, count, o, err);
    *n = 0;
    for (size_t k = 0; k < count; k++) why[k] = PLAN_NOTHING;
    for (size_t i = 0; rc >= 0 && i < w.group_count; i++)
        for (size_t k = w.groups[i].from; k < w.groups[i].end && w.groups[i].reason != PLAN_NOTHING; k++) {
            why[w.order[k].file] = w.groups[i].reason;
            order[(*n)++] = w.order[k].file;
        }
    whole_clear(&w, a);
    return rc;
}
