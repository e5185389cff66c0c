/* Goal    the options of the log's archive do what they say. Method: as in test_options.c, with an archive that can't be written. */
#include "options_kit.h"

/* The only folder in DIR: the archive of one log. */
static void only_folder(const char *dir, char out[600])
{
    DIR *d = opendir(dir);
    int found = 0;
    assert_non_null(d);
    for (struct dirent *e; (e = readdir(d));) {
        if (e->d_name[0] == '.') continue;
        snprintf(out, 600, "%.300s/%.200s", dir, e->d_name);
        found++;
    }
    closedir(d);
    assert_int_equal(found, 1);
}

TEST(options, log_archive_wait_max_gives_up_the_oldest)
{
    uint64_t segments[2];
    char archive[300], folder[600], away[620];
    snprintf(archive, sizeof archive, "%s", test_tmp_dir("options-archive"));
    for (int bounded = 0; bounded < 2; bounded++) {
        struct fix f;
        frz_db_options o = quick();
        o.log_segment_bytes = 131072;
        o.memtable_bytes = 262144;
        o.log_archive = archive;
        o.log_archive_wait_max = bounded ? 1 << 20 : 0;
        fix_open(&f, &o, NULL, NULL);
        only_folder(archive, folder);
        snprintf(away, sizeof away, "%s.away", folder);
        assert_int_equal(rename(folder, away), 0);
        fix_put(&f, 0, 2000, 2000, true); /* 4 MB */
        fix_flush(&f);
        frz_health h = FRZ_INIT(frz_health);
        SOON(frz_db_health(f.db, NULL, &h, &f.e) == FRZ_OK && h.severity == FRZ_HEALTH_DEGRADED);
        assert_string_equal(h.part, "log-archive");
        if (bounded) SOON(stats(&f).log_archive_given_up > 10);
        else assert_int_equal(stats(&f).log_archive_given_up, 0);
        segments[bounded] = stats(&f).log_segments;
        assert_int_equal(rename(away, folder), 0);
        OK(frz_db_resume(f.db, &f.e), &f.e);
        assert_int_equal(stats(&f).log_archive_waiting, 0);
        if (!bounded) assert_true(stats(&f).log_archived >= segments[0] - 1);
        uint64_t n = 0;
        OK(frz_count(f.t, NULL, &n, &f.e), &f.e);
        assert_int_equal(n, 2000);
        fix_close(&f);
        test_tmp_remove(archive);
        assert_int_equal(mkdir(archive, 0777), 0);
    }
    test_tmp_remove(archive);
    assert_true(segments[0] >= 30 && segments[1] <= 12);
}
