/* Goal    a directory that is not what it should be — read only, full, no warehouse, cut, garbled, of a later version, with a file gone or bits flipped — gives the right code and a message that names the
 *         place; what can be read stays readable, what was acknowledged stays, and what was mended from outside is taken up again.
 * Method  a small database is made, its files are damaged one by one, it is opened; then the damage is undone, and all rows must be there. As root, a tmpfs of a few MiB is filled. */
#include "hostile_kit.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define ROWS 50

/* ── files, as a hostile user has them ── */

struct bytes { uint8_t *at; size_t len; };

static struct bytes slurp(const char *path)
{
    FILE *f = fopen(path, "rb");
    assert_non_null(f);
    fseek(f, 0, SEEK_END);
    struct bytes b = {NULL, (size_t)ftell(f)};
    rewind(f);
    b.at = (uint8_t *)malloc(b.len + 1);
    assert_int_equal(fread(b.at, 1, b.len, f), b.len);
    b.at[b.len] = 0;
    fclose(f);
    return b;
}
static void spit(const char *path, const void *at, size_t len)
{
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(at, 1, len, f), len);
    assert_int_equal(fclose(f), 0);
}
/* The first name in DIR that ends with SUFFIX, whole path. */
static bool find(const char *dir, const char *suffix, char out[1024])
{
    DIR *d = opendir(dir);
    bool found = false;
    char best[512] = "";
    if (!d) return false;
    for (struct dirent *e; (e = readdir(d));) {
        size_t n = strlen(e->d_name), m = strlen(suffix);
        if (n < m || strcmp(e->d_name + n - m, suffix) != 0) continue;
        if (!found || strcmp(e->d_name, best) > 0) snprintf(best, sizeof best, "%s", e->d_name); /* the last by name */
        found = true;
    }
    closedir(d);
    if (found) snprintf(out, 1024, "%s/%s", dir, best);
    return found;
}
static void in(const struct host *h, char out[1024], const char *rest) { snprintf(out, 1024, "%s/%s", h->path, rest); }

/* ROWS rows published, ROWS more in the log alone, and another table that nobody hurts. */
static void make(struct host *h, const char *name)
{
    h_open(h, name, "id long, v string?", "id");
    for (int64_t i = 0; i < ROWS; i++) OK(h_put(h, i), &h->e);
    OK(frz_table_flush(h->t, &h->e), &h->e);
    frz_schema *s = h_schema("id long, v string?", "id");
    frz_table *other = NULL, *t = h->t;
    OK(frz_table_create(h->db, "other", s, NULL, &other, &h->e), &h->e);
    h->t = other;
    OK(h_put(h, 1), &h->e);
    h->t = t;
    frz_schema_free(s);
    for (int64_t i = ROWS; i < 2 * ROWS; i++) OK(h_put(h, i), &h->e);
    frz_row_free(h->r);
    h->r = NULL;
}
static void make_and_leave(struct host *h, const char *name)
{
    make(h, name);
    frz_db_options o = h_options();
    OK(frz_db_close(h->db, &h->e), &h->e); /* publishes: so once more, without */
    o.no_close_flush = true;
    OK(frz_db_open(h->path, &o, &h->db, &h->e), &h->e);
    OK(frz_table_open(h->db, "t", &h->t, &h->e), &h->e);
    OK(frz_row_new(h->t, &h->r, &h->e), &h->e);
    for (int64_t i = 2 * ROWS; i < 3 * ROWS; i++) OK(h_put(h, i), &h->e);
    frz_row_free(h->r);
    h->r = NULL;
    OK(frz_db_close(h->db, &h->e), &h->e);
    h->db = NULL;
}
static void all_there(struct host *h)
{
    h_open_at(h);
    OK(frz_table_open(h->db, "t", &h->t, &h->e), &h->e);
    OK(frz_row_new(h->t, &h->r, &h->e), &h->e);
    for (int64_t i = 0; i < 3 * ROWS; i++) h_has(h, i);
    assert_int_equal(h_count(h), 3 * ROWS);
    h_verify(h);
    h_close(h);
}
/* Opens, T can't be used for WANT's reason, the other table can, and nothing of T's is forgotten over several opens, writes and flushes of the other. */
static void broken_but_the_rest_goes_on(struct host *h, int want, const char *says)
{
    for (int round = 0; round < 3; round++) {
        h_open_at(h);
        FAILS(frz_table_open(h->db, "t", &h->t, &h->e), want, &h->e);
        MESSAGE_HAS(&h->e, "main.t");
        if (!strstr(h->e.message, says)) print_error("%s: no \"%s\"\n", h->e.message, says);
        MESSAGE_HAS(&h->e, says);
        OK(frz_table_open(h->db, "other", &h->t, &h->e), &h->e);
        OK(frz_row_new(h->t, &h->r, &h->e), &h->e);
        for (int64_t i = 0; i < 2000; i++) OK(h_put(h, i), &h->e); /* segments come and go */
        OK(frz_table_flush(h->t, &h->e), &h->e);
        h_has(h, 1);
        h_shut(h);
    }
}

TEST(hostile_disk, metadata_that_is_cut_or_garbage_breaks_its_table_alone_and_loses_nothing)
{
    struct host h;
    char dir[1024], path[1024];
    make_and_leave(&h, "hd-meta");
    in(&h, dir, "main/t/metadata");
    assert_true(find(dir, ".metadata.json", path));
    struct bytes b = slurp(path);
    spit(path, b.at, b.len / 2);
    broken_but_the_rest_goes_on(&h, FRZ_CORRUPT, "metadata.json");
    spit(path, "", 0);
    broken_but_the_rest_goes_on(&h, FRZ_CORRUPT, "metadata.json");
    spit(path, "\x89PNG garbage \xff\xfe", 14);
    broken_but_the_rest_goes_on(&h, FRZ_CORRUPT, "metadata.json");
    spit(path, "{\"format-version\": 2}", 21);
    broken_but_the_rest_goes_on(&h, FRZ_CORRUPT, "metadata.json");
    char *later = strstr((char *)b.at, "\"format-version\"");
    assert_non_null(later);
    later = strchr(later, ':');
    while (*later < '0' || *later > '9') later++;
    char was = *later;
    *later = '4';
    spit(path, b.at, b.len);
    broken_but_the_rest_goes_on(&h, FRZ_NEWER_FORMAT, "4");
    *later = was;
    spit(path, b.at, b.len);
    free(b.at);
    all_there(&h);
}

static void count_message(void *ctx, int level, const char *message)
{
    (void)level, (void)message;
    ++*(int *)ctx;
}

/* The log drops the first table of this name. The second one's metadata can't be read, so that its name alone is known. */
TEST(hostile_disk, a_broken_table_is_not_taken_for_a_dropped_one_of_its_name)
{
    struct host h;
    char dir[1024], path[1024];
    int told = 0;
    frz_db_options o = h_options(), ro = FRZ_DB_OPTIONS_INIT;
    h_open(&h, "hd-name", "id long, v string?", "id");
    OK(h_put(&h, 1), &h.e);
    h_shut(&h);
    o.no_close_flush = true;
    OK(frz_db_open(h.path, &o, &h.db, &h.e), &h.e);
    OK(frz_table_drop(h.db, "t", &h.e), &h.e);
    h_table(&h, "id long, v string?", "id");
    for (int64_t i = 0; i < 3 * ROWS; i++) OK(h_put(&h, i), &h.e);
    h_shut(&h);
    in(&h, dir, "main/t/metadata");
    assert_true(find(dir, ".metadata.json", path));
    struct bytes b = slurp(path);
    spit(path, b.at, b.len / 2);
    ro.read_only = true;
    ro.log = count_message;
    ro.log_ctx = &told;
    OK(frz_db_open(h.path, &ro, &h.db, &h.e), &h.e);
    FAILS(frz_table_open(h.db, "t", &h.t, &h.e), FRZ_CORRUPT, &h.e);
    OK(frz_db_close(h.db, &h.e), &h.e);
    assert_int_equal(told, 1); /* once, however often it looked */
    h_open_at(&h);
    FAILS(frz_table_open(h.db, "t", &h.t, &h.e), FRZ_CORRUPT, &h.e);
    OK(frz_db_close(h.db, &h.e), &h.e);
    spit(path, b.at, b.len);
    free(b.at);
    all_there(&h);
}

/* The table "t", broken by whatever was done to it, is dropped: its logged rows go with it, for readers and later writers, and a table of its name begins anew. */
static void dropped_for_good(struct host *h)
{
    char dir[1024];
    int told = 0;
    frz_db_options ro = FRZ_DB_OPTIONS_INIT, o = h_options();
    h_open_at(h);
    FAILS(frz_table_open(h->db, "t", &h->t, &h->e), FRZ_CORRUPT, &h->e);
    OK(frz_table_drop(h->db, "t", &h->e), &h->e);
    OK(frz_db_close(h->db, &h->e), &h->e);
    ro.read_only = true;
    ro.log = o.log = count_message;
    ro.log_ctx = o.log_ctx = &told;
    o.log_level = FRZ_LOG_WARN;
    for (int round = 0; round < 3; round++) {
        OK(frz_db_open(h->path, &ro, &h->db, &h->e), &h->e);
        RC(frz_table_open(h->db, "t", &h->t, &h->e), round < 2 ? FRZ_NOT_FOUND : FRZ_OK, &h->e);
        OK(frz_db_close(h->db, &h->e), &h->e);
        OK(frz_db_open(h->path, &o, &h->db, &h->e), &h->e);
        if (round == 1) {
            h_table(h, "id long, v string?", "id");
            OK(h_put(h, 7), &h->e);
        }
        if (round == 2) {
            OK(frz_table_open(h->db, "t", &h->t, &h->e), &h->e);
            assert_int_equal(h_count(h), 1);
        }
        h_shut(h);
    }
    assert_int_equal(told, 0);
    in(h, dir, ".frazil");
    DIR *d = opendir(dir);
    assert_non_null(d);
    for (struct dirent *e; (e = readdir(d));) assert_true(strncmp(e->d_name, "lost-", 5) != 0);
    closedir(d);
    test_tmp_remove(h->path);
}

TEST(hostile_disk, a_broken_table_is_dropped_as_any_other_with_its_logged_rows)
{
    struct host h;
    char dir[1024], path[1024];
    make_and_leave(&h, "hd-drop-meta"); /* known by its name alone */
    in(&h, dir, "main/t/metadata");
    assert_true(find(dir, ".metadata.json", path));
    spit(path, "{}", 2);
    dropped_for_good(&h);
    make_and_leave(&h, "hd-drop-data"); /* known by its uuid */
    in(&h, dir, "main/t/data");
    assert_true(find(dir, ".parquet", path));
    assert_int_equal(unlink(path), 0);
    dropped_for_good(&h);
}

TEST(hostile_disk, a_manifest_or_data_file_that_is_missing_or_cut_is_corruption_and_named)
{
    struct host h;
    for (int i = 0; i < 2; i++) {
        char dir[1024], path[1024], away[1100];
        make_and_leave(&h, "hd-file");
        if (i == 0) { /* the newest data file */
            in(&h, dir, "main/t/data");
            assert_true(find(dir, ".parquet", path));
        } else { /* the current manifest list: the last that the metadata names */
            in(&h, dir, "main/t/metadata");
            assert_true(find(dir, ".metadata.json", path));
            struct bytes meta = slurp(path);
            char *last = NULL;
            for (char *p = (char *)meta.at; (p = strstr(p, "\"manifest-list\"")); p++) last = p;
            assert_non_null(last);
            last = strstr(last, "file://") + 7;
            snprintf(path, sizeof path, "%.*s", (int)strcspn(last, "\""), last);
            free(meta.at);
        }
        snprintf(away, sizeof away, "%s.away", path);
        assert_int_equal(rename(path, away), 0);
        broken_but_the_rest_goes_on(&h, FRZ_CORRUPT, strrchr(path, '/') + 1);
        assert_int_equal(rename(away, path), 0);
        struct bytes b = slurp(path);
        spit(path, b.at, b.len - 3);
        broken_but_the_rest_goes_on(&h, FRZ_CORRUPT, strrchr(path, '/') + 1);
        spit(path, b.at, b.len);
        free(b.at);
        all_there(&h);
    }
}

TEST(hostile_disk, a_flipped_bit_in_a_data_file_is_found_and_never_read_as_a_row)
{
    struct host h;
    char dir[1024], path[1024];
    make_and_leave(&h, "hd-flip");
    in(&h, dir, "main/t/data");
    assert_true(find(dir, ".parquet", path));
    struct bytes b = slurp(path);
    frz_db_options ro = FRZ_DB_OPTIONS_INIT;
    ro.read_only = true;
    for (size_t at = 0; at < b.len; at += 1 + b.len / 150) {
        b.at[at] ^= 0x10;
        spit(path, b.at, b.len);
        OK(frz_db_open(h.path, &ro, &h.db, &h.e), &h.e);
        int rc = frz_table_open(h.db, "t", &h.t, &h.e);
        if (rc == FRZ_OK) {
            frz_cursor *c = NULL;
            const frz_row *row;
            int64_t n = 0;
            rc = frz_scan(h.t, NULL, &c, &h.e);
            while (rc == FRZ_OK && (rc = frz_cursor_next(c, &row, &h.e)) == FRZ_OK) {
                char want[32];
                size_t len;
                const char *v = frz_row_bytes(row, 1, &len);
                snprintf(want, sizeof want, "v%lld", (long long)n);
                assert_int_equal(frz_row_long(row, 0), n);
                assert_int_equal(len, strlen(want));
                assert_memory_equal(v, want, len);
                n++;
            }
            if (rc == FRZ_DONE) assert_int_equal(n, 3 * ROWS);
            frz_cursor_close(c);
        }
        if (rc != FRZ_DONE) assert_true(rc == FRZ_CORRUPT || rc == FRZ_NEWER_FORMAT || rc == FRZ_UNSUPPORTED);
        OK(frz_db_close(h.db, &h.e), &h.e);
        b.at[at] ^= 0x10;
    }
    spit(path, b.at, b.len);
    free(b.at);
    all_there(&h);
}

TEST(hostile_disk, a_hint_that_lies_is_not_believed)
{
    static const char *const hints[] = {"", "0", "-1", "999", "1", "two", "99999999999999999999", "2\n", " 2", "\xff\xff", "9223372036854775807"};
    struct host h;
    char path[1024];
    for (size_t i = 0; i < sizeof hints / sizeof *hints; i++) {
        make_and_leave(&h, "hd-hint");
        in(&h, path, "main/t/metadata/version-hint.text");
        spit(path, hints[i], strlen(hints[i]));
        all_there(&h);
    }
    make_and_leave(&h, "hd-hint");
    in(&h, path, "main/t/metadata/version-hint.text");
    assert_int_equal(unlink(path), 0);
    all_there(&h);
}

TEST(hostile_disk, a_log_with_flipped_bits_is_cut_at_its_tail_or_reported_and_what_is_read_is_right)
{
    struct host h;
    char dir[1024], path[1024];
    make_and_leave(&h, "hd-log");
    in(&h, dir, ".frazil/wal");
    assert_true(find(dir, ".wal", path));
    struct bytes b = slurp(path);
    size_t used = b.len;
    while (used && b.at[used - 1] == 0) used--;
    assert_true(used > 300);
    frz_db_options ro = FRZ_DB_OPTIONS_INIT;
    ro.read_only = true;
    int reported = 0;
    for (size_t at = 0; at < used; at += 1 + used / 200) {
        b.at[at] ^= 0x04;
        spit(path, b.at, b.len);
        int rc = frz_db_open(h.path, &ro, &h.db, &h.e);
        b.at[at] ^= 0x04;
        if (rc < 0) {
            RC(rc, FRZ_CORRUPT, &h.e);
            MESSAGE_HAS(&h.e, ".wal");
            reported++;
            continue;
        }
        OK(frz_table_open(h.db, "t", &h.t, &h.e), &h.e);
        OK(frz_row_new(h.t, &h.r, &h.e), &h.e);
        uint64_t n = h_count(&h);
        assert_true(n >= 2 * ROWS && n <= 3 * ROWS); /* what is published, and a prefix of the log */
        for (uint64_t i = 0; i < n; i++) h_has(&h, (int64_t)i);
        h_shut(&h);
    }
    spit(path, b.at, b.len);
    free(b.at);
    print_message("%d of 200 reported, the others cut\n", reported);
    all_there(&h);
}

TEST(hostile_disk, a_directory_that_is_no_warehouse_is_not_taken_and_not_touched)
{
    struct host h = {.db = NULL};
    char path[1024];
    frz_db_options o = h_options(), plain = FRZ_DB_OPTIONS_INIT, ro = FRZ_DB_OPTIONS_INIT;
    ro.read_only = true;
    snprintf(h.path, sizeof h.path, "%s", test_tmp_dir("hd-none"));
    RC(frz_db_open(h.path, NULL, &h.db, &h.e), FRZ_NOT_FOUND, &h.e);
    MESSAGE_HAS(&h.e, h.path);
    RC(frz_db_open(h.path, &plain, &h.db, &h.e), FRZ_NOT_FOUND, &h.e);
    RC(frz_db_open(h.path, &ro, &h.db, &h.e), FRZ_NOT_FOUND, &h.e);
    in(&h, path, ".frazil");
    assert_int_not_equal(access(path, F_OK), 0);
    in(&h, path, "not/there/at/all");
    RC(frz_db_open(path, NULL, &h.db, &h.e), FRZ_NOT_FOUND, &h.e);
    FAILS(frz_db_open(path, &o, &h.db, &h.e), FRZ_IO, &h.e); /* only the last folder is made */
    MESSAGE_HAS(&h.e, "above");
    in(&h, path, "file");
    spit(path, "x", 1);
    assert_true(frz_db_open(path, &o, &h.db, &h.e) < 0);
    char longer[8192];
    memset(longer, 'p', sizeof longer);
    longer[0] = '/';
    longer[sizeof longer - 1] = 0;
    assert_true(frz_db_open(longer, &o, &h.db, &h.e) < 0);
    assert_null(h.db);
    /* a directory of other things becomes one by `create`, and the things stay */
    in(&h, path, "photos");
    assert_int_equal(mkdir(path, 0755), 0);
    in(&h, path, "photos/a");
    assert_int_equal(mkdir(path, 0755), 0);
    in(&h, path, "photos/a/metadata");
    assert_int_equal(mkdir(path, 0755), 0);
    in(&h, path, "photos/a/metadata/notes.txt");
    spit(path, "mine", 4);
    in(&h, path, "link");
    assert_int_equal(symlink("/", path), 0);
    in(&h, path, "photos/loop");
    assert_int_equal(symlink("..", path), 0);
    h_open_at(&h);
    h_table(&h, "id long, v string?", "id");
    OK(h_put(&h, 1), &h.e);
    h_reopen(&h);
    h_has(&h, 1);
    in(&h, path, "photos/a/metadata/notes.txt");
    assert_int_equal(access(path, F_OK), 0);
    h_close(&h);
}

/* ── read only ── */

static void read_only_answers(struct host *h)
{
    frz_db *db = NULL;
    frz_db_options o = h_options(), ro = FRZ_DB_OPTIONS_INIT;
    ro.read_only = true;
    FAILS(frz_db_open(h->path, &o, &db, &h->e), FRZ_READ_ONLY, &h->e);
    MESSAGE_HAS(&h->e, "LOCK");
    assert_null(db);
    OK(frz_db_open(h->path, &ro, &h->db, &h->e), &h->e);
    OK(frz_table_open(h->db, "t", &h->t, &h->e), &h->e);
    OK(frz_row_new(h->t, &h->r, &h->e), &h->e);
    for (int64_t i = 0; i < 3 * ROWS; i++) h_has(h, i); /* with what the log alone holds */
    assert_int_equal(h_count(h), 3 * ROWS);
    frz_value key = h_long(1);
    frz_schema *s = h_schema("id long", "id");
    FAILS(h_put(h, 1), FRZ_READ_ONLY, &h->e);
    FAILS(frz_delete(h->t, &key, 1, NULL, &h->e), FRZ_READ_ONLY, &h->e);
    FAILS(frz_table_create(h->db, "n", s, NULL, NULL, &h->e), FRZ_READ_ONLY, &h->e);
    FAILS(frz_table_drop(h->db, "t", &h->e), FRZ_READ_ONLY, &h->e);
    FAILS(frz_table_set_property(h->t, "a", "b", &h->e), FRZ_READ_ONLY, &h->e);
    FAILS(frz_table_flush(h->t, &h->e), FRZ_READ_ONLY, &h->e);
    FAILS(frz_db_flush(h->db, &h->e), FRZ_READ_ONLY, &h->e);
    OK(frz_db_refresh(h->db, &h->e), &h->e);
    frz_schema_free(s);
    h_verify(h);
    h_shut(h);
}

TEST(hostile_disk, a_read_only_directory_is_read_and_refuses_writes)
{
    struct host h;
    make_and_leave(&h, "hd-ro");
    if (geteuid() == 0) { /* permission bits do not bind root */
        if (mount(h.path, h.path, NULL, MS_BIND, NULL) != 0) {
            print_error("SKIPPED: no bind mount here (%s)\n", strerror(errno));
        } else {
            assert_int_equal(mount(NULL, h.path, NULL, MS_BIND | MS_REMOUNT | MS_RDONLY, NULL), 0);
            read_only_answers(&h);
            assert_int_equal(umount(h.path), 0);
        }
    } else {
        char command[1200];
        snprintf(command, sizeof command, "chmod -R a-w '%s'", h.path);
        assert_int_equal(system(command), 0);
        read_only_answers(&h);
        snprintf(command, sizeof command, "chmod -R u+w '%s'", h.path);
        assert_int_equal(system(command), 0);
    }
    all_there(&h);
}

/* ── a full disk ── */

TEST(hostile_disk, one_that_is_nearly_full_takes_a_few_writes_a_flush_and_the_drop_that_makes_room)
{
    char inner[512], path[600], ballast[600];
    frz_error e;
    frz_db *db;
    frz_table *t[2];
    frz_row *row;
    uint64_t n;
    snprintf(inner, sizeof inner, "%s", test_tmp_dir("hd-nearly"));
    if (mount("tmpfs", inner, "tmpfs", 0, "size=40m") != 0) {
        print_error("SKIPPED: no tmpfs can be mounted here (%s)\n", strerror(errno));
        test_tmp_remove(inner);
        return;
    }
    snprintf(path, sizeof path, "%s/wh", inner);
    snprintf(ballast, sizeof ballast, "%s/ballast", inner);
    frz_db_options o = FRZ_DB_OPTIONS_INIT; /* a log segment of 16 MiB */
    o.create = true;
    for (int round = 0; round < 2; round++) {
        OK(frz_db_open(path, &o, &db, &e), &e);
        for (int i = 0; i < 2; i++) {
            frz_schema *s = h_schema("id long, v string?", "id");
            OK(round ? frz_table_open(db, i ? "b" : "a", &t[i], &e) : frz_table_create(db, i ? "b" : "a", s, NULL, &t[i], &e), &e);
            frz_schema_free(s);
        }
        OK(frz_row_new(t[0], &row, &e), &e);
        for (int64_t i = 0; i < 100; i++) {
            OK(frz_row_set_long(row, 0, round * 1000 + i, &e), &e);
            OK(frz_put(t[0], row, NULL, &e), &e);
        }
        frz_row_free(row);
        if (round) { /* with less room than a segment takes */
            OK(frz_count(t[0], NULL, &n, &e), &e);
            assert_int_equal(n, 200);
            OK(frz_table_flush(t[0], &e), &e);
            OK(frz_table_drop(db, "b", &e), &e);
        }
        OK(frz_db_close(db, &e), &e);
        if (round) break;
        char command[800];
        snprintf(command, sizeof command, "rm -f '%s'/.frazil/wal/*.free", path);
        assert_int_equal(system(command), 0);
        int fd = open(ballast, O_CREAT | O_WRONLY, 0644);
        static const char block[65536];
        while (write(fd, block, sizeof block) > 0) {}
        struct stat st;
        assert_int_equal(fstat(fd, &st), 0);
        assert_int_equal(ftruncate(fd, st.st_size - (4 << 20)), 0);
        close(fd);
    }
    assert_int_equal(umount(inner), 0);
    test_tmp_remove(inner);
}

TEST(hostile_disk, a_full_disk_stops_writes_and_not_reads_and_heals_when_room_is_made)
{
    struct host h = {.db = NULL};
    char ballast[1024], inner[512];
    snprintf(inner, sizeof inner, "%s", test_tmp_dir("hd-full"));
    if (mount("tmpfs", inner, "tmpfs", 0, "size=6m") != 0) {
        print_error("SKIPPED: no tmpfs can be mounted here (%s); test_crash has a full disk in memory\n", strerror(errno));
        test_tmp_remove(inner);
        return;
    }
    snprintf(h.path, sizeof h.path, "%s/wh", inner);
    h_open_at(&h);
    h_table(&h, "id long, v string?", "id");
    OK(frz_row_set_long(h.r, 0, 1, &h.e), &h.e);
    int64_t acked = 0;
    for (; acked < 100; acked++) OK(h_put(&h, acked), &h.e);
    OK(frz_table_flush(h.t, &h.e), &h.e);
    for (int round = 0; round < 3; round++) {
        snprintf(ballast, sizeof ballast, "%s/ballast", inner);
        int fd = open(ballast, O_CREAT | O_WRONLY, 0644);
        static const char block[4096];
        while (write(fd, block, sizeof block) > 0) {}
        /* what fits in the segment that is there may still be taken */
        int rc = FRZ_OK;
        int64_t tried = acked;
        for (; rc == FRZ_OK && tried < acked + 100000; tried++) rc = h_put(&h, tried);
        int64_t good = tried - 1;
        FAILS(h_put(&h, good), FRZ_NO_SPACE, &h.e);
        MESSAGE_HAS(&h.e, "No space left");
        FAILS(frz_table_flush(h.t, &h.e), FRZ_NO_SPACE, &h.e);
        FAILS(frz_table_set_property(h.t, "a", "b", &h.e), FRZ_NO_SPACE, &h.e);
        frz_schema *s = h_schema("id long", "id");
        FAILS(frz_table_create(h.db, "n", s, NULL, NULL, &h.e), FRZ_NO_SPACE, &h.e);
        RC(frz_table_open(h.db, "n", &h.t, &h.e), FRZ_NOT_FOUND, &h.e);
        OK(frz_table_open(h.db, "t", &h.t, &h.e), &h.e);
        for (int64_t i = 0; i < good; i += 1 + good / 100) h_has(&h, i);
        assert_int_equal(h_count(&h), good);
        acked = good;
        close(fd);
        assert_int_equal(unlink(ballast), 0);
        /* room: all goes on */
        OK(h_put(&h, acked), &h.e);
        acked++;
        OK(frz_table_create(h.db, "n", s, NULL, NULL, &h.e), &h.e);
        OK(frz_table_drop(h.db, "n", &h.e), &h.e);
        frz_schema_free(s);
        OK(frz_table_flush(h.t, &h.e), &h.e);
        OK(frz_table_set_property(h.t, "a", "b", &h.e), &h.e);
        if (round == 1) h_reopen(&h);
        for (int64_t i = 0; i < acked; i += 1 + acked / 100) h_has(&h, i);
        assert_int_equal(h_count(&h), acked);
        h_verify(&h);
    }
    /* opening and closing on a full disk, then with room */
    int fd = open(ballast, O_CREAT | O_WRONLY, 0644);
    static const char block[4096];
    OK(h_put(&h, acked), &h.e);
    acked++;
    while (write(fd, block, sizeof block) > 0) {}
    frz_row_free(h.r);
    h.r = NULL;
    int rc = frz_db_close(h.db, &h.e);
    if (rc != FRZ_OK) RC(rc, FRZ_NO_SPACE, &h.e);
    frz_db_options o = h_options();
    rc = frz_db_open(h.path, &o, &h.db, &h.e);
    if (rc == FRZ_OK) (void)frz_db_close(h.db, &h.e);
    else RC(rc, FRZ_NO_SPACE, &h.e);
    close(fd);
    assert_int_equal(unlink(ballast), 0);
    h_open_at(&h);
    OK(frz_table_open(h.db, "t", &h.t, &h.e), &h.e);
    OK(frz_row_new(h.t, &h.r, &h.e), &h.e);
    assert_int_equal(h_count(&h), acked);
    h_has(&h, acked - 1);
    h_verify(&h);
    h_shut(&h);
    assert_int_equal(umount(inner), 0);
    test_tmp_remove(inner);
}

/* ── two at once ── */

TEST(hostile_disk, a_second_writing_process_is_told_who_holds_it)
{
    struct host h;
    h_open(&h, "hd-two", "id long, v string?", "id");
    OK(h_put(&h, 1), &h.e);
    int pipes[2];
    assert_int_equal(pipe(pipes), 0);
    pid_t child = fork();
    if (child == 0) {
        frz_db_options o = h_options();
        frz_db *db = NULL;
        frz_error e = {0};
        int rc = frz_db_open(h.path, &o, &db, &e);
        char line[600];
        int n = snprintf(line, sizeof line, "%d %s", rc, e.message);
        _exit(write(pipes[1], line, (size_t)n) == n ? 0 : 1);
    }
    char line[600] = "", pid[32];
    int status;
    assert_true(read(pipes[0], line, sizeof line - 1) > 0);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(atoi(line), FRZ_BUSY);
    snprintf(pid, sizeof pid, " %ld ", (long)getpid());
    assert_non_null(strstr(line, pid));
    close(pipes[0]);
    close(pipes[1]);
    frz_db *second = NULL; /* and so within a process */
    frz_db_options o = h_options();
    FAILS(frz_db_open(h.path, &o, &second, &h.e), FRZ_BUSY, &h.e);
    h_has(&h, 1);
    h_close(&h);
}

TEST(hostile_disk, two_processes_that_race_to_create_a_table_make_one)
{
    struct host h = {.db = NULL};
    snprintf(h.path, sizeof h.path, "%s", test_tmp_dir("hd-race"));
    pid_t child[4];
    for (int i = 0; i < 4; i++) {
        child[i] = fork();
        if (child[i]) continue;
        frz_error e;
        for (;;) { /* until the lock is ours */
            frz_db *db = NULL;
            frz_db_options o = h_options();
            frz_schema *s = NULL;
            int rc = frz_db_open(h.path, &o, &db, &e);
            if (rc == FRZ_BUSY) {
                usleep(1000);
                continue;
            }
            if (rc != FRZ_OK) _exit(3);
            if (frz_schema_parse("id long, v string?", "id", &s, &e) != FRZ_OK) _exit(4);
            rc = frz_table_create(db, "t", s, NULL, NULL, &e);
            frz_schema_free(s);
            if (frz_db_close(db, &e) != FRZ_OK) _exit(5);
            _exit(rc == FRZ_OK ? 0 : rc == FRZ_EXISTS ? 1 : 6);
        }
    }
    int made = 0, found = 0;
    for (int i = 0; i < 4; i++) {
        int status;
        assert_int_equal(waitpid(child[i], &status, 0), child[i]);
        assert_true(WIFEXITED(status));
        made += WEXITSTATUS(status) == 0;
        found += WEXITSTATUS(status) == 1;
    }
    assert_int_equal(made, 1);
    assert_int_equal(found, 3);
    h_open_at(&h);
    OK(frz_table_open(h.db, "t", &h.t, &h.e), &h.e);
    h_close(&h);
}
