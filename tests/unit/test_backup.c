/* Goal    a backup is the whole database at one sequence, a warehouse of its own; what is wrong with one is found and named; a restore brings it back, and nowhere else than asked.
 * Method  a list of all writes tells what the tables hold at any sequence (backup_kit.h); file systems in memory, and real ones for links. */
#include "backup_kit.h"

static void for_each_format(void (*fn)(int format))
{
    for (int format = 2; format <= 3; format++) fn(format);
}

static void whole(int format)
{
    struct bk k;
    struct restore_result result;
    bk_begin_mem(&k, format);
    bk_fill(&k, 1, 60);
    OK(frz_db_flush(k.db, &k.e), &k.e);
    bk_fill(&k, 2, 40); /* masks and new files beside old ones */
    OK(frz_table_flush(k.t[0], &k.e), &k.e);
    bk_fill(&k, 3, 25); /* in the log alone, of one table more than of the other */
    uint64_t seq = bk_backup(&k, NULL);
    assert_int_equal(seq, k.ops[k.count - 1].batch_end);
    bk_fill(&k, 4, 30); /* after it */
    struct fs *fs = bk_backup_fs(&k, 1);
    bk_holds(&k, fs, true, seq);
    frz_db *db;
    frz_db_options o = FRZ_DB_OPTIONS_INIT;
    FAILS(frz__test_db_open(fs, &o, &db, &k.e), FRZ_UNSUPPORTED, &k.e); /* it is not written to */
    MESSAGE_HAS(&k.e, "is a backup");
    frz__fs_free(fs);
    OK(bk_try_restore(&k, "back", NULL, &result, &k.e), &k.e);
    assert_int_equal(result.sequence, seq);
    assert_int_equal(result.number, 1);
    fs = bk_folder(&k, "back");
    bk_holds(&k, fs, false, seq);
    bk_holds(&k, fs, true, seq); /* its own second opening */
    frz__fs_free(fs);
    uint64_t last = k.ops[k.count - 1].batch_end;
    bk_close(&k);
    bk_holds(&k, k.home, true, last); /* the source is as it was */
    bk_end(&k);
}
TEST(backup, is_the_whole_database_at_one_sequence_and_comes_back)
{
    for_each_format(whole);
}
