#include "engine/watch.h"

#include <stdio.h>
#include <stdlib.h>

#define MAGIC "FRZSTAT1"
#define TEMP_PATH ".frazil/.tmp-stats"

static int replace(struct fs *fs, slice text, frz_error *err)
{
    struct file *f = NULL;
    TRY(frz__fs_open(fs, TEMP_PATH, FS_OPEN_APPEND_OR_CREATE, &f, err));
    int rc = frz__file_write(f, 0, text.data, text.len, err);
    if (rc >= 0) rc = frz__file_truncate(f, text.len, err); /* an earlier one that was not renamed may have been longer */
    rc = frz__first(rc, frz__file_close(f, rc < 0 ? NULL : err));
    return rc < 0 ? rc : frz__fs_rename(fs, TEMP_PATH, WATCH_STATS_PATH, err);
}

static bool asked(struct fs *fs)
{
    struct fs_stat st;
    frz_error ignored;
    int64_t now = frz__clock_wall_us();
    if (frz__fs_stat(fs, WATCH_ASK_PATH, &st, &ignored) != FRZ_OK) return false;
    return now - st.mtime_us < WATCH_ASKED_US && st.mtime_us - now < WATCH_ASKED_US; /* a clock that was set back asks for ever, else */
}

void frz__watch_tick(struct db *db, int64_t now)
{
    if (!db->set.watch || now - db->watched_at_ns < WATCH_LOOK_NS) return;
    db->watched_at_ns = now;
    if (!asked(db->fs)) return;
    struct buf json = BUF_INIT(db->a, WATCH_BYTES_MAX), text = BUF_INIT(db->a, WATCH_BYTES_MAX + 64);
    frz_error err;
    int rc = frz__report(db, &json, &err);
    if (rc >= 0) rc = frz__buf_printf(&text, &err, MAGIC " %08x %zu\n", frz__crc32c(0, json.data, json.len), json.len);
    if (rc >= 0) rc = buf_append_slice(&text, buf_slice(&json), &err);
    if (rc >= 0) rc = replace(db->fs, buf_slice(&text), &err);
    if (rc < 0) frz__log(&db->log, FRZ_LOG_DEBUG, "who watches is not told: %s", err.message);
    buf_clear(&json);
    buf_clear(&text);
}

int frz__watch_parse(slice text, slice *json, frz_error *err)
{
    char head[64] = {0}, *end;
    size_t n = 0;
    while (n < text.len && n < sizeof head - 1 && text.data[n] != '\n') n++;
    if (n == text.len || n == sizeof head - 1) return frz__err_corrupt(err, WATCH_STATS_PATH ": its first line has no end");
    memcpy(head, text.data, n);
    if (strncmp(head, MAGIC " ", sizeof MAGIC) != 0) return frz__err_corrupt(err, WATCH_STATS_PATH ": it does not begin with " MAGIC);
    const char *crc_text = head + sizeof MAGIC;
    unsigned long crc = strtoul(crc_text, &end, 16);
    if (end != crc_text + 8 || *end != ' ') return frz__err_corrupt(err, WATCH_STATS_PATH ": its checksum is no eight hexadecimal digits");
    const char *len_text = end + 1;
    unsigned long long len = strtoull(len_text, &end, 10);
    if (end == len_text || *end || *len_text < '0' || *len_text > '9') return frz__err_corrupt(err, WATCH_STATS_PATH ": its length is no number");
    *json = slice_of(text.data + n + 1, text.len - n - 1);
    if (len != json->len) return frz__err_corrupt(err, WATCH_STATS_PATH ": %zu bytes follow the first line, which says %llu", json->len, len);
    if (frz__crc32c(0, json->data, json->len) != (uint32_t)crc) return frz__err_corrupt(err, WATCH_STATS_PATH ": its checksum does not fit its bytes");
    return FRZ_OK;
}

/* Whoever may not write there does not ask, and sees what another's asking brought. */
static void ask(struct fs *fs)
{
    struct file *f = NULL;
    frz_error ignored;
    if (frz__fs_open(fs, WATCH_ASK_PATH, FS_OPEN_APPEND_OR_CREATE, &f, &ignored) != FRZ_OK) return;
    (void)!frz__file_write(f, 0, "?\n", 2, &ignored);
    (void)frz__file_close(f, NULL);
}

/* What passes is JSON, and of HOLDER, of just now. */
static int check_said(slice json, const struct lock_holder *holder, frz_error *err)
{
    struct json *doc = NULL;
    if (frz__json_parse(json, &doc, err) < 0) return frz__err_corrupt(err, WATCH_STATS_PATH ": it is no JSON");
    int64_t version = frz__json_int(frz__json_get(doc, "version")), said_us = frz__json_int(frz__json_get(doc, "time_us")), age = frz__clock_wall_us() - (said_us > 0 ? said_us : 0);
    bool own = frz__json_int(frz__json_get(doc, "pid")) == holder->pid && (uint64_t)frz__json_int(frz__json_get(doc, "epoch")) == holder->epoch;
    frz__json_free(doc);
    if (version != 1) return frz__err(err, FRZ_NEWER_FORMAT, WATCH_STATS_PATH ": version %" PRId64, version);
    if (own && age < WATCH_ASKED_US && age > -WATCH_ASKED_US) return FRZ_OK;
    return frz__err(err, FRZ_BUSY, "what is in " WATCH_STATS_PATH " is %s; process %" PRId64 ", which writes, has not answered yet", own ? "old" : "another's", holder->pid);
}

int frz__watch_read(struct fs *fs, struct buf *out, frz_error *err)
{
    struct buf text = BUF_INIT(out->a, WATCH_BYTES_MAX + 64);
    struct lock_holder holder;
    slice json;
    ask(fs);
    if (!frz__lock_holder(fs, &holder)) return frz__err(err, FRZ_NOT_FOUND, "nobody has the database open for writing");
    int rc = frz__fs_read_file(fs, WATCH_STATS_PATH, WATCH_BYTES_MAX, &text, err);
    if (rc == FRZ_NOT_FOUND) rc = frz__err(err, FRZ_BUSY, "process %" PRId64 ", which writes, has said nothing in " WATCH_STATS_PATH " yet", holder.pid);
    if (rc == FRZ_OK) rc = frz__watch_parse(buf_slice(&text), &json, err);
    if (rc == FRZ_OK) rc = check_said(json, &holder, err);
    if (rc == FRZ_OK) rc = buf_append_slice(out, json, err);
    buf_clear(&text);
    return rc;
}
