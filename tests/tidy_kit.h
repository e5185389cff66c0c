/* tidy_kit.h — what open leaves to its workers, waited for: leftovers of crashes, the trash (engine/tidy.h). */
#ifndef TIDY_KIT_H
#define TIDY_KIT_H
#include "frz_test.h"

#include <unistd.h>

#include "api/handle.h"
#include "base/clock.h"
#include "engine/tidy.h"
#include "io/fs.h"

static inline bool file_there(struct fs *fs, const char *path)
{
    bool is = false;
    frz_error e;
    OK(frz__fs_exists(fs, path, &is, &e), &e);
    return is;
}
/* An empty one, where none was. */
static inline void file_lay(struct fs *fs, const char *path)
{
    struct file *f;
    frz_error e;
    RC(frz__fs_open(fs, path, FS_OPEN_CREATE_NEW, &f, &e), FRZ_OK, &e);
    OK(frz__file_close(f, &e), &e);
}

static inline bool is_tidy(struct db *db)
{
    bool all = !atomic_load(&db->tidy_trash);
    frz__mutex_lock(&db->tables_mu);
    for (size_t i = 0; i < db->table_count; i++) all &= table_is_broken(db->tables[i]) || atomic_load(&db->tables[i]->tidy_at_ns) != 0;
    frz__mutex_unlock(&db->tables_mu);
    return all && !atomic_load(&db->tidying);
}
/* A second goes by for the clock's worker, who looks at once. */
static inline void tick_now(frz_db *h)
{
    frz__test_clock_advance_ns(1000000000);
    frz__sched_wake(h->db);
    usleep(1000);
}
/* Also what failed to be tidied was. */
static inline void wait_tidy(frz_db *h)
{
    if (frz__clock_rounds_are_off()) frz__tidy_tend(h->db, frz__clock_mono_ns());
    for (int i = 0; i < 1200000 && !is_tidy(h->db); i++) usleep(100);
    assert_true(is_tidy(h->db));
}
#endif
