#include "sst/sst_int.h"

struct slot {
    int64_t leaf; /* -1 = not in the file: DEF in every row */
    const frz_value *def;
};
/* One column, page by page: the page at hand. */
struct back {
    bool any;
    size_t group, page;
    struct vec vec;
};
struct sst_fetch {
    const allocator *a;
    struct sst *s;
    struct codec_ctx *codec, *own_codec; /* of the options, or its own */
    bool reverse;
    bool few;    /* rows, of few bytes: by way of the cache, as gets read them */
    size_t batch_bytes; /* a batch ends near it; no more than a vector can hold */
    size_t wide_group;  /* SIZE_MAX, or what the next is of */
    uint64_t row_bytes;
    size_t shown, count; /* slots */
    struct slot *slots;
    frz_type *types;
    size_t *key_slots;
    /* those that the file has */
    size_t read_count;
    size_t *read_slot, *read_leaf;
    frz_type *read_types;
    struct vecs moved; /* SLOTS' vectors while pq_scan fills them */
    struct pq_range *ranges;
    size_t range_count;
    /* where we are */
    struct pq_scan *scan; /* forward, if there are columns and many rows */
    struct back *backs;   /* backward, but for few */
    size_t range;         /* forward: the range at hand; backward: how many are left */
    uint64_t pos;         /* forward: next row; backward: end of what is left of the range at hand */
    bool in_range;
};

#define FEW_ROWS    SST_KEY_PAGE_ROWS
#define FEW_BYTES   ((uint64_t)4 << 20)
#define BATCH_BYTES ((size_t)16 << 20) /* where nobody says how much memory there is */

static const frz_value null_value = {FRZ_NULL, 0, {0}};

static void fetch_add(struct sst_fetch *f, frz_type type, int64_t leaf, const frz_value *def)
{
    size_t i = f->count++;
    f->slots[i] = (struct slot){leaf, def};
    f->types[i] = type;
    if (leaf < 0) return;
    f->read_slot[f->read_count] = i;
    f->read_leaf[f->read_count] = (size_t)leaf;
    f->read_types[f->read_count++] = type;
}

static void fetch_add_column(struct sst_fetch *f, size_t column)
{
    const struct column *c = &f->s->impl->schema->columns[column];
    fetch_add(f, c->type, f->s->impl->leaf[column], &c->initial);
}

static int fetch_layout(struct sst_fetch *f, const struct sst_scan_options *o, bool keys, frz_error *err)
{
    const allocator *a = f->a;
    const struct sst_impl *im = f->s->impl;
    size_t columns = o->columns ? o->column_count : im->schema->count, max = columns + 2 + im->schema->key_count;
    f->slots = (struct slot *)frz__alloc_array(a, max, sizeof *f->slots);
    f->types = (frz_type *)frz__alloc_array(a, max, sizeof *f->types);
    f->key_slots = (size_t *)frz__alloc_array(a, im->schema->key_count, sizeof *f->key_slots);
    f->read_slot = (size_t *)frz__alloc_array(a, max, sizeof *f->read_slot);
    f->read_leaf = (size_t *)frz__alloc_array(a, max, sizeof *f->read_leaf);
    f->read_types = (frz_type *)frz__alloc_array(a, max, sizeof *f->read_types);
    if (!f->slots || !f->types || !f->key_slots || !f->read_slot || !f->read_leaf || !f->read_types) return frz__err_no_memory(err, max * sizeof *f->slots);
    for (size_t i = 0; i < columns; i++) {
        size_t column = o->columns ? o->columns[i] : i;
        FRZ_VERIFY(column < im->schema->count, err);
        fetch_add_column(f, column);
    }
    if (o->lineage) {
        fetch_add(f, (frz_type){FRZ_LONG, 0, 0, 0}, im->row_id_leaf, &null_value);
        fetch_add(f, (frz_type){FRZ_LONG, 0, 0, 0}, im->updated_leaf, &null_value);
    }
    f->shown = f->count;
    for (size_t k = 0; keys && k < im->schema->key_count; k++) {
        size_t column = im->schema->key[k], at = 0;
        while (at < columns && (o->columns ? o->columns[at] : at) != column) at++;
        f->key_slots[k] = at < columns ? at : f->count;
        if (at == columns) fetch_add_column(f, column);
    }
    return FRZ_OK;
}

/* What a row of GROUP takes in memory, on average. */
static uint64_t row_bytes(struct sst_fetch *f, size_t group)
{
    if (f->wide_group == group) return f->row_bytes;
    f->row_bytes = 0;
    for (size_t i = 0; i < f->read_count; i++) f->row_bytes += frz__pq_value_bytes(f->s->impl->pq, group, f->read_leaf[i], f->read_types[i]);
    f->wide_group = group;
    return f->row_bytes;
}

static bool are_few(struct sst_fetch *f)
{
    const struct sst_impl *im = f->s->impl;
    uint64_t rows = 0, bytes = 0;
    for (size_t i = 0; i < f->range_count; i++) {
        const struct pq_range *r = &f->ranges[i];
        if ((rows += r->to - r->from) > FEW_ROWS) return false;
        for (uint64_t pos = r->from, end; pos < r->to; pos = end) {
            size_t group = frz__sst_group_of(im, pos);
            end = im->group_first[group + 1] < r->to ? im->group_first[group + 1] : r->to;
            bytes += row_bytes(f, group) * (end - pos);
        }
    }
    return bytes <= FEW_BYTES;
}

int frz__sst_fetch_new(struct sst *s, const struct sst_scan_options *o, bool keys, struct sst_fetch **out, frz_error *err)
{
    int rc = FRZ_OK;
    struct sst_fetch *f;
    const allocator *a = frz__sst_scan_allocator(s, o);
    TRY(ALLOC_NEW(&f, a, struct sst_fetch, err));
    f->a = a;
    f->s = frz__sst_acquire(s);
    f->reverse = o->reverse;
    f->batch_bytes = o->memory_bytes ? o->memory_bytes / 2 : BATCH_BYTES;
    if (f->batch_bytes > VEC_VAR_BYTES_MAX) f->batch_bytes = VEC_VAR_BYTES_MAX;
    f->wide_group = SIZE_MAX;
    if (o->reverse) CHECK(frz__sst_need_sorted(s, "a walk backward", err));
    if (!o->codec) CHECK(frz__codec_ctx_new(a, &f->own_codec, err));
    f->codec = o->codec ? o->codec : f->own_codec;
    CHECK(fetch_layout(f, o, keys, err));
    CHECK(frz__sst_plan(s, o, f->codec, &f->ranges, &f->range_count, err));
    CHECK(frz__vecs_init(&f->moved, a, f->read_types, f->read_count, err));
    f->few = are_few(f);
    if (o->reverse) f->range = f->range_count;
    if (f->few) {
        /* nothing to prepare */
    } else if (o->reverse) {
        f->backs = (struct back *)frz__alloc_array(a, f->read_count, sizeof *f->backs);
        if (!f->backs) CHECK(frz__err_no_memory(err, f->read_count * sizeof *f->backs));
        for (size_t i = 0; i < f->read_count; i++) frz__vec_init(&f->backs[i].vec, a, f->read_types[i]);
    } else if (f->read_count && f->range_count) {
        CHECK(frz__pq_scan_new(a, s->impl->pq, f->read_leaf, f->read_types, f->read_count, f->ranges, f->range_count, f->codec, &f->scan, err));
        if (o->memory_bytes) frz__pq_scan_read_ahead(f->scan, o->memory_bytes / 2);
        frz__pq_scan_batch_bytes(f->scan, f->batch_bytes);
    }
    *out = f;
done:
    if (rc < 0) frz__sst_fetch_free(f);
    return rc;
}

void frz__sst_fetch_free(struct sst_fetch *f)
{
    if (!f) return;
    const allocator *a = f->a;
    frz__pq_scan_free(f->scan);
    for (size_t i = 0; f->backs && i < f->read_count; i++) frz__vec_clear(&f->backs[i].vec);
    if (f->moved.cols) frz__vecs_clear(&f->moved);
    frz__codec_ctx_free(f->own_codec);
    frz__free(a, f->backs);
    frz__free(a, f->slots);
    frz__free(a, f->types);
    frz__free(a, f->key_slots);
    frz__free(a, f->read_slot);
    frz__free(a, f->read_leaf);
    frz__free(a, f->read_types);
    frz__free(f->s->env.a, f->ranges); /* the plan's */
    frz__sst_release(f->s);
    frz__free(a, f);
}

size_t frz__sst_fetch_shown(const struct sst_fetch *f) { return f->shown; }

size_t frz__sst_fetch_slots(const struct sst_fetch *f, const frz_type **types)
{
    *types = f->types;
    return f->count;
}

const size_t *frz__sst_fetch_key_slots(const struct sst_fetch *f) { return f->key_slots; }

/* The slots' vectors go into `moved` and come back: nothing is copied. */
static void swap_slots(struct sst_fetch *f, struct vec *slots)
{
    for (size_t i = 0; i < f->read_count; i++) {
        struct vec t = slots[f->read_slot[i]];
        slots[f->read_slot[i]] = f->moved.cols[i];
        f->moved.cols[i] = t;
    }
}

/* ── by page: few rows, or backward ── */

/* Rows of PAGE from INDEX on, behind those of OUT: the first of *N that a batch has room for, one at least where OUT is empty. *N: how many. */
static int add_rows(const struct sst_fetch *f, struct vec *out, const struct vec *page, size_t index, size_t *n, frz_error *err)
{
    size_t used = vec_used(out), rows = frz__vec_rows_within(page, index, *n, used < f->batch_bytes ? f->batch_bytes - used : 0);
    *n = rows || out->len ? rows : 1;
    return frz__vec_append_range(out, page, index, *n, err);
}

/* Rows [FROM, TO) of one column, or the first of them, out of cached pages. */
static int few_read(struct sst_fetch *f, size_t i, uint64_t from, uint64_t to, struct vec *out, frz_error *err)
{
    for (size_t wanted = 0, n = 0; from < to && n == wanted; from += n) {
        const struct vec *page;
        struct cache_entry *pin;
        size_t index;
        TRY(frz__sst_load_page(f->s, f->read_leaf[i], f->read_types[i], from, f->codec, &page, &index, &pin, err));
        wanted = n = to - from < page->len - index ? (size_t)(to - from) : page->len - index;
        int rc = add_rows(f, out, page, index, &n, err);
        frz__cache_unpin(f->s->env.cache, pin);
        if (rc < 0) return rc;
    }
    return FRZ_OK;
}

/* The same, all of one row group, by way of the page at hand. */
static int back_read(struct sst_fetch *f, size_t i, uint64_t from, uint64_t to, struct vec *out, frz_error *err)
{
    struct sst_impl *im = f->s->impl;
    struct back *b = &f->backs[i];
    size_t group = frz__sst_group_of(im, from), leaf = f->read_leaf[i];
    uint64_t base = im->group_first[group];
    const struct pq_pages *pages;
    for (size_t wanted = 0, n = 0; from < to && n == wanted; from += n) {
        size_t page;
        TRY(frz__sst_find_page(f->s, group, leaf, from - base, &pages, &page, err));
        if (!b->any || b->group != group || b->page != page) {
            b->any = false;
            vec_reset(&b->vec);
            TRY(frz__pq_page_read(im->pq, group, leaf, page, f->codec, &b->vec, err));
            if (b->vec.len != pages->first_row[page + 1] - pages->first_row[page])
                return frz__err_corrupt(err, "%s: row group %zu, column %s: page %zu has %zu rows, its index says otherwise", f->s->path, group, frz__pq_col(im->pq, leaf)->name, page, b->vec.len);
            b->any = true;
            b->group = group;
            b->page = page;
        }
        size_t index = (size_t)(from - base - pages->first_row[page]);
        wanted = n = to - from < b->vec.len - index ? (size_t)(to - from) : b->vec.len - index;
        TRY(add_rows(f, out, &b->vec, index, &n, err));
    }
    return FRZ_OK;
}

/* Rows [FROM, FROM + *ROWS) of each column: the first of them, one at least, where a column of all would be more than a batch may take. */
static int read_rows(struct sst_fetch *f, struct vec *slots, uint64_t from, size_t *rows, frz_error *err)
{
    for (size_t i = 0; i < f->read_count; i++) {
        struct vec *v = &slots[f->read_slot[i]];
        if (f->few) TRY(few_read(f, i, from, from + *rows, v, err));
        else TRY(back_read(f, i, from, from + *rows, v, err));
        for (size_t j = 0; j < i && v->len < *rows; j++) frz__vec_truncate(&slots[f->read_slot[j]], v->len);
        *rows = v->len;
    }
    return FRZ_OK;
}

/* Forward: whether there is a row at `pos`, which moves on from range to range. */
static bool at_row(struct sst_fetch *f)
{
    for (; f->range < f->range_count; f->range++) {
        const struct pq_range *r = &f->ranges[f->range];
        if (!f->in_range) f->pos = r->from;
        f->in_range = f->pos < r->to;
        if (f->in_range) return true;
    }
    return false;
}

/* No column of the file is wanted, or few rows of it. */
static int next_forward(struct sst_fetch *f, size_t max_rows, struct vec *slots, uint64_t *first_row, size_t *rows, frz_error *err)
{
    if (!at_row(f)) return FRZ_DONE;
    uint64_t left = f->ranges[f->range].to - f->pos;
    if (f->read_count) max_rows = frz__pq_rows_within(row_bytes(f, frz__sst_group_of(f->s->impl, f->pos)), f->batch_bytes, max_rows);
    *first_row = f->pos;
    *rows = left < max_rows ? (size_t)left : max_rows;
    TRY(read_rows(f, slots, f->pos, rows, err));
    f->pos += *rows;
    return FRZ_OK;
}

/* The key page, or the part of it, that ends what is left. */
static int next_back(struct sst_fetch *f, size_t max_rows, struct vec *slots, uint64_t *first_row, size_t *rows, frz_error *err)
{
    if (!f->in_range) {
        if (f->range == 0) return FRZ_DONE;
        f->pos = f->ranges[--f->range].to;
        f->in_range = true;
    }
    uint64_t stripe = (f->pos - 1) & ~(uint64_t)(SST_KEY_PAGE_ROWS - 1), from = f->ranges[f->range].from;
    if (from < stripe) from = stripe;
    if (f->read_count) max_rows = frz__pq_rows_within(row_bytes(f, frz__sst_group_of(f->s->impl, f->pos - 1)), f->batch_bytes, max_rows);
    *rows = f->pos - from > max_rows ? max_rows : (size_t)(f->pos - from);
    for (size_t wanted = 0; wanted != *rows;) { /* it is the last ones that are wanted: of so many fewer, again */
        wanted = *rows;
        for (size_t i = 0; i < f->read_count; i++) vec_reset(&slots[f->read_slot[i]]);
        TRY(read_rows(f, slots, f->pos - wanted, rows, err));
    }
    f->pos -= *rows;
    *first_row = f->pos;
    f->in_range = f->pos > f->ranges[f->range].from;
    return FRZ_OK;
}

/* Every page that rows [FIRST, FIRST + ROWS) came from is where its neighbours say. */
static int check_pages(struct sst_fetch *f, uint64_t first, size_t rows, frz_error *err)
{
    const struct sst_impl *im = f->s->impl;
    for (uint64_t pos = first; im->ours && pos < first + rows;) {
        size_t group = frz__sst_group_of(im, pos), page;
        uint64_t base = im->group_first[group], end = im->group_first[group + 1] < first + rows ? im->group_first[group + 1] : first + rows;
        for (size_t i = 0; i < f->read_count; i++) {
            const struct pq_pages *pages;
            for (uint64_t row = pos - base; row < end - base; row = pages->first_row[page + 1]) TRY(frz__sst_find_page(f->s, group, f->read_leaf[i], row, &pages, &page, err));
        }
        pos = end;
    }
    return FRZ_OK;
}

static int fill_defaults(struct sst_fetch *f, struct vec *slots, size_t rows, frz_error *err)
{
    for (size_t i = 0; i < f->count; i++) {
        if (f->slots[i].leaf >= 0) continue;
        if (value_is_null(f->slots[i].def)) TRY(frz__vec_append_nulls(&slots[i], rows, err));
        else
            for (size_t k = 0; k < rows; k++) TRY(frz__vec_append(&slots[i], f->slots[i].def, err));
    }
    return FRZ_OK;
}

int frz__sst_fetch_next(struct sst_fetch *f, size_t max_rows, struct vec *slots, uint64_t *first_row, size_t *rows, frz_error *err)
{
    int rc;
    FRZ_ASSERT(max_rows);
    for (size_t i = 0; i < f->count; i++) vec_reset(&slots[i]);
    if (f->reverse) {
        rc = next_back(f, max_rows, slots, first_row, rows, err);
    } else if (f->read_count == 0 || f->few) {
        rc = next_forward(f, max_rows, slots, first_row, rows, err);
    } else if (!f->scan) {
        rc = FRZ_DONE;
    } else {
        swap_slots(f, slots);
        rc = frz__pq_scan_next(f->scan, max_rows, &f->moved, first_row, err);
        *rows = f->moved.rows;
        swap_slots(f, slots);
        if (rc == FRZ_OK) TRY(check_pages(f, *first_row, *rows, err));
    }
    if (rc != FRZ_OK) return rc;
    for (size_t i = 0; i < f->read_count; i++) {
        const struct vec *v = &slots[f->read_slot[i]];
        if (v->len != *rows) return frz__err_corrupt(err, "%s: columns of %zu and %zu rows at row %" PRIu64, f->s->path, *rows, v->len, *first_row);
    }
    return fill_defaults(f, slots, *rows, err);
}
