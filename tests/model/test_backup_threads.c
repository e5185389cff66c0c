/* Goal    a backup taken while writers, flushes and compactions run is one sequence of all tables, and so is any point behind it.
 * Method  writers put every batch on record (backup_kit.h); memtables of a few KiB, small files that are merged all the time, readers of the backups; each backup is held against the record at its sequence,
 *         and so are restores to random points of the archived log. TSan and ASan watch. */
#include "backup_kit.h"

#define WRITERS 3
#define BATCHES 350
#define BACKUPS 4

struct writing {
    struct bk *k;
    uint64_t seed;
    int rc;
    frz_error e;
    pthread_t thread;
};
static void *write_batches(void *arg)
{
    struct writing *w = (struct writing *)arg;
    struct rng r = {w->seed};
    for (int i = 0; i < BATCHES && w->rc == FRZ_OK; i++) w->rc = bk_write(w->k, &r, 1 + rng_below(&r, 10), &w->e);
    return NULL;
}

static void run(int format)
{
    struct bk k;
    struct writing w[WRITERS];
    uint64_t seqs[BACKUPS];
    struct rng r = {test_seed(11)};
    struct restore_result result;
    bk_begin_mem(&k, format);
    bk_close(&k);
    k.archive = bk_folder(&k, "archive");
    k.o.log_archive = k.archive->root;
    k.o.memtable_bytes = 16384;
    bk_open(&k);
    for (int i = 0; i < 2; i++) {
        OK(frz_table_set_property(k.t[i], "frazil.compaction-small-files", "2", &k.e), &k.e);
        OK(frz_table_set_property(k.t[i], "frazil.foreign-reader-grace-ms", "0", &k.e), &k.e);
        OK(frz_table_set_property(k.t[i], "frazil.snapshots-max", "1", &k.e), &k.e);
    }
    for (int i = 0; i < WRITERS; i++) {
        w[i] = (struct writing){.k = &k, .seed = (uint64_t)i + 5};
        assert_int_equal(pthread_create(&w[i].thread, NULL, write_batches, &w[i]), 0);
    }
    for (int i = 0; i < BACKUPS; i++) seqs[i] = bk_backup(&k, NULL);
    for (int i = 0; i < WRITERS; i++) {
        assert_int_equal(pthread_join(w[i].thread, NULL), 0);
        OK(w[i].rc, &w[i].e);
    }
    uint64_t last = bk_backup(&k, NULL);
    for (int i = 0; i < BACKUPS; i++) {
        struct fs *fs = bk_backup_fs(&k, (uint64_t)i + 1);
        bk_holds(&k, fs, true, seqs[i]);
        frz__fs_free(fs);
    }
    bk_close(&k);
    for (int i = 0; i < 4; i++) { /* groups of several batches, too, end between any two of them */
        char name[16];
        uint64_t seq = seqs[0] + rng_below(&r, last - seqs[0] + 1);
        snprintf(name, sizeof name, "back%d", i);
        OK(bk_try_restore(&k, name, &(struct restore_request){.number = 1, .to_seq = seq, .archive = k.archive}, &result, &k.e), &k.e);
        struct fs *fs = bk_folder(&k, name);
        bk_holds(&k, fs, false, seq);
        frz__fs_free(fs);
    }
    bk_holds(&k, k.home, false, last);
    bk_end(&k);
}
TEST(backup_threads, beside_writers_flushes_and_compactions_v2)
{
    run(2);
}
TEST(backup_threads, beside_writers_flushes_and_compactions_v3)
{
    run(3);
}
