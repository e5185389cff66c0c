#include <errno.h>
#include <signal.h>
#include <string.h>

#include "cli.h"

#define JSON {"json", false, "one JSON object, or JSON lines"}
static const struct option_def none[] = {JSON, {0}};
static const struct option_def stats_options[] = {JSON, {"openmetrics", false, "OpenMetrics text"}, {0}};
static const struct option_def top_options[] = {{"interval", true, "seconds between two looks (default 2)"}, {"once", false, "one look, without a terminal"}, JSON, {0}};
static const struct option_def create_options[] = {{"schema", true, "'id long, name string?'"}, {"schema-json", true, "a file of Iceberg schema JSON"}, {"key", true, "id[,…]"},
    {"property", true, "key=value; again for more"}, {"format-version", true, "2 (default) or 3"}, JSON, {0}};
static const struct option_def durability[] = {{"sync", true, "full (default), interval, off"}, {"no-flush", false, "leave publishing to a later flush"}, JSON, {0}};
static const struct option_def delete_options[] = {{"keys-from", true, "a file with a key a line"}, {"where", true, "delete the rows that pass"}, {"sync", true, "full (default), interval, off"},
    {"no-flush", false, "leave publishing to a later flush"}, JSON, {0}};
#define TRAVEL {"snapshot", true, "a published snapshot's id"}, {"tag", true, "the snapshot of a tag or branch"}, \
    {"as-of", true, "what was published at 2026-11-21T16:00:00Z, at ms since 1970, or -5m before now"}
static const struct option_def get_options[] = {{"columns", true, "a,b"}, {"format", true, "jsonl (default), csv, table"}, TRAVEL, JSON, {0}};
static const struct option_def scan_options[] = {{"columns", true, "a,b"}, {"from", true, "the first key"}, {"to", true, "the key before which it ends"}, {"prefix", true, "the first columns of the key"},
    {"where", true, "an expression"}, {"limit", true, "rows at most"}, {"reverse", false, "keys descend"}, TRAVEL,
    {"format", true, "table, csv, jsonl, parquet"}, {"output", true, "a file (default: standard output)"}, JSON, {0}};
static const struct option_def count_options[] = {{"where", true, "an expression"}, {"from", true, "the first key"}, {"to", true, "the key before which it ends"}, {"prefix", true, "the first columns of the key"},
    TRAVEL, JSON, {0}};
static const struct option_def tag_options[] = {{"snapshot", true, "its id (default: the current one, what is in the log published with it)"}, {"max-age", true, "30d: the tag goes when its snapshot is older"},
    {"no-replace", false, "an error if there is a tag of this name"}, {"delete", false, "the tag goes"}, JSON, {0}};
static const struct option_def expire_options[] = {{"older-than", true, "2026-11-21T16:00:00Z, ms since 1970, or -5m before now: in place of the table's age and ladder"},
    {"keep-last", true, "so many however old"}, {"snapshot", true, "this one, by its id; again for more; with neither of the above, no other goes"}, {"dry-run", false, "only say which"}, JSON, {0}};
static const struct option_def upgrade_options[] = {{"format", true, "3 (default)"}, JSON, {0}};
static const struct option_def import_options[] = {{"format", true, "csv, jsonl, parquet; by the file's name where it tells"}, {"create", false, "make the table, its schema from the file"}, {"key", true, "with --create: id[,…]"},
    {"mode", true, "upsert (default), insert"}, {"null", true, "CSV: what stands for null (default: an empty field without quotes)"}, {"batch", true, "rows a batch (default 10000)"},
    {"on-error", true, "stop (default), skip"}, {"property", true, "with --create: key=value"}, {"format-version", true, "with --create: 2 or 3"}, {"sync", true, "full (default), interval, off"}, JSON, {0}};
static const struct option_def compact_options[] = {{"from", true, "the first key of the range"}, {"to", true, "the last key of the range: files with keys of it are rewritten, whole"},
    {"dry-run", false, "list the files that would be rewritten, and why, and rewrite none"}, {"quiet", false, "no progress, no summary"}, JSON, {0}};
static const struct option_def gc_options[] = {{"dry-run", false, "list, remove nothing; beside a writer too"}, {"older-than", true, "of other engines' files and temporary names: 90s, 10m, 12h, 3d, 2w (default: the table's frazil.orphan-age-ms)"},
    {"quiet", false, "the sums alone"}, JSON, {0}};
static const struct option_def bench_options[] = {{"num", true, "rows (default 100000)"}, {"value-size", true, "bytes (default 100)"}, {"threads", true, "default 1"}, {"batch", true, "rows a write (default 1)"},
    {"bytes", true, "load: until so many are in (default: --num rows)"}, {"tables", true, "load: into so many tables in turn (default 1)"}, {"columns", true, "load: of so many columns beside the key (default 1)"},
    {"seconds", true, "overwrite: for so long, over and over"}, {"reads", true, "readrandom, readmissing: so many (default: --num)"}, {"cache", true, "bytes, of a budget of ten thirds of it (default 1 GiB)"},
    {"memory", true, "the database's budget in bytes, with memtables as it sets them"}, {"seed", true, "default 1"}, {"dir", true, "where (default: a fresh directory, removed)"}, JSON, {0}};
static const struct option_def backup_options[] = {{"copy", false, "copy the bytes of every file, also of what an earlier backup has: no links, no shared blocks"}, {"keep", true, "afterwards only the N newest stay"},
    {"list", false, "of DIRECTORY alone: its backups"}, {"verify", false, "read every file and hold it against its checksum; of DIRECTORY alone: of a backup that is there"},
    {"purge", false, "of DIRECTORY alone: remove all but the --keep newest"}, {"backup", true, "with --verify: its number (default: the newest)"}, JSON, {0}};
static const struct option_def archive_options[] = {{"off", false, "no longer"}, JSON, {0}};
static const struct option_def restore_options[] = {{"backup", true, "its number (default: the newest that is not beyond --to)"}, {"to", true, "a sequence, a time (2026-11-21T16:06:14Z, or -5m before now), or `end`: go on with the log's archive up to there"},
    {"archive", true, "where the log was archived (default: where the backup says)"}, {"copy", false, "copy the bytes of every file: no links, no shared blocks"}, JSON, {0}};

const struct command commands[] = {
    {"create", "DB TABLE --schema 'id long, name string?' --key id[,…]", "make a table", 2, 2, create_options, cmd_create},
    {"drop", "DB TABLE", "remove a table and its files", 2, 2, none, cmd_drop},
    {"tables", "DB", "list the tables", 1, 1, none, cmd_tables},
    {"schema", "DB TABLE", "show a table's columns and key", 2, 2, none, cmd_schema},
    {"alter", "DB TABLE add 'NAME TYPE' | drop NAME | rename NAME to NAME | …", "change the columns; several changes are one commit", 3, -1, none, cmd_alter},
    {"import", "DB TABLE FILE|-", "rows from CSV, JSON lines or Parquet", 3, 3, import_options, cmd_import},
    {"put", "DB TABLE '{\"id\":1,…}'…", "upsert rows", 3, -1, durability, cmd_put},
    {"delete", "DB TABLE KEY…", "delete by key, or where an expression is true", 2, -1, delete_options, cmd_delete},
    {"get", "DB TABLE KEY…", "rows by key", 3, -1, get_options, cmd_get},
    {"scan", "DB TABLE", "rows in key order", 2, 2, scan_options, cmd_scan},
    {"count", "DB TABLE", "how many rows", 2, 2, count_options, cmd_count},
    {"flush", "DB [TABLE]", "publish", 1, 2, none, cmd_flush},
    {"compact", "DB TABLE [--from KEY] [--to KEY]", "publish, and rewrite files: one sorted run, nothing masked", 2, 2, compact_options, cmd_compact},
    {"gc", "DB [TABLE]", "remove files that nobody needs; list why the others stay", 1, 2, gc_options, cmd_gc},
    {"stats", "DB [TABLE]", "counters", 1, 2, stats_options, cmd_stats},
    {"top", "DB", "live: levels, rates, stalls, running jobs of the process that writes", 1, 1, top_options, cmd_top},
    {"doctor", "DB", "what is wrong, why, and what to set; exit code 1 if there is more than advice", 1, 1, none, cmd_doctor},
    {"snapshots", "DB TABLE", "the published snapshots", 2, 2, none, cmd_snapshots},
    {"tag", "DB TABLE [NAME]", "name a snapshot, which is kept for it; list tags and branches", 2, 3, tag_options, cmd_tag},
    {"expire", "DB TABLE", "let snapshots go", 2, 2, expire_options, cmd_expire},
    {"set", "DB TABLE [KEY=VALUE…]", "set properties, in one commit; list them", 2, -1, none, cmd_set},
    {"unset", "DB TABLE KEY…", "remove properties", 3, -1, none, cmd_unset},
    {"upgrade", "DB TABLE", "to format version 3: there is no way back", 2, 2, upgrade_options, cmd_upgrade},
    {"files", "DB TABLE", "the files of the current snapshot", 2, 2, none, cmd_files},
    {"verify", "DB [TABLE]", "check every checksum and every invariant", 1, 2, none, cmd_verify},
    {"backup", "DB DIRECTORY", "a consistent copy of the whole database, beside its writer", 1, 2, backup_options, cmd_backup},
    {"restore", "DIRECTORY DB", "a new database from a backup", 2, 2, restore_options, cmd_restore},
    {"archive", "DB DIRECTORY", "from now on keep the log's closed segments there, for restores to any moment", 1, 2, archive_options, cmd_archive},
    {"bench", "NAME[,NAME…]", "fillseq, fillrandom, overwrite, fillsync, readrandom, readmissing, readcold, scan, scancursor, decode, settle, ingest, ingestrows, publish, scantyped, decodetyped, load, metadata", 1, 1, bench_options, cmd_bench},
    {0}};

/* TEXT and spaces up to WIDTH code points: printf counts bytes. */
static void padded(FILE *f, const char *text, int width)
{
    for (const char *s = text; *s; s++) width -= ((unsigned char)*s & 0xC0) != 0x80;
    fprintf(f, "%s%*s", text, width > 0 ? width : 0, "");
}

static void help(FILE *f)
{
    fprintf(f, "usage: frazil VERB DB [TABLE] …\n\n");
    for (const struct command *c = commands; c->verb; c++) {
        fprintf(f, "  frazil %-9s ", c->verb);
        padded(f, c->words, 62);
        fprintf(f, " %s\n", c->help);
    }
    fprintf(f, "\n`frazil VERB --help` lists a verb's options. DB is the warehouse's directory. Exit codes: 0 done, 1 error, 2 usage, 3 not found.\n");
}

static void help_of(const struct command *c)
{
    printf("usage: frazil %s %s\n%s\n\n", c->verb, c->words, c->help);
    for (const struct option_def *o = c->options; o->name; o++) printf("  --%s%s\n        %s\n", o->name, o->value ? " …" : "", o->help);
}

/* What was printed is nothing before it is written: a full disk is told, whatever the verb. */
static int written(int code)
{
    if (fflush(stdout) == 0 && !ferror(stdout)) return code;
    say("standard output: %s", strerror(errno));
    return code ? code : EXIT_ERROR;
}

int main(int argc, char **argv)
{
    static struct args a;
    signal(SIGPIPE, SIG_DFL);
    if (argc < 2 || strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "help") == 0) {
        help(argc < 2 ? stderr : stdout);
        return written(argc < 2 ? EXIT_USAGE : EXIT_DONE);
    }
    if (strcmp(argv[1], "--version") == 0) {
        printf("frazil %s\n", frz_version());
        return written(EXIT_DONE);
    }
    for (const struct command *c = commands; c->verb; c++) {
        if (strcmp(c->verb, argv[1]) != 0) continue;
        for (int i = 2; i < argc && strcmp(argv[i], "--") != 0; i++)
            if (strcmp(argv[i], "--help") == 0) return help_of(c), written(EXIT_DONE);
        int rc = args_parse(argc, argv, c, &a);
        return rc ? rc : written(c->run(&a));
    }
    return usage("there is no verb `%s`; `frazil --help` lists them", argv[1]);
}
