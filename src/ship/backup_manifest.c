/* The file BACKUP: lines of words, the last of which is a checksum of those before it. A path is the rest of its line. */
#include "ship/backup.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/hash.h"

#define MANIFEST_BYTES_MAX ((size_t)1 << 30)
#define FORMAT             1

void frz__backup_manifest_init(struct backup_manifest *m, const allocator *a)
{
    *m = (struct backup_manifest){.ar = ARENA_INIT(a), .source = "", .archive = ""};
}

void frz__backup_manifest_clear(struct backup_manifest *m)
{
    const allocator *a = m->ar.a;
    frz__free(a, m->files);
    frz__arena_clear(&m->ar);
    frz__backup_manifest_init(m, a);
}

static bool fits_a_line(const char *s, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if ((unsigned char)s[i] < 0x20) return false;
    return true;
}

int frz__backup_manifest_add(struct backup_manifest *m, const char *path, uint64_t bytes, struct backup_file **out, frz_error *err)
{
    size_t len = strlen(path);
    if (len == 0 || len >= BACKUP_PATH_BYTES || !fits_a_line(path, len))
        return frz__err(err, FRZ_UNSUPPORTED, "a file of the name %s can't be backed up", path);
    TRY(frz__grow(m->ar.a, (void **)&m->files, m->count, &m->cap, sizeof *m->files, err));
    char *copy = frz__arena_strndup(&m->ar, path, len);
    if (!copy) return frz__err_no_memory(err, len);
    m->files[m->count] = (struct backup_file){.path = copy, .bytes = bytes};
    if (out) *out = &m->files[m->count];
    m->count++;
    return FRZ_OK;
}

static int by_path(const void *a, const void *b)
{
    return strcmp(((const struct backup_file *)a)->path, ((const struct backup_file *)b)->path);
}

void frz__backup_manifest_sort(struct backup_manifest *m)
{
    if (m->count) qsort(m->files, m->count, sizeof *m->files, by_path);
}

struct backup_file *frz__backup_manifest_find(const struct backup_manifest *m, const char *path)
{
    const struct backup_file key = {.path = path};
    return m->count ? (struct backup_file *)bsearch(&key, m->files, m->count, sizeof key, by_path) : NULL;
}

uint64_t frz__backup_manifest_bytes(const struct backup_manifest *m)
{
    uint64_t bytes = 0;
    for (size_t i = 0; i < m->count; i++) bytes += m->files[i].bytes;
    return bytes;
}

int frz__backup_manifest_print(const struct backup_manifest *m, struct buf *out, frz_error *err)
{
    TRY(frz__buf_printf(out, err,
                        "frazil-backup %d\nnumber %" PRIu64 "\nsequence %" PRIu64 "\ntime-us %" PRId64 "\nlog %s\ntables %" PRIu64
                        "\nnew %" PRIu64 " %" PRIu64 "\n",
                        FORMAT, m->number, m->sequence, m->time_us, m->log_uuid, m->table_count, m->files_new, m->bytes_new));
    if (*m->source) TRY(frz__buf_printf(out, err, "source %s\n", m->source));
    if (*m->archive) TRY(frz__buf_printf(out, err, "archive %s\n", m->archive));
    for (size_t i = 0; i < m->count; i++)
        TRY(frz__buf_printf(out, err, "file %08" PRIx32 " %" PRIu64 " %s\n", m->files[i].crc, m->files[i].bytes, m->files[i].path));
    return frz__buf_printf(out, err, "end %08" PRIx32 "\n", frz__crc32c(0, out->data, out->len));
}

/* ── parsing ── */

/* The line at *AT, without its end, NUL-terminated in OUT. */
static bool next_line(slice text, size_t *at, char out[BACKUP_PATH_BYTES + 64])
{
    const uint8_t *begin = text.data + *at, *end = *at < text.len ? (const uint8_t *)memchr(begin, '\n', text.len - *at) : NULL;
    if (!end || (size_t)(end - begin) >= BACKUP_PATH_BYTES + 64 || !fits_a_line((const char *)begin, (size_t)(end - begin))) return false;
    memcpy(out, begin, (size_t)(end - begin));
    out[end - begin] = 0;
    *at += (size_t)(end - begin) + 1;
    return true;
}

/* A relative path that stays below. */
static bool is_path(const char *p)
{
    if (!*p || strlen(p) >= BACKUP_PATH_BYTES) return false;
    for (const char *at = p, *end;; at = end + 1) {
        end = strchrnul(at, '/');
        size_t n = (size_t)(end - at);
        if (n == 0 || (n == 1 && at[0] == '.') || (n == 2 && at[0] == '.' && at[1] == '.')) return false;
        if (!*end) return true;
    }
}

static bool parse_u64(const char *s, char **end, unsigned base, uint64_t *out)
{
    if (*s < '0' || (*s > '9' && (base == 10 || *s < 'a'))) return false; /* neither a sign nor a blank */
    errno = 0;
    *out = strtoull(s, end, (int)base);
    return *end != s && errno == 0;
}

static bool parse_file(struct backup_manifest *m, const char *s, int *rc, frz_error *err)
{
    uint64_t crc = 0, bytes = 0;
    char *end = NULL;
    struct backup_file *f = NULL;
    if (!parse_u64(s, &end, 16, &crc) || end != s + 8 || *end != ' ') return false;
    if (!parse_u64(end + 1, &end, 10, &bytes) || *end != ' ' || !is_path(end + 1)) return false;
    *rc = frz__backup_manifest_add(m, end + 1, bytes, &f, err);
    if (*rc >= 0) {
        f->crc = (uint32_t)crc;
        f->checked = true;
    }
    return true;
}

/* One line but the first and the last; false: it is not one. What a later version adds is passed over. */
static bool parse_line(struct backup_manifest *m, const char *line, int *rc, frz_error *err)
{
    char *end = NULL;
    uint64_t v = 0;
    const char *value = strchr(line, ' ');
    if (!value++) return false;
    size_t word = (size_t)(value - line) - 1;
#define IS(name) (word == sizeof name - 1 && memcmp(line, name, sizeof name - 1) == 0)
    if (IS("file")) return parse_file(m, value, rc, err);
    if (IS("number")) return parse_u64(value, &end, 10, &m->number) && !*end;
    if (IS("sequence")) return parse_u64(value, &end, 10, &m->sequence) && !*end;
    if (IS("tables")) return parse_u64(value, &end, 10, &m->table_count) && !*end;
    if (IS("new")) return parse_u64(value, &end, 10, &m->files_new) && *end == ' ' && parse_u64(end + 1, &end, 10, &m->bytes_new) && !*end;
    if (IS("time-us")) {
        bool good = parse_u64(value, &end, 10, &v) && !*end && v <= INT64_MAX;
        m->time_us = (int64_t)v;
        return good;
    }
    if (IS("log")) {
        uint8_t uuid[16];
        if (strlen(value) != 36 || !frz__uuid_parse(value, 36, uuid)) return false;
        memcpy(m->log_uuid, value, 37);
        return true;
    }
    const char **text = IS("source") ? &m->source : IS("archive") ? &m->archive : NULL;
    if (text && !(*text = frz__arena_strndup(&m->ar, value, strlen(value)))) *rc = frz__err_no_memory(err, strlen(value));
    return true;
#undef IS
}

int frz__backup_manifest_parse(slice text, struct backup_manifest *m, frz_error *err)
{
    char line[BACKUP_PATH_BYTES + 64];
    size_t at = 0;
    int format = 0, used = 0, rc = FRZ_OK;
    if (!next_line(text, &at, line) || sscanf(line, "frazil-backup %9d%n", &format, &used) != 1 || line[used])
        return frz__err_corrupt(err, "BACKUP: it does not begin as one does");
    if (format > FORMAT) return frz__err(err, FRZ_NEWER_FORMAT, "BACKUP: of format %d, this version reads up to %d", format, FORMAT);
    for (;;) {
        size_t begin = at;
        uint64_t crc = 0;
        char *end = NULL;
        if (!next_line(text, &at, line)) return frz__err_corrupt(err, "BACKUP: it is cut at byte %zu", begin);
        if (strncmp(line, "end ", 4) == 0) {
            if (!parse_u64(line + 4, &end, 16, &crc) || *end || at != text.len || crc != frz__crc32c(0, text.data, begin))
                return frz__err_corrupt(err, "BACKUP: its checksum fails");
            break;
        }
        if (!parse_line(m, line, &rc, err)) return frz__err_corrupt(err, "BACKUP: at byte %zu: %.200s", begin, line);
        TRY(rc);
    }
    if (!m->log_uuid[0] || !m->number) return frz__err_corrupt(err, "BACKUP: it lacks its number or its log");
    frz__backup_manifest_sort(m);
    for (size_t i = 1; i < m->count; i++)
        if (by_path(&m->files[i - 1], &m->files[i]) == 0) return frz__err_corrupt(err, "BACKUP: it names %s twice", m->files[i].path);
    return FRZ_OK;
}

int frz__backup_manifest_read(struct fs *fs, const char *dir, struct backup_manifest *m, frz_error *err)
{
    struct buf text = BUF_INIT(m->ar.a, 0);
    char path[BACKUP_PATH_BYTES];
    snprintf(path, sizeof path, "%s/%s", dir, DB_BACKUP_MARK);
    int rc = frz__fs_read_file(fs, path, MANIFEST_BYTES_MAX, &text, err);
    if (rc == FRZ_OK) {
        rc = frz__backup_manifest_parse(buf_slice(&text), m, err);
        if (rc < 0) frz__err_context(err, "%s/%s", fs->root, dir);
    }
    buf_clear(&text);
    return rc;
}
