/* fuzz_backup.c — the list of a backup's files (BACKUP): any bytes; then the same with the checksum mended, so that what it guards is reached. What was read is printed and read again, and names nothing outside. */
#include "fuzz.h"

#include "ship/backup.h"

static void check_path(const char *p)
{
    FUZZ_CHECK(*p && *p != '/' && strlen(p) < BACKUP_PATH_BYTES && !strstr(p, "//") && p[strlen(p) - 1] != '/');
    for (const char *at = p; at; at = strchr(at, '/') ? strchr(at, '/') + 1 : NULL)
        FUZZ_CHECK(strncmp(at, "../", 3) != 0 && strcmp(at, "..") != 0 && strncmp(at, "./", 2) != 0 && strcmp(at, ".") != 0);
}

static void same(const struct backup_manifest *a, const struct backup_manifest *b)
{
    FUZZ_CHECK(a->number == b->number && a->sequence == b->sequence && a->time_us == b->time_us && a->table_count == b->table_count);
    FUZZ_CHECK(a->files_new == b->files_new && a->bytes_new == b->bytes_new && strcmp(a->log_uuid, b->log_uuid) == 0);
    FUZZ_CHECK(strcmp(a->source, b->source) == 0 && strcmp(a->archive, b->archive) == 0 && a->count == b->count);
    for (size_t i = 0; i < a->count; i++) {
        check_path(a->files[i].path);
        FUZZ_CHECK(strcmp(a->files[i].path, b->files[i].path) == 0 && a->files[i].bytes == b->files[i].bytes);
        FUZZ_CHECK(a->files[i].crc == b->files[i].crc && a->files[i].checked);
        FUZZ_CHECK(frz__backup_manifest_find(a, a->files[i].path));
    }
}

static void read_one(slice text)
{
    frz_error err = {0};
    struct backup_manifest m, again;
    struct buf out = BUF_INIT(NULL, 0);
    frz__backup_manifest_init(&m, NULL);
    frz__backup_manifest_init(&again, NULL);
    int rc = frz__backup_manifest_parse(text, &m, &err);
    fuzz_check_error(rc, &err);
    if (rc == FRZ_OK) {
        FUZZ_CHECK(frz__backup_manifest_print(&m, &out, &err) == FRZ_OK);
        FUZZ_CHECK(frz__backup_manifest_parse(buf_slice(&out), &again, &err) == FRZ_OK);
        same(&m, &again);
    }
    buf_clear(&out);
    frz__backup_manifest_clear(&m);
    frz__backup_manifest_clear(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t *bytes = fuzz_copy(data, size);
    read_one(slice_of(bytes, size));
    free(bytes);
    size_t head = size; /* without a last line that may be a checksum */
    while (head > 0 && data[head - 1] == '\n') head--;
    while (head > 0 && data[head - 1] != '\n') head--;
    for (int whole = 0; whole < 2; whole++) {
        struct buf text = BUF_INIT(NULL, 0);
        frz_error err = {0};
        FUZZ_CHECK(buf_append(&text, data, whole ? size : head, &err) == FRZ_OK);
        FUZZ_CHECK(frz__buf_printf(&text, &err, "end %08" PRIx32 "\n", frz__crc32c(0, text.data, text.len)) == FRZ_OK);
        bytes = fuzz_copy(text.data, text.len);
        read_one(slice_of(bytes, text.len));
        free(bytes);
        buf_clear(&text);
    }
    return 0;
}
