/* get.c — the point read: view and sequence, memtables newest first, then the one file that may hold the live row. */
#include "engine/get.h"

static int get_in(struct table *t, const struct view *v, uint64_t seq, slice key, const uint8_t *mask, struct codec_ctx *codec, frz_row *out, frz_error *err)
{
    bool from_mem = false;
    int rc = frz__view_get(v, seq, key, mask, codec, out, &from_mem, err);
    stat_add(&t->db->gets, 1);
    stat_add(&t->gets, 1);
    if (rc == FRZ_OK) stat_add(&t->db->gets_found, 1);
    if (from_mem) stat_add(&t->db->memtable_hits, 1);
    return rc;
}

/* Without the key's text: misses are many, and most hosts only look at the code. */
static void say_absent(frz_error *err)
{
    static const char text[] = "there is no row with this key";
    if (!err) return;
    err->code = FRZ_NOT_FOUND;
    err->os_errno = 0;
    memcpy(err->message, text, sizeof text);
}

int frz__get(struct table *t, struct snapshot *s, slice key, const uint8_t *mask, frz_row *out, frz_error *err)
{
    struct view *v = NULL;
    struct codec_ctx *codec = NULL;
    uint64_t seq = 0;
    MUST(frz__snapshot_view(s, t, &v, &seq, err));
    int rc = frz__codec_take(t->db, &codec, err);
    if (rc >= 0) rc = get_in(t, v, seq, key, mask, codec, out, err);
    if (rc == FRZ_NOT_FOUND) say_absent(err);
    frz__health_read(t, rc, err);
    frz__codec_give(t->db, codec);
    frz__view_release(v);
    return rc;
}

int frz__multi_get(struct table *t, struct snapshot *s, const slice *keys, size_t count, frz_row *const *rows, bool *found, frz_error *err)
{
    struct view *v = NULL;
    struct codec_ctx *codec = NULL;
    uint64_t seq = 0;
    MUST(frz__snapshot_view(s, t, &v, &seq, err));
    int rc = frz__codec_take(t->db, &codec, err);
    for (size_t i = 0; rc >= 0 && i < count; i++) {
        rc = get_in(t, v, seq, keys[i], NULL, codec, rows[i], err);
        found[i] = rc == FRZ_OK;
    }
    frz__health_read(t, rc, err);
    frz__codec_give(t->db, codec);
    frz__view_release(v);
    return rc < 0 ? rc : FRZ_OK;
}
