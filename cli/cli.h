/* cli.h — the frazil command: one file a group of verbs, on nothing but frazil.h.
 *
 * Exit codes  0 done · 1 error · 2 usage · 3 not found. Messages go to stderr as `frazil: …`; results to stdout.
 * Options     `--name value` or `--name=value`, anywhere behind the verb; `--` ends them                                       */
#ifndef FRZ_CLI_H
#define FRZ_CLI_H
#include <stdio.h>
#include "frazil.h"

enum { EXIT_DONE = 0, EXIT_ERROR = 1, EXIT_USAGE = 2, EXIT_NOT_FOUND = 3 };
#define ARGS_MAX 4096

struct option_def { const char *name; bool value; const char *help; };
struct args {
    const char *verb;
    const char *words[ARGS_MAX]; /* what is no option */
    int word_count;
    const char *options[ARGS_MAX], *values[ARGS_MAX]; /* parallel; value NULL = a switch */
    int option_count;
};
struct command {
    const char *verb, *words, *help;
    int words_min, words_max; /* behind the verb; -1 = any number */
    const struct option_def *options;
    int (*run)(struct args *a);
};
extern const struct command commands[];

/* ── args.c ── */
int args_parse(int argc, char **argv, const struct command *c, struct args *a); /* 0, or EXIT_USAGE with a message */
const char *args_get(const struct args *a, const char *name);                   /* the last one; NULL = not given */
bool args_has(const struct args *a, const char *name);
int args_format(const struct args *a, const char **out); /* --format, or "jsonl" where --json is; NULL = neither. Exit code */
bool args_u64(const struct args *a, const char *name, uint64_t def, uint64_t *out); /* false: not a number; told */
int usage(const char *fmt, ...) __attribute__((format(printf, 1, 2)));               /* says it; EXIT_USAGE */
int fail(const frz_error *e, int rc); /* says it; the exit code for RC */
void say(const char *fmt, ...) __attribute__((format(printf, 1, 2))); /* to stderr */

/* ── when.c: times ── */
/* "2026-11-21T16:00:00Z" (also without seconds or time of day, with an offset, with a fraction; UTC where there is none), ms since 1970 as a whole number, "now", or "-5m" before now (ms, s, m, h, d, w). */
bool when_parse(const char *text, int64_t now_ms, int64_t *out);
bool when_parse_us(const char *text, int64_t now_ms, int64_t *out); /* the same in µs, but for the number */
bool duration_parse(const char *text, int64_t *ms); /* "30d": a whole number with ms, s, m, h, d or w */
int duration_of(const struct args *a, const char *option, int64_t *ms); /* the option's, above 0; left alone where it is not given. Exit code */
int64_t when_now(void);
void when_print(int64_t ms, char out[40]); /* 2026-11-21T16:00:00.000Z */

/* ── session.c: an open database and table ── */
struct session { frz_db *db; frz_table *table; frz_schema *schema; };
enum mode { MODE_READ, MODE_WRITE, MODE_CREATE, MODE_IMPORT, MODE_GC }; /* files are compacted beside an import; what takes moments begins none of that. gc removes all that goes itself, and tells of it */
/* words[0] is the database, words[1] the table where NEED_TABLE. Exit code; 0 = open. */
int session_open(struct session *s, const struct args *a, enum mode mode, bool need_table);
/* --snapshot, --tag or --as-of: *OUT, and the session's schema is that of its time; none of them: *OUT NULL. Exit code. */
int session_travel(struct session *s, const struct args *a, frz_snapshot **out);
int session_close(struct session *s, int code); /* CODE, or that of a failed close */
/* One KEY word → values. `scratch` is the caller's to free. */
int session_key(struct session *s, const char *text, frz_value *key, size_t *nkey, frz_blob **scratch);
#define KEY_COLUMNS_MAX 64
/* "a,b" → column indexes. Exit code. */
int session_columns(struct session *s, const char *list, size_t **columns, size_t *count);

/* ── out.c: rows and objects as text ── */
enum format { FORMAT_TABLE, FORMAT_CSV, FORMAT_JSONL };
struct writer;
/* COLUMNS of S in this order; NULL = all. NULL: no memory, said. */
struct writer *writer_new(FILE *f, enum format format, const frz_schema *s, const size_t *columns, size_t count);
int writer_row(struct writer *w, const frz_row *row, frz_error *err); /* rc */
int writer_end(struct writer *w); /* flushes what a table holds back; frees; 0 or EXIT_ERROR */
void print_plain(FILE *f, const char *s, size_t len); /* control characters as \n, \u001b: what a terminal would obey */
void print_json_string(FILE *f, const char *s, size_t len);

int properties_of(const struct args *a, frz_table_options *o); /* --property, --format-version; exit code */
int durability_of(const struct args *a, int32_t *out);                /* --sync; exit code */

int cmd_create(struct args *a);
int cmd_drop(struct args *a);
int cmd_tables(struct args *a);
int cmd_schema(struct args *a);
int cmd_alter(struct args *a);
int cmd_put(struct args *a);
int cmd_get(struct args *a);
int cmd_delete(struct args *a);
int cmd_scan(struct args *a);
int cmd_count(struct args *a);
int cmd_flush(struct args *a);
int cmd_compact(struct args *a);
int cmd_gc(struct args *a);
int cmd_stats(struct args *a);
int cmd_snapshots(struct args *a);
int cmd_tag(struct args *a);
int cmd_expire(struct args *a);
int cmd_set(struct args *a);
int cmd_unset(struct args *a);
int cmd_upgrade(struct args *a);
int cmd_files(struct args *a);
int cmd_verify(struct args *a);
int cmd_import(struct args *a);
int cmd_backup(struct args *a);
int cmd_restore(struct args *a);
int cmd_archive(struct args *a);
int cmd_top(struct args *a);
int watch_patiently(const char *path, frz_blob **out, frz_error *e); /* frz_watch; a writer that was not asked before is given time to answer */
int cmd_doctor(struct args *a);
int cmd_bench(struct args *a);
#endif
