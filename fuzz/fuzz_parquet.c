/* fuzz_parquet.c — a Parquet file: its footer, statistics and indexes, all its columns as a scan gives them, and the checker. */
#include "fuzz.h"

#include "parquet/parquet.h"

struct source { const uint8_t *data; size_t size; };

static int read_source(void *ctx, uint64_t offset, void *out, size_t len, frz_error *err)
{
    const struct source *s = (const struct source *)ctx;
    FUZZ_CHECK(offset <= s->size && len <= s->size - offset); /* the reader's promise */
    if (len) memcpy(out, s->data + offset, len);
    return FRZ_OK;
}

static void check_vec(const struct vec *v)
{
    for (size_t i = 0; i < v->len; i++) {
        frz_value x;
        frz__vec_get(v, i, &x);
        FUZZ_CHECK(x.type == FRZ_NULL || x.type == v->type.id);
        if (x.type >= FRZ_STRING && x.as.bytes.len) FUZZ_CHECK(((const uint8_t *)x.as.bytes.data)[0] + ((const uint8_t *)x.as.bytes.data)[x.as.bytes.len - 1] >= 0);
    }
}

static int on_finding(void *ctx, const char *where, const char *what)
{
    FUZZ_CHECK(where && what);
    return 0;
}

#define ROWS_MAX 100000

static void scan(struct pq_file *f, struct codec_ctx *codec)
{
    frz_error err = {0};
    size_t columns[64], n = 0;
    frz_type types[64];
    struct vecs out;
    struct pq_scan *s = NULL;
    uint64_t first, rows = 0;
    for (size_t i = 0; i < frz__pq_col_count(f) && n < FRZ_ARRAY_LEN(columns); i++) {
        const struct pq_rcol *c = frz__pq_col(f, i);
        if (c->type.id == FRZ_NULL) continue;
        columns[n] = i;
        types[n++] = c->type;
    }
    if (!n) return;
    FUZZ_CHECK(frz__vecs_init(&out, NULL, types, n, &err) >= 0);
    int rc = frz__pq_scan_new(NULL, f, columns, types, n, NULL, 0, codec, &s, &err);
    while (rc == FRZ_OK && rows < ROWS_MAX) {
        rc = frz__pq_scan_next(s, 1000, &out, &first, &err);
        if (rc != FRZ_OK) break;
        FUZZ_CHECK(out.rows > 0 && out.rows <= 1000);
        rows += out.rows;
        for (size_t i = 0; i < n; i++) {
            FUZZ_CHECK(out.cols[i].len == out.rows);
            check_vec(&out.cols[i]);
        }
    }
    fuzz_check_error(rc, &err);
    frz__pq_scan_free(s);
    frz__vecs_clear(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    frz_error err = {0};
    uint8_t *bytes = fuzz_copy(data, size);
    struct source source = {bytes, size};
    struct pq_file *f = NULL;
    struct codec_ctx *codec = NULL;
    FUZZ_CHECK(frz__codec_ctx_new(NULL, &codec, &err) >= 0);
    int rc = frz__pq_open(NULL, (struct pq_source){&source, read_source, size, "fuzz.parquet"}, &f, &err);
    fuzz_check_error(rc, &err);
    if (rc == FRZ_OK) {
        for (size_t g = 0; g < frz__pq_group_count(f) && g < 16; g++) {
            for (size_t c = 0; c < frz__pq_col_count(f) && c < 64; c++) {
                struct pred_stats stats;
                const struct pq_pages *pages;
                bool known;
                (void)frz__pq_group_stats(f, g, c, &stats);
                if (frz__pq_col(f, c)->type.id == FRZ_NULL) continue;
                rc = frz__pq_pages(f, g, c, &pages, &err);
                fuzz_check_error(rc, &err);
                for (size_t p = 0; rc == FRZ_OK && p < pages->count && p < 64; p++) fuzz_check_error(frz__pq_page_stats(f, g, c, p, &stats, &known, &err), &err);
            }
        }
        scan(f, codec);
        uint64_t pages = 0;
        if (frz__pq_rows(f) <= ROWS_MAX) fuzz_check_error(frz__pq_verify(f, codec, on_finding, NULL, &pages, &err), &err);
    }
    frz__pq_free(f);
    frz__codec_ctx_free(codec);
    free(bytes);
    return 0;
}
