/* lock.c — one writing process: an OFD lock on .frazil/LOCK, whose body says who holds it, and a writer epoch that each open raises (hazards 21).
 * Nothing here is synced: the epoch is on the disk with the first segment of the log that open begins, before anything is made in its name, and the next one is above both. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "engine/db.h"

#define LOCK_PATH ".frazil/LOCK"
#define BODY_BYTES 512 /* and a NUL where it is read whole */

/* "epoch=7\npid=123\nhost=…\nlog=<uuid>\n" and spaces up to BODY_BYTES */
static const char *field(const char *body, const char *key)
{
    const char *p = strstr(body, key);
    return p && (p == body || p[-1] == '\n') ? p + strlen(key) : NULL;
}

int frz__lock_take(struct db *db, frz_error *err)
{
    char body[BODY_BYTES + 1] = {0}, host[128] = "";
    size_t got = 0;
    bool locked = false;
    TRY(frz__fs_mkdir(db->fs, ".frazil", err)); /* its name is made to stay by frz__tables_settle */
    TRY(frz__fs_open(db->fs, LOCK_PATH, FS_OPEN_APPEND_OR_CREATE, &db->lock_file, err));
    TRY(frz__file_read(db->lock_file, 0, body, BODY_BYTES, &got, err));
    TRY(frz__file_lock(db->lock_file, &locked, err));
    if (!locked) {
        const char *pid = field(body, "pid="), *on = field(body, "host=");
        return frz__err(err, FRZ_BUSY, "%s is open for writing by process %.*s on %.*s", db->root, pid ? (int)strcspn(pid, "\n") : 1, pid ? pid : "?", on ? (int)strcspn(on, "\n") : 1, on ? on : "?");
    }
    memset(body, 0, sizeof body); /* whoever held it may have written since */
    TRY(frz__file_read(db->lock_file, 0, body, BODY_BYTES, &got, err));
    const char *epoch = field(body, "epoch=");
    db->epoch = db->lock_epoch = (epoch ? strtoull(epoch, NULL, 10) : 0) + 1;
    (void)gethostname(host, sizeof host - 1);
    memset(body, ' ', BODY_BYTES);
    int n = snprintf(body, sizeof body, "epoch=%" PRIu64 "\npid=%ld\nhost=%s\n", db->epoch, (long)getpid(), host);
    body[n] = ' ';
    body[BODY_BYTES - 1] = '\n';
    return frz__file_write(db->lock_file, 0, body, BODY_BYTES, err);
}

/* *OUT: LOCK, to be closed, after a failure too; NULL where there is none: nobody ever had it. */
static int look(struct fs *fs, struct file **out, bool *held)
{
    frz_error ignored;
    *out = NULL;
    *held = false;
    int rc = frz__fs_open(fs, LOCK_PATH, FS_OPEN_READ, out, &ignored);
    return rc == FRZ_OK ? frz__file_is_locked(*out, held, &ignored) : rc;
}

bool frz__nobody_writes(struct fs *fs)
{
    struct file *f;
    bool held;
    int rc = look(fs, &f, &held);
    (void)frz__file_close(f, NULL);
    return rc >= 0 && !held;
}

bool frz__lock_holder(struct fs *fs, struct lock_holder *out)
{
    char body[BODY_BYTES + 1] = {0};
    struct file *f;
    size_t got = 0;
    bool held;
    frz_error ignored;
    *out = (struct lock_holder){0};
    int rc = look(fs, &f, &held);
    if (rc >= 0 && held) rc = frz__file_read(f, 0, body, BODY_BYTES, &got, &ignored);
    (void)frz__file_close(f, NULL);
    if (rc < 0 || !held) return false;
    const char *epoch = field(body, "epoch="), *pid = field(body, "pid=");
    out->epoch = epoch ? strtoull(epoch, NULL, 10) : 0;
    out->pid = pid ? strtoll(pid, NULL, 10) : 0;
    return true;
}

void frz__lock_release(struct db *db)
{
    (void)frz__file_close(db->lock_file, NULL);
    db->lock_file = NULL;
}
