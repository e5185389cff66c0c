#include "parquet/pq_col_write.h"

#include "base/hash.h"

#define K_MAX_CHOSEN 14u              /* 16,384 rows a page: columns of small values give no better pages beyond */
#define K_MIN_CHOSEN 5u
#define PAGE_BYTES_HUGE ((double)(1 << 20)) /* fewer than 2^5 rows only where those would take more */
#define PAGE_BYTES_SPLIT 4u           /* a stripe of so many times what its rows were sampled at is more pages than one */
#define TRIAL_VALUES_MIN 16384u       /* seen before a dictionary is given up as hopeless */
#define TRIAL_VALUES_SURE 65536u      /* seen before it is taken as sure */
#define TRIAL_VALUES_MAX 262144u      /* then it must be decided */
#define TRIAL_PAGES 4u                /* compressed both ways where the sizes alone do not tell */

int frz__pq_wcolumn_init(struct pq_wcolumn *c, const allocator *a, const struct pq_wcol *spec, frz_error *err)
{
    *c = (struct pq_wcolumn){.field_id = spec->field_id, .type = spec->type, .required = spec->required, .bounds_full = spec->bounds_full, .k = spec->page_rows_log2};
    frz__vec_init(&c->stripe, a, spec->type);
    c->data = c->bounds = c->levels = c->lower = c->upper = BUF_INIT(a, 0);
    c->extent = c->file_extent = (struct pq_extent){false, BUF_INIT(a, 0), BUF_INIT(a, 0)};
    c->text = spec->type.id == FRZ_STRING;
    TRY(frz__pq_form(spec->type, &c->form, err));
    frz__pq_dict_init(&c->dict, a, c->form);
    c->dictionary = spec->dictionary && c->form.phys != PQ_BOOLEAN;
    c->dict_state = c->dictionary ? PQ_DICT_TRIAL : PQ_DICT_OFF;
    c->fixed = c->decided = c->k != 0;
    while (c->k && (uint64_t)c->form.width << c->k > PQ_PAGE_BYTES_MAX / 16) c->k--;
    c->row_bytes = c->form.width ? c->form.width : 16;
    c->name = frz__strdup(a, spec->name);
    return c->name ? FRZ_OK : frz__err_no_memory(err, strlen(spec->name) + 1);
}

void frz__pq_wcolumn_clear(struct pq_wcolumn *c)
{
    const allocator *a = c->stripe.a;
    frz__vec_clear(&c->stripe);
    buf_clear(&c->data);
    buf_clear(&c->bounds);
    buf_clear(&c->levels);
    buf_clear(&c->lower);
    buf_clear(&c->upper);
    frz__pq_extent_clear(&c->extent);
    frz__pq_extent_clear(&c->file_extent);
    frz__pq_dict_clear(&c->dict);
    frz__free(a, c->pages);
    frz__free(a, c->index);
    frz__free(a, c->name);
    frz__free(a, c->spilled);
    c->spilled = NULL;
    c->pages = NULL;
    c->index = NULL;
    c->name = NULL;
}

uint64_t frz__pq_wcolumn_waiting(const struct pq_wcolumn *c)
{
    return c->encoded < c->page_count ? c->index_count * sizeof *c->index + c->levels.len + frz__pq_dict_memory(&c->dict) : 0;
}

uint64_t frz__pq_wcolumn_held(const struct pq_wcolumn *c)
{
    uint64_t bytes = c->spilled_bytes + c->data.len + (c->form.phys == PQ_BYTE_ARRAY ? vec_var_bytes(&c->stripe) : (uint64_t)(c->row_bytes * (double)c->stripe.len));
    if (c->dict_state != PQ_DICT_OFF) bytes += c->dict.values.len;
    if (c->encoded < c->page_count) bytes += c->levels.len + c->index_count * pq_bit_width(c->dict.count) / 8;
    return bytes;
}

/* ── one page ── */

/* env->body, compressed, behind its header. */
static int put_page(struct pq_wenv *env, struct pq_page_header *h, struct buf *out, uint64_t *uncompressed, frz_error *err)
{
    struct buf *body = &env->body;
    if (env->codec_id != CODEC_NONE) {
        buf_reset(&env->packed);
        TRY(frz__compress(env->codec, env->codec_id, env->level, buf_slice(&env->body), &env->packed, err));
        body = &env->packed;
    }
    if (env->body.len > INT32_MAX || body->len > INT32_MAX) return frz__err(err, FRZ_TOO_LARGE, "a page of %zu bytes, %zu compressed: no more than %d are possible", env->body.len, body->len, INT32_MAX);
    h->uncompressed_bytes = (int32_t)env->body.len;
    h->compressed_bytes = (int32_t)body->len;
    h->has_crc = true;
    h->crc = frz__crc32(0, body->data, body->len);
    size_t at = out->len;
    TRY(frz__pq_page_header_print(h, out, err));
    *uncompressed += out->len - at + env->body.len;
    return buf_append_slice(out, buf_slice(body), err);
}

/* Page P, whose levels and values are in env->body. */
static int put_data_page(struct pq_wcolumn *c, struct pq_wenv *env, struct pq_wpage *p, enum pq_encoding encoding, frz_error *err)
{
    struct pq_page_header h = {.type = PQ_DATA_PAGE, .values = (int32_t)p->rows, .encoding = encoding, .def_encoding = PQ_RLE, .rep_encoding = PQ_RLE};
    FRZ_ASSERT(p == &c->pages[c->encoded]);
    size_t at = c->data.len;
    p->at = c->spilled_bytes + at;
    TRY(put_page(env, &h, &c->data, &c->uncompressed_bytes, err));
    p->bytes = (uint32_t)(c->data.len - at);
    *(encoding == PQ_PLAIN ? &c->plain_pages : &c->dict_pages) += 1;
    c->encoded++;
    return FRZ_OK;
}

static int append_indices(const uint32_t *index, size_t count, struct buf *out, frz_error *err)
{
    uint32_t max = 0;
    for (size_t i = 0; i < count; i++) max |= index[i];
    unsigned width = pq_bit_width(max);
    TRY(buf_append_byte(out, (uint8_t)width, err));
    return frz__pq_rle_encode(index, count, width, out, err);
}

/* Pages on trial → data, as indices or PLAIN. */
static int put_waiting(struct pq_wcolumn *c, struct pq_wenv *env, bool dict, frz_error *err)
{
    size_t level_at = 0, index_at = 0;
    while (c->encoded < c->page_count) {
        struct pq_wpage *p = &c->pages[c->encoded];
        size_t n = p->rows - p->nulls;
        buf_reset(&env->body);
        if (p->level_bytes) TRY(buf_append(&env->body, c->levels.data + level_at, p->level_bytes, err)); /* a required column has none */
        if (dict) TRY(append_indices(c->index + index_at, n, &env->body, err));
        else TRY(frz__pq_dict_plain(&c->dict, c->index + index_at, n, &env->body, err));
        TRY(put_data_page(c, env, p, dict ? PQ_RLE_DICTIONARY : PQ_PLAIN, err));
        level_at += p->level_bytes;
        index_at += n;
    }
    buf_reset(&c->levels);
    c->index_count = 0;
    c->plain_bytes = 0;
    return FRZ_OK;
}

static int set_dict(struct pq_wcolumn *c, struct pq_wenv *env, bool on, frz_error *err)
{
    TRY(put_waiting(c, env, on, err));
    c->dict_state = on ? PQ_DICT_ON : PQ_DICT_OFF;
    if (!on) frz__pq_dict_clear(&c->dict); /* a hundred columns' would be most of a writer's memory */
    return FRZ_OK;
}

/* ── does a dictionary pay? ── */

static uint64_t dict_bytes(const struct pq_wcolumn *c) { return c->dict.values.len + (uint64_t)c->index_count * pq_bit_width(c->dict.count) / 8; }

static int compressed_bytes(struct pq_wenv *env, slice in, uint64_t *total, frz_error *err)
{
    buf_reset(&env->packed);
    TRY(frz__compress(env->codec, env->codec_id, env->level, in, &env->packed, err));
    *total += env->packed.len;
    return FRZ_OK;
}

/* Some pages compressed both ways, and the dictionary. */
static int try_both(struct pq_wcolumn *c, struct pq_wenv *env, bool *pays, frz_error *err)
{
    uint64_t dict = 0, as_index = 0, as_plain = 0;
    size_t at = 0;
    TRY(compressed_bytes(env, buf_slice(&c->dict.values), &dict, err));
    for (size_t i = 0; i < TRIAL_PAGES && c->encoded + i < c->page_count; i++) {
        const struct pq_wpage *p = &c->pages[c->encoded + i];
        size_t n = p->rows - p->nulls;
        buf_reset(&env->body);
        TRY(append_indices(c->index + at, n, &env->body, err));
        TRY(compressed_bytes(env, buf_slice(&env->body), &as_index, err));
        buf_reset(&env->body);
        TRY(frz__pq_dict_plain(&c->dict, c->index + at, n, &env->body, err));
        TRY(compressed_bytes(env, buf_slice(&env->body), &as_plain, err));
        at += n;
    }
    double scale = at ? (double)c->index_count / (double)at : 0;
    *pays = (double)dict + (double)as_index * scale < 0.97 * (double)as_plain * scale;
    return FRZ_OK;
}

int frz__pq_wcolumn_settle(struct pq_wcolumn *c, struct pq_wenv *env, frz_error *err)
{
    if (c->dict_state != PQ_DICT_TRIAL) return FRZ_OK;
    uint64_t with = dict_bytes(c);
    bool pays = c->index_count && with * 2 <= c->plain_bytes;
    if (!pays && c->index_count && with <= c->plain_bytes + c->plain_bytes / 8) {
        if (env->codec_id == CODEC_NONE) pays = with < c->plain_bytes;
        else TRY(try_both(c, env, &pays, err));
    }
    return set_dict(c, env, pays, err);
}

/* After a page was added to the trial. */
static int judge_trial(struct pq_wcolumn *c, struct pq_wenv *env, frz_error *err)
{
    size_t n = c->index_count, distinct = c->dict.count;
    if (n >= TRIAL_VALUES_MAX) return frz__pq_wcolumn_settle(c, env, err);
    if (n >= TRIAL_VALUES_SURE && dict_bytes(c) * 2 <= c->plain_bytes && c->dict.values.len <= env->dict_bytes / 2) return set_dict(c, env, true, err);
    if (n >= TRIAL_VALUES_MIN && distinct >= n - n / 10) { /* as many as draws from DISTINCT_ALL values with this few repetitions give: n² / 2 repetitions */
        double distinct_all = (double)n * (double)n / 2 / (double)(n - distinct + 1);
        double bytes = (double)c->dict.values.len / (double)distinct * distinct_all;
        if (bytes > 1.5 * env->dict_bytes) return set_dict(c, env, false, err);
    }
    return FRZ_OK;
}

/* ── stripe → page ── */

static int add_bounds(struct pq_wcolumn *c, struct pq_wpage *p, const struct pq_minmax *m, frz_error *err)
{
    size_t max = c->bounds_full || c->form.phys != PQ_BYTE_ARRAY ? SIZE_MAX : PQ_STATS_BYTES_MAX;
    bool exact, has = false;
    if (!m->has || (c->form.width > PQ_STATS_FIXED_MAX)) return FRZ_OK;
    size_t at = c->bounds.len, mid;
    if (at > UINT32_MAX / 2) return FRZ_OK;
    TRY(frz__pq_cut_lower(m->min, c->text, max, 0, &c->bounds, &exact, err));
    mid = c->bounds.len;
    TRY(frz__pq_cut_upper(m->max, c->text, max, 0, &c->bounds, &exact, &has, err));
    if (!has || c->bounds.len > UINT32_MAX / 2) {
        c->bounds.len = at;
        return FRZ_OK;
    }
    p->min_at = (uint32_t)at;
    p->min_len = (uint32_t)(mid - at);
    p->max_at = (uint32_t)mid;
    p->max_len = (uint32_t)(c->bounds.len - mid);
    p->has_bounds = true;
    return FRZ_OK;
}

static int index_reserve(struct pq_wcolumn *c, size_t extra, frz_error *err)
{
    size_t need = c->index_count + extra;
    if (need <= c->index_cap && c->index) return FRZ_OK;
    size_t cap = c->index_cap + c->index_cap / 2;
    if (cap < need) cap = need;
    uint32_t *p = (uint32_t *)frz__realloc(c->stripe.a, c->index, cap * sizeof *p);
    if (!p) return frz__err_no_memory(err, cap * sizeof *p);
    c->index = p;
    c->index_cap = cap;
    return FRZ_OK;
}

/* V's values → indices. *TAKEN = false: the dictionary is full, or never was worth it: the page is PLAIN. */
static int add_to_dict(struct pq_wcolumn *c, struct pq_wenv *env, const struct pq_values *v, bool *taken, frz_error *err)
{
    *taken = false;
    if (c->dict_state == PQ_DICT_OFF || c->dict_state == PQ_DICT_FULL) return FRZ_OK;
    uint32_t count = c->dict.count;
    size_t bytes = c->dict.values.len;
    TRY(index_reserve(c, v->count, err));
    int rc = v->count ? frz__pq_dict_add(&c->dict, v, env->dict_bytes, c->index + c->index_count, err) : FRZ_OK;
    if (rc < 0) return rc;
    *taken = rc == FRZ_OK;
    if (*taken) return FRZ_OK;
    if (c->dict_state == PQ_DICT_ON) { /* what this page added, no page uses */
        c->dict.count = count;
        c->dict.values.len = bytes;
        c->dict_state = PQ_DICT_FULL;
    }
    return FRZ_OK;
}

static int write_stripe(struct pq_wcolumn *c, struct pq_wenv *env, const struct vec *v, size_t from, size_t count, frz_error *err)
{
    struct pq_values values;
    struct pq_minmax m;
    bool in_dict;
    TRY(frz__pq_gather(&env->scratch, v, from, count, &values, err));
    frz__pq_minmax(&values, &m);
    TRY(add_to_dict(c, env, &values, &in_dict, err));
    if (!in_dict && c->dict_state == PQ_DICT_TRIAL) TRY(set_dict(c, env, false, err));

    TRY(frz__grow(c->stripe.a, (void **)&c->pages, c->page_count, &c->page_cap, sizeof *c->pages, err));
    struct pq_wpage *p = &c->pages[c->page_count];
    *p = (struct pq_wpage){.rows = (uint32_t)count, .nulls = (uint32_t)(count - values.count), .nans = m.nans, .var_bytes = values.var_bytes};
    TRY(add_bounds(c, p, &m, err));
    if (!p->has_bounds && values.count) c->unbounded = true;
    if (m.has) TRY(frz__pq_extent_widen(&c->extent, c->form.cmp, m.min, m.max, err));
    c->rows += p->rows;
    c->nulls += p->nulls;
    c->nans += p->nans;
    c->var_bytes += p->var_bytes;
    c->page_count++;

    if (c->dict_state == PQ_DICT_TRIAL) {
        size_t at = c->levels.len;
        if (!c->required) TRY(frz__pq_levels_encode(&env->scratch, v, from, count, p->nulls, &c->levels, err));
        p->level_bytes = (uint32_t)(c->levels.len - at);
        c->index_count += values.count;
        c->plain_bytes += pq_plain_bytes(&values);
        return judge_trial(c, env, err);
    }
    buf_reset(&env->body);
    if (!c->required) TRY(frz__pq_levels_encode(&env->scratch, v, from, count, p->nulls, &env->body, err));
    if (in_dict) TRY(append_indices(c->index, values.count, &env->body, err));
    else TRY(frz__pq_plain_encode(&values, &env->body, err));
    return put_data_page(c, env, p, in_dict ? PQ_RLE_DICTIONARY : PQ_PLAIN, err);
}

/* ── rows → stripes ── */

/* How many of the COUNT rows from FROM go to the page at hand. *ENDS: it is whole then. */
static size_t page_room(const struct pq_wcolumn *c, const struct vec *v, size_t from, size_t count, bool *ends)
{
    size_t stripe = (size_t)1 << c->k, left = stripe - (c->rows + c->stripe.len) % stripe;
    *ends = left <= count;
    if (left > count) left = count;
    if (c->fixed || c->form.phys != PQ_BYTE_ARRAY) return left;
    uint64_t waits = vec_var_bytes(&c->stripe);
    if (waits + (v->offsets[from + left] - v->offsets[from]) <= c->split_bytes) return left;
    size_t lo = c->stripe.len ? 0 : 1, hi = left; /* the most that fit, but one at least */
    while (lo < hi) {
        size_t mid = lo + (hi - lo + 1) / 2;
        if (waits + (v->offsets[from + mid] - v->offsets[from]) <= c->split_bytes) lo = mid;
        else hi = mid - 1;
    }
    *ends = true;
    return lo;
}

int frz__pq_wcolumn_append(struct pq_wcolumn *c, struct pq_wenv *env, const struct vec *v, size_t from, size_t count, frz_error *err)
{
    while (c->decided && count) {
        bool ends;
        size_t n = page_room(c, v, from, count, &ends);
        if (ends && c->stripe.len == 0) TRY(write_stripe(c, env, v, from, n, err));
        else TRY(frz__vec_append_range(&c->stripe, v, from, n, err));
        if (ends && c->stripe.len) {
            TRY(write_stripe(c, env, &c->stripe, 0, c->stripe.len, err));
            vec_reset(&c->stripe);
        }
        from += n;
        count -= n;
    }
    return count ? frz__vec_append_range(&c->stripe, v, from, count, err) : FRZ_OK;
}

bool frz__pq_wcolumn_fits(const struct pq_wcolumn *c, const struct vec *v, size_t from, size_t count)
{
    if (c->form.phys != PQ_BYTE_ARRAY) return true; /* k was chosen for its width */
    uint64_t waits = vec_var_bytes(&c->stripe);
    if (waits + (v->offsets[from + count] - v->offsets[from]) <= PQ_PAGE_BYTES_MAX) return true;
    if (!c->decided) return false;
    for (size_t room = ((size_t)1 << c->k) - c->stripe.len; count; room = (size_t)1 << c->k, waits = 0) {
        size_t n = c->fixed ? room < count ? room : count : 1; /* other pages end before they are large */
        if ((c->fixed ? waits : 0) + (v->offsets[from + n] - v->offsets[from]) > PQ_PAGE_BYTES_MAX) return false;
        from += n;
        count -= n;
    }
    return true;
}

/* Bytes that a row of the sample takes in a page's memory. */
static int sample(struct pq_wcolumn *c, struct pq_wenv *env, double *bytes, frz_error *err)
{
    struct pq_values v;
    TRY(frz__pq_gather(&env->scratch, &c->stripe, 0, c->stripe.len, &v, err));
    double rows = (double)c->stripe.len;
    *bytes = v.form.phys == PQ_BOOLEAN ? 0.125 : (double)pq_plain_bytes(&v) / rows;
    c->row_bytes = *bytes;
    if (c->dict_state != PQ_DICT_TRIAL || v.count == 0) return FRZ_OK;
    TRY(index_reserve(c, v.count, err));
    int rc = frz__pq_dict_add(&c->dict, &v, env->dict_bytes, c->index, err);
    if (rc < 0) return rc;
    c->index_count = v.count;
    if (rc == FRZ_OK && dict_bytes(c) * 2 <= pq_plain_bytes(&v) && *bytes > 4) *bytes = 4; /* indices */
    c->index_count = 0;
    frz__pq_dict_reset(&c->dict);
    return FRZ_OK;
}

int frz__pq_wcolumn_decide(struct pq_wcolumn *c, struct pq_wenv *env, unsigned k_max, frz_error *err)
{
    double bytes = c->row_bytes;
    if (c->decided) return FRZ_OK;
    if (c->stripe.len) TRY(sample(c, env, &bytes, err));
    unsigned k = K_MAX_CHOSEN;
    while (k > K_MIN_CHOSEN && bytes * (double)(1u << k) > env->page_bytes) k--;
    while (k > 0 && bytes * (double)(1u << k) > PAGE_BYTES_HUGE) k--;
    c->k = (uint8_t)(k < k_max ? k : k_max);
    c->decided = true;
    double page = c->row_bytes * (double)(1u << c->k); /* before a dictionary */
    c->split_bytes = PAGE_BYTES_SPLIT * (uint64_t)(page > env->page_bytes ? page : env->page_bytes);

    struct vec rest;
    frz__vec_init(&rest, c->stripe.a, c->type);
    int rc = FRZ_OK;
    size_t at = 0, stripe = (size_t)1 << c->k;
    for (; c->stripe.len - at >= stripe; at += stripe) CHECK(write_stripe(c, env, &c->stripe, at, stripe, err));
    if (at) {
        CHECK(frz__vec_append_range(&rest, &c->stripe, at, c->stripe.len - at, err));
        frz__vec_clear(&c->stripe);
        frz__vec_move(&c->stripe, &rest);
    }
done:
    frz__vec_clear(&rest);
    return rc;
}

/* ── chunks ── */

int frz__pq_wcolumn_end_chunk(struct pq_wcolumn *c, struct pq_wenv *env, struct buf *dict_page, frz_error *err)
{
    FRZ_ASSERT(c->decided);
    if (c->stripe.len) TRY(write_stripe(c, env, &c->stripe, 0, c->stripe.len, err));
    vec_reset(&c->stripe);
    TRY(frz__pq_wcolumn_settle(c, env, err));
    FRZ_ASSERT(c->encoded == c->page_count);
    buf_reset(dict_page);
    if (c->dict_state == PQ_DICT_OFF) return FRZ_OK;
    struct pq_page_header h = {.type = PQ_DICTIONARY_PAGE, .values = (int32_t)c->dict.count, .encoding = PQ_PLAIN};
    buf_reset(&env->body);
    TRY(buf_append_slice(&env->body, buf_slice(&c->dict.values), err));
    return put_page(env, &h, dict_page, &c->uncompressed_bytes, err);
}

int frz__pq_wcolumn_next_chunk(struct pq_wcolumn *c, uint64_t compressed, frz_error *err)
{
    c->out.compressed_bytes += compressed;
    c->out.values += c->rows;
    c->out.nulls += c->nulls;
    c->out.nans += c->nans;
    if (c->extent.has) TRY(frz__pq_extent_widen(&c->file_extent, c->form.cmp, buf_slice(&c->extent.min), buf_slice(&c->extent.max), err));
    frz__pq_extent_reset(&c->extent);
    buf_reset(&c->data);
    buf_reset(&c->bounds);
    frz__pq_dict_reset(&c->dict);
    c->dict_state = c->dictionary ? PQ_DICT_TRIAL : PQ_DICT_OFF;
    c->page_count = c->encoded = 0;
    c->uncompressed_bytes = 0;
    c->plain_pages = c->dict_pages = 0;
    c->rows = c->nulls = c->nans = c->var_bytes = 0;
    c->spilled_bytes = c->spill_count = 0;
    c->unbounded = false;
    return FRZ_OK;
}

int frz__pq_wcolumn_statistics(const struct pq_wcolumn *c, struct arena *ar, struct pq_statistics *out, frz_error *err)
{
    *out = PQ_STATISTICS_NONE;
    out->nulls = (int64_t)c->nulls;
    if (c->form.cmp == PQ_CMP_F32 || c->form.cmp == PQ_CMP_F64) out->nans = (int64_t)c->nans;
    if (!c->extent.has || c->form.width > PQ_STATS_FIXED_MAX) return FRZ_OK;
    size_t max = c->bounds_full || c->form.phys != PQ_BYTE_ARRAY ? SIZE_MAX : PQ_STATS_BYTES_MAX;
    struct buf b = BUF_INIT(c->stripe.a, 0);
    bool min_exact, max_exact, has_max;
    uint8_t *p;
    int rc = FRZ_OK;
    CHECK(frz__pq_cut_lower(buf_slice(&c->extent.min), c->text, max, 0, &b, &min_exact, err));
    size_t min_len = b.len;
    CHECK(frz__pq_cut_upper(buf_slice(&c->extent.max), c->text, max, 0, &b, &max_exact, &has_max, err));
    p = (uint8_t *)arena_alloc(ar, b.len + 1, 1);
    CHECK(p ? FRZ_OK : frz__err_no_memory(err, b.len + 1));
    if (b.len) memcpy(p, b.data, b.len);
    out->min = slice_of(p, min_len);
    out->min_exact = min_exact ? 1 : 0;
    if (has_max) {
        out->max = slice_of(p + min_len, b.len - min_len);
        out->max_exact = max_exact ? 1 : 0;
    }
done:
    buf_clear(&b);
    return rc;
}

#define ICEBERG_CUT 16 /* code points of a string, bytes of a binary: Iceberg's truncate(16) */
#define ICEBERG_FIXED_MAX 256 /* a fixed value's bound has the length of its type, so it is not cut; wider ones have none */
int frz__pq_wcolumn_finish_stats(struct pq_wcolumn *c, frz_error *err)
{
    struct pq_extent *x = &c->file_extent;
    bool exact, has_upper = true, bytes = c->form.phys == PQ_BYTE_ARRAY;
    buf_reset(&c->lower);
    buf_reset(&c->upper);
    if (!x->has || (c->form.width > ICEBERG_FIXED_MAX && !c->bounds_full)) return FRZ_OK;
    TRY(buf_reserve(&c->lower, 1, err)); /* an empty bound is one */
    TRY(buf_reserve(&c->upper, 1, err));
    if (bytes && !c->bounds_full) {
        size_t max = c->text ? 4 * ICEBERG_CUT : ICEBERG_CUT, chars = c->text ? ICEBERG_CUT : 0;
        TRY(frz__pq_cut_lower(buf_slice(&x->min), c->text, max, chars, &c->lower, &exact, err));
        TRY(frz__pq_cut_upper(buf_slice(&x->max), c->text, max, chars, &c->upper, &exact, &has_upper, err));
    } else {
        TRY(frz__pq_bound_to_single(c->type, buf_slice(&x->min), &c->lower, err));
        TRY(frz__pq_bound_to_single(c->type, buf_slice(&x->max), &c->upper, err));
    }
    c->out.has_bounds = true;
    c->out.lower = buf_slice(&c->lower);
    c->out.has_upper = has_upper;
    if (has_upper) c->out.upper = buf_slice(&c->upper);
    return FRZ_OK;
}
