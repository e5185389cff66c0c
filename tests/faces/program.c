#include <frazil.h>
#include <stdio.h>

int main(int argc, char **argv)
{
    frz_db_options o = FRZ_DB_OPTIONS_INIT;
    frz_error e = {0};
    frz_db *db = NULL;
    o.create = true;
    int rc = frz_db_open(argc > 1 ? argv[1] : "wh", &o, &db, &e);
    if (rc == FRZ_OK) rc = frz_db_close(db, &e);
    return printf("frazil %s: %s\n", frz_version(), frz_status_name(rc)) < 0 || rc != FRZ_OK;
}
