/* Goal    opening for writing removes exactly what a crash left: our own files that no metadata names. Another engine's may be in flight,
 * its commit not yet made: they stay, whatever they are called. Method  files of both kinds are laid beside a table's own; it is opened
 * again. */
#include "hostile_kit.h"
#include "tidy_kit.h"

#include <fcntl.h>
#include <unistd.h>

static void path_of(const struct host *h, const char *name, char out[900]) { snprintf(out, 900, "%s/main/t/%s", h->path, name); }

static void lay(const struct host *h, const char *name)
{
    char path[900];
    path_of(h, name, path);
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0666);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, "x", 1), 1);
    close(fd);
}

static bool there(const struct host *h, const char *name)
{
    char path[900];
    path_of(h, name, path);
    return access(path, F_OK) == 0;
}

TEST(sweep, removes_what_a_crash_left_and_leaves_what_others_may_be_about_to_commit)
{
    static const char *const ours[] = {"data/frz-7-9999-3-0123abcd-0.parquet",
                                       "data/frz-7-9999-3-0123abcd-d12.parquet",
                                       "data/frz-7-9999-3-0123abcd-0.puffin",
                                       "metadata/frz-7-9999-3-0123abcd-m0.avro",
                                       "metadata/snap-6866437071174339411-7-9999-3-0123abcd.avro",
                                       "metadata/.tmp-v3.metadata.json",
                                       "data/.tmp-1"};
    static const char *const theirs[] = {/* Java and pyiceberg: snap-<id>-<attempt>-<uuid>.avro, <uuid>-m0.avro */
                                         "metadata/snap-6866437071174339411-1-550e8400-e29b-41d4-a716-446655440000.avro",
                                         "metadata/snap-99-0-99999999-1234-4123-8123-123456789012.avro",
                                         "metadata/snap-99-0-99999999-9999-9999-9999-999999999999.avro",
                                         "metadata/550e8400-e29b-41d4-a716-446655440000-m0.avro",
                                         "metadata/00007-550e8400-e29b-41d4-a716-446655440000.metadata.json",
                                         "metadata/550e8400.metadata.json",
                                         "data/00000-1-550e8400-00001.parquet",
                                         "data/frz-notes.parquet",
                                         "data/frz-1-9999.parquet",
                                         "data/frz-1-9999-export.parquet",
                                         "data/frz-1-9999-2-of-3.parquet",
                                         "metadata/snap-5-7-9999-3-0123abcd.avro.bak",
                                         "data/frz-1-9999-2-0123abcdef-0.parquet",
                                         "data/frz--9999-2-0123abcd-0.parquet"};
    for (int format = 2; format <= 3; format++) {
        struct host h;
        frz_stats st = FRZ_INIT(frz_stats);
        frz_table_options to = FRZ_TABLE_OPTIONS_INIT;
        h_open(&h, "sweep", NULL, NULL);
        frz_schema *s = h_schema("id long, v string?", "id");
        to.format_version = format;
        OK(frz_table_create(h.db, "t", s, &to, &h.t, &h.e), &h.e);
        frz_schema_free(s);
        OK(frz_row_new(h.t, &h.r, &h.e), &h.e);
        for (int64_t i = 0; i < 2000; i++) OK(h_put(&h, i), &h.e);
        OK(frz_table_flush(h.t, &h.e), &h.e);
        frz_value key = h_long(5);
        OK(frz_delete(h.t, &key, 1, NULL, &h.e), &h.e);
        OK(frz_table_flush(h.t, &h.e), &h.e);
        h_reopen(&h);
        wait_tidy(h.db);
        OK(frz_db_stats(h.db, NULL, &st, &h.e), &h.e);
        assert_int_equal(st.orphans_removed, 0);
        h_shut(&h);
        for (size_t i = 0; i < sizeof ours / sizeof *ours; i++) lay(&h, ours[i]);
        for (size_t i = 0; i < sizeof theirs / sizeof *theirs; i++) lay(&h, theirs[i]);
        h_open_at(&h);
        wait_tidy(h.db);
        OK(frz_table_open(h.db, "t", &h.t, &h.e), &h.e);
        OK(frz_row_new(h.t, &h.r, &h.e), &h.e);
        for (size_t i = 0; i < sizeof ours / sizeof *ours; i++)
            if (there(&h, ours[i])) fail_msg("%s is still there", ours[i]);
        for (size_t i = 0; i < sizeof theirs / sizeof *theirs; i++)
            if (!there(&h, theirs[i])) fail_msg("%s is gone", theirs[i]);
        OK(frz_db_stats(h.db, NULL, &st, &h.e), &h.e);
        assert_int_equal(st.orphans_removed, sizeof ours / sizeof *ours);
        assert_int_equal(h_count(&h), 1999);
        h_verify(&h);
        h_close(&h);
    }
}
