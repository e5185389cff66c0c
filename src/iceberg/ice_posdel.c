#include "iceberg/ice_posdel.h"

#define FIELD_FILE_PATH 2147483546
#define FIELD_POS       2147483545
#define CHUNK_ROWS      ((size_t)16384)

static int write_rows(struct pq_writer *w, const struct posdel_target *targets, size_t count, struct vec *paths, struct vec *positions, frz_error *err)
{
    const struct vec *cols[2] = {paths, positions};
    for (size_t i = 0; i < count; i++) {
        frz_value path = value_bytes(FRZ_STRING, targets[i].path);
        for (size_t k = 0; k < targets[i].count; k++) {
            frz_value pos = value_i64(FRZ_LONG, (int64_t)targets[i].positions[k]);
            TRY(frz__vec_append(paths, &path, err));
            TRY(frz__vec_append(positions, &pos, err));
            if (paths->len < CHUNK_ROWS) continue;
            TRY(frz__pq_write(w, cols, 0, paths->len, err));
            vec_reset(paths);
            vec_reset(positions);
        }
    }
    return paths->len ? frz__pq_write(w, cols, 0, paths->len, err) : FRZ_OK;
}

static int copy_slice(struct arena *ar, slice from, slice *to, frz_error *err)
{
    char *p = frz__arena_strndup(ar, (const char *)from.data, from.len);
    if (!p) return frz__err_no_memory(err, from.len);
    *to = slice_of(p, from.len);
    return FRZ_OK;
}

static int describe(struct pq_writer *w, const struct posdel_target *targets, size_t count, struct arena *ar, struct ice_file *out, frz_error *err)
{
    static const int32_t ids[2] = {FIELD_FILE_PATH, FIELD_POS};
    *out = (struct ice_file){.content = ICE_POSITION_DELETES, .format = slice_str("PARQUET"), .record_count = (int64_t)frz__pq_writer_rows(w), .sort_order_id = -1, .first_row_id = -1,
        .content_offset = -1, .content_size = -1};
    out->stats = (struct ice_col_stats *)arena_alloc(ar, 2 * sizeof *out->stats, 8);
    out->split_offsets = (int64_t *)arena_alloc(ar, (frz__pq_writer_group_count(w) + 1) * sizeof(int64_t), 8);
    if (!out->stats || !out->split_offsets) return frz__err_no_memory(err, 2 * sizeof *out->stats);
    for (int i = 0; i < 2; i++) {
        const struct pq_colstats *s = frz__pq_writer_stats(w, (size_t)i);
        struct ice_col_stats *d = &out->stats[i];
        *d = (struct ice_col_stats){ids[i], (int64_t)s->compressed_bytes, (int64_t)s->values, 0, -1, {0}, {0}};
        if (!s->has_bounds || !s->has_upper) continue;
        TRY(copy_slice(ar, s->lower, &d->lower, err));
        TRY(copy_slice(ar, s->upper, &d->upper, err));
    }
    out->stats_count = 2;
    for (size_t g = 0; g < frz__pq_writer_group_count(w); g++) out->split_offsets[out->split_count++] = (int64_t)frz__pq_writer_group_offset(w, g);
    return count == 1 ? copy_slice(ar, targets[0].path, &out->referenced_data_file, err) : FRZ_OK;
}

int frz__posdel_write(const allocator *a, const struct posdel_target *targets, size_t count, int codec, struct codec_ctx *ctx, struct pq_sink sink, struct arena *ar, struct ice_file *out, frz_error *err)
{
    static const int32_t sort[2] = {0, 1};
    const struct pq_wcol cols[2] = {
        {.name = "file_path", .field_id = FIELD_FILE_PATH, .type = {.id = FRZ_STRING}, .required = true, .dictionary = true, .bounds_full = true},
        {.name = "pos", .field_id = FIELD_POS, .type = {.id = FRZ_LONG}, .required = true, .bounds_full = true},
    };
    const struct pq_writer_options o = {.codec = codec, .sort_columns = sort, .sort_count = 2};
    struct pq_writer *w = NULL;
    struct vec paths, positions;
    uint64_t bytes = 0;
    int rc = FRZ_OK;
    frz__vec_init(&paths, a, cols[0].type);
    frz__vec_init(&positions, a, cols[1].type);
    CHECK(frz__pq_writer_new(a, &o, cols, 2, sink, ctx, &w, err));
    CHECK(write_rows(w, targets, count, &paths, &positions, err));
    CHECK(frz__pq_writer_end_rows(w, err));
    CHECK(describe(w, targets, count, ar, out, err));
    CHECK(frz__pq_writer_kv(w, "delete-type", "position", err));
    CHECK(frz__pq_writer_finish(w, &bytes, err));
    out->file_size = (int64_t)bytes;
done:
    frz__pq_writer_free(w);
    frz__vec_clear(&paths);
    frz__vec_clear(&positions);
    return rc;
}

int frz__posdel_read(const allocator *a, struct pq_source source, struct codec_ctx *ctx, int (*fn)(void *ctx, slice path, const int64_t *positions, size_t count, frz_error *err), void *fn_ctx,
                     uint64_t *rows, frz_error *err)
{
    static const frz_type types[2] = {{.id = FRZ_STRING}, {.id = FRZ_LONG}};
    struct pq_file *f = NULL;
    struct pq_scan *scan = NULL;
    struct vecs out = {.a = a};
    int rc = FRZ_OK;
    CHECK(frz__pq_open(a, source, &f, err));
    int64_t path_col = frz__pq_find_id(f, FIELD_FILE_PATH), pos_col = frz__pq_find_id(f, FIELD_POS);
    if (path_col < 0) path_col = frz__pq_find_name(f, slice_str("file_path"));
    if (pos_col < 0) pos_col = frz__pq_find_name(f, slice_str("pos"));
    if (path_col < 0 || pos_col < 0) {
        rc = frz__err_corrupt(err, "%s: a position-delete file needs columns file_path (id %d) and pos (id %d)", source.name, FIELD_FILE_PATH, FIELD_POS);
        goto done;
    }
    const size_t columns[2] = {(size_t)path_col, (size_t)pos_col};
    *rows = frz__pq_rows(f);
    CHECK(frz__vecs_init(&out, a, types, 2, err));
    CHECK(frz__pq_scan_new(a, f, columns, types, 2, NULL, 0, ctx, &scan, err));
    for (;;) {
        uint64_t first = 0;
        CHECK(frz__pq_scan_next(scan, CHUNK_ROWS, &out, &first, err));
        if (rc == FRZ_DONE) break;
        if (out.cols[0].nulls || out.cols[1].nulls) {
            rc = frz__err_corrupt(err, "%s: row %" PRIu64 " and on: a null in a position delete", source.name, first);
            goto done;
        }
        const int64_t *pos = (const int64_t *)(const void *)out.cols[1].data;
        for (size_t i = 0; i < out.rows;) {
            size_t k = i + 1;
            slice path = vec_bytes(&out.cols[0], i);
            while (k < out.rows && slice_eq(path, vec_bytes(&out.cols[0], k))) k++;
            CHECK(fn(fn_ctx, path, pos + i, k - i, err));
            i = k;
        }
    }
    rc = FRZ_OK;
done:
    frz__pq_scan_free(scan);
    frz__pq_free(f);
    frz__vecs_clear(&out);
    return rc;
}
