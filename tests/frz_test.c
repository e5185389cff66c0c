#include "frz_test.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TESTS_MAX 512
static struct CMUnitTest tests[TESTS_MAX];
static char names[TESTS_MAX][128];
static size_t count;

void frz_test_register(const char *group, const char *claim, void (*fn)(void **state))
{
    if (count == TESTS_MAX) abort();
    snprintf(names[count], sizeof names[count], "%s: %s", group, claim);
    for (char *p = names[count]; *p; p++)
        if (*p == '_') *p = ' ';
    tests[count] = (struct CMUnitTest){names[count], fn, NULL, NULL, NULL};
    count++;
}

void frz_test_rc(int rc, int want, const frz_error *err, const char *expr, const char *file, int line)
{
    if (rc == want) return;
    print_error("%s:%d: %s\n  gave %s (%d), expected %s (%d)%s%s\n", file, line, expr, frz_status_name(rc), rc, frz_status_name(want), want, rc && err ? ": " : "", rc && err ? err->message : "");
    _fail(file, line);
}

struct block { size_t bytes; uint64_t magic; };

static void *t_alloc(void *ctx, size_t bytes)
{
    struct test_alloc *t = (struct test_alloc *)ctx;
    if (__atomic_add_fetch(&t->calls, 1, __ATOMIC_SEQ_CST) == t->fail_at) return NULL;
    void *p = malloc(bytes);
    if (p) __atomic_add_fetch(&t->live, 1, __ATOMIC_SEQ_CST);
    return p;
}
static void *t_realloc(void *ctx, void *p, size_t bytes)
{
    struct test_alloc *t = (struct test_alloc *)ctx;
    if (!p) return t_alloc(ctx, bytes);
    if (__atomic_add_fetch(&t->calls, 1, __ATOMIC_SEQ_CST) == t->fail_at) return NULL;
    return realloc(p, bytes);
}
static void t_free(void *ctx, void *p)
{
    struct test_alloc *t = (struct test_alloc *)ctx;
    if (p) __atomic_sub_fetch(&t->live, 1, __ATOMIC_SEQ_CST);
    free(p);
}
void test_alloc_init(struct test_alloc *t, long fail_at)
{
    *t = (struct test_alloc){{t, t_alloc, t_realloc, t_free}, 0, 0, fail_at};
}

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
    (void)st, (void)flag, (void)ftw;
    return remove(path);
}
void test_tmp_remove(const char *path) { nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS); }

const char *test_tmp_dir(const char *name)
{
    static char path[512];
    const char *base = getenv("FRZ_TEST_TMP");
    snprintf(path, sizeof path, "%s/frz-%s-XXXXXX", base ? base : "/tmp", name);
    if (!mkdtemp(path)) {
        perror(path);
        abort();
    }
    return path;
}

uint64_t test_seed(uint64_t def)
{
    const char *s = getenv("FRZ_SEED");
    uint64_t seed = s ? strtoull(s, NULL, 0) : def;
    print_message("seed %llu (FRZ_SEED)\n", (unsigned long long)seed);
    return seed;
}

int main(int argc, char **argv)
{
    if (argc > 1) {
        static char pattern[256];
        snprintf(pattern, sizeof pattern, "*%s*", argv[1]);
        cmocka_set_test_filter(pattern);
    }
    return _cmocka_run_group_tests(argv[0], tests, count, NULL, NULL);
}
