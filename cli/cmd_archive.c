#include <string.h>

#include "cli.h"

int cmd_archive(struct args *a)
{
    frz_error e = {0};
    frz_db *db = NULL;
    frz_db_options o = FRZ_DB_OPTIONS_INIT;
    bool off = args_has(a, "off");
    if (off == (a->word_count > 1)) return usage("usage: frazil archive DB DIRECTORY, or frazil archive DB --off");
    o.log_archive = off ? "" : a->words[1];
    if (!off && !*o.log_archive) return usage("a directory's path is empty");
    o.no_compaction = true;
    int rc = frz_db_open(a->words[0], &o, &db, &e);
    if (rc != FRZ_OK) return fail(&e, rc);
    rc = frz_db_close(db, &e);
    if (rc != FRZ_OK) return fail(&e, rc);
    if (args_has(a, "json")) printf("{\"archived\":%s}\n", off ? "false" : "true");
    return EXIT_DONE;
}
