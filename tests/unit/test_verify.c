/* Goal    `verify` recounts every summary from the manifests: a figure that is wrong in any retained snapshot is found and named.
 * Method  a table of both format versions with appends, upserts, deletes and absorbed files; each figure of each summary is changed in the
 *         metadata on disk, one at a time, and verified by a read-only handle. */
#include "hostile_kit.h"

#include <unistd.h>

static char *slurp(const char *path)
{
    FILE *f = fopen(path, "rb");
    assert_non_null(f);
    char *text = (char *)calloc(1, 1 << 20);
    assert_true(fread(text, 1, (1 << 20) - 1, f) > 0);
    fclose(f);
    return text;
}

static void spill(const char *path, const char *text)
{
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(text, 1, strlen(text), f), strlen(text));
    assert_int_equal(fclose(f), 0);
}

struct said {
    int count;
    char what[600];
};
static int on_said(void *ctx, const frz_finding *f)
{
    struct said *s = (struct said *)ctx;
    if (!s->count++) snprintf(s->what, sizeof s->what, "%s: %s", f->where, f->what);
    return 0;
}

static struct said verify_read_only(struct host *h)
{
    struct said s = {.count = 0};
    frz_verify_report r = FRZ_INIT(frz_verify_report);
    frz_db_options o = FRZ_DB_OPTIONS_INIT;
    o.read_only = true;
    OK(frz_db_open(h->path, &o, &h->db, &h->e), &h->e);
    OK(frz_verify(h->db, NULL, on_said, &s, &r, &h->e), &h->e);
    assert_int_equal(r.findings, s.count);
    OK(frz_db_close(h->db, &h->e), &h->e);
    h->db = NULL;
    return s;
}

static void make_table(struct host *h, int format)
{
    static const char *const names[] = {"frazil.publish-interval-ms", "history.expire.max-snapshot-age-ms"};
    static const char *const values[] = {"0", "86400000"};
    frz_table_options to = FRZ_TABLE_OPTIONS_INIT;
    h_open(h, "verify", NULL, NULL);
    frz_schema *s = h_schema("id long, v string?", "id");
    to.format_version = format;
    to.property_keys = names;
    to.property_values = values;
    to.property_count = 2;
    OK(frz_table_create(h->db, "t", s, &to, &h->t, &h->e), &h->e);
    frz_schema_free(s);
    OK(frz_row_new(h->t, &h->r, &h->e), &h->e);
    for (int64_t i = 0; i < 3000; i++) OK(h_put(h, i), &h->e); /* an append */
    OK(frz_table_flush(h->t, &h->e), &h->e);
    for (int round = 0; round < 3; round++) { /* a delete; upserts beside the large file; the small file absorbed, delete files merged */
        frz_value key = h_long(100 + round);
        OK(frz_delete(h->t, &key, 1, NULL, &h->e), &h->e);
        OK(frz_table_flush(h->t, &h->e), &h->e);
        OK(h_put(h, 200 + round), &h->e);
        OK(h_put(h, 5000 + round), &h->e);
        OK(frz_table_flush(h->t, &h->e), &h->e);
    }
    h_shut(h);
}

TEST(verify, finds_every_figure_of_every_summary_that_is_not_so)
{
    static const char *const keys[] = {"added-data-files",
                                       "deleted-data-files",
                                       "added-records",
                                       "deleted-records",
                                       "added-delete-files",
                                       "removed-delete-files",
                                       "added-position-delete-files",
                                       "removed-position-delete-files",
                                       "added-dvs",
                                       "removed-dvs",
                                       "added-position-deletes",
                                       "removed-position-deletes",
                                       "added-files-size",
                                       "removed-files-size",
                                       "total-records",
                                       "total-files-size",
                                       "total-data-files",
                                       "total-delete-files",
                                       "total-position-deletes",
                                       "total-equality-deletes",
                                       "operation"};
    for (int format = 2; format <= 3; format++) {
        struct host h;
        char path[700], hint[700];
        int changed[sizeof keys / sizeof *keys] = {0};
        make_table(&h, format);
        snprintf(hint, sizeof hint, "%s/main/t/metadata/version-hint.text", h.path);
        char *version = slurp(hint);
        snprintf(path, sizeof path, "%s/main/t/metadata/v%s.metadata.json", h.path, version);
        free(version);
        char *text = slurp(path);
        assert_int_equal(verify_read_only(&h).count, 0);
        for (size_t k = 0; k < sizeof keys / sizeof *keys; k++) {
            char quoted[64];
            snprintf(quoted, sizeof quoted, "\"%s\"", keys[k]);
            for (char *at = text; (at = strstr(at, quoted)) != NULL; changed[k]++) {
                at = strchr(strchr(at, ':'), '"') + 1; /* the value's first character */
                char was = *at;
                if (strcmp(keys[k], "operation") == 0)
                    *at = 'x';
                else
                    *at = was == '9' ? '8' : (char)(was + 1);
                spill(path, text);
                struct said s = verify_read_only(&h);
                *at = was;
                if (!s.count) fail_msg("format %d: %s number %d changed, and nothing was found", format, keys[k], changed[k]);
                assert_non_null(strstr(s.what, keys[k]));
                assert_non_null(strstr(s.what, ".metadata.json"));
            }
        }
        for (size_t k = 0; k < sizeof keys / sizeof *keys; k++) { /* and each was there to be changed */
            bool of_other = strstr(keys[k], format == 2 ? "dvs" : "position-delete-files") != NULL;
            if (!of_other && !changed[k]) fail_msg("format %d: no summary has %s", format, keys[k]);
        }
        /* a manifest list that is gone is found too, of whichever snapshot */
        spill(path, text);
        char listed[900];
        char *list = strstr(text, "\"manifest-list\""), *from = strstr(list, "/metadata/") + 10, *to = strchr(from, '"');
        snprintf(listed, sizeof listed, "%s/main/t/metadata/%.*s", h.path, (int)(to - from), from);
        assert_int_equal(unlink(listed), 0);
        struct said s = verify_read_only(&h);
        assert_int_equal(s.count, 1);
        assert_non_null(strstr(s.what, "missing"));
        free(text);
        test_tmp_remove(h.path);
    }
}
