/* standalone.c — runs a target once over each file that is named, and over all in each directory that is. */
#include <dirent.h>
#include <sys/stat.h>

#include "fuzz.h"

static size_t runs;

static void run_file(const char *path)
{
    FILE *f = fopen(path, "rb");
    if (!f) {
        perror(path);
        exit(1);
    }
    fseek(f, 0, SEEK_END);
    long size = ftell(f);
    rewind(f);
    uint8_t *bytes = (uint8_t *)malloc(size > 0 ? (size_t)size : 1);
    FUZZ_CHECK(bytes && size >= 0);
    FUZZ_CHECK(fread(bytes, 1, (size_t)size, f) == (size_t)size);
    fclose(f);
    fprintf(stderr, "%s\n", path);
    (void)LLVMFuzzerTestOneInput(bytes, (size_t)size);
    free(bytes);
    runs++;
}

static void run(const char *path)
{
    struct stat st;
    if (stat(path, &st) != 0) {
        perror(path);
        exit(1);
    }
    if (!S_ISDIR(st.st_mode)) {
        run_file(path);
        return;
    }
    DIR *d = opendir(path);
    FUZZ_CHECK(d);
    for (struct dirent *e; (e = readdir(d));) {
        char inner[4096];
        if (e->d_name[0] == '.') continue;
        snprintf(inner, sizeof inner, "%s/%s", path, e->d_name);
        run(inner);
    }
    closedir(d);
}

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) run(argv[i]);
    fprintf(stderr, "%zu inputs\n", runs);
    return runs ? 0 : 1;
}
