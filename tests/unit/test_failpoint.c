#include "frz_test.h"
#include "base/failpoint.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#ifdef FRZ_FAILPOINTS
static int step(const char *name, frz_error *err)
{
    FAILPOINT(name, err);
    return FRZ_OK;
}
static int step_owning(frz_error *err)
{
    int rc = FRZ_OK;
    void *p = malloc(1);
    FAILPOINT_CHECK("t.owning", err);
done:
    free(p);
    return rc;
}

TEST(failpoint, fails_each_time_or_the_nth_or_some)
{
    frz_error e;
    struct { const char *action; int want[6]; } cases[] = {
        {"off", {0, 0, 0, 0, 0, 0}},
        {"error", {1, 1, 1, 1, 1, 1}},
        {"error:1", {1, 0, 0, 0, 0, 0}},
        {"error:3", {0, 0, 1, 0, 0, 0}},
        {"error:2:2", {0, 1, 1, 0, 0, 0}},
        {"error:4:0", {0, 0, 0, 1, 1, 1}},
    };
    uint64_t before = frz__test_failpoint_hits("t.step");
    for (size_t c = 0; c < FRZ_ARRAY_LEN(cases); c++) {
        assert_true(frz__test_failpoint("t.step", cases[c].action));
        for (int i = 0; i < 6; i++) RC(step("t.step", &e), cases[c].want[i] ? FRZ_IO : FRZ_OK, &e);
    }
    assert_int_equal(frz__test_failpoint_hits("t.step") - before, 6 * FRZ_ARRAY_LEN(cases));
    assert_true(frz__test_failpoint("t.step", "off"));
}

TEST(failpoint, says_its_name_and_kind)
{
    frz_error e;
    assert_true(frz__test_failpoint("t.full", "nospace:1"));
    FAILS(step("t.full", &e), FRZ_NO_SPACE, &e);
    MESSAGE_HAS(&e, "t.full");
    assert_true(frz__test_failpoint("t.owning", "error:1"));
    FAILS(step_owning(&e), FRZ_IO, &e);
    OK(step_owning(&e), &e);
    assert_true(frz__test_failpoint("t.owning", "delay:1"));
    FAILPOINT_VOID("t.owning");
    assert_true(frz__test_failpoint("t.owning", "off"));
}

TEST(failpoint, refuses_what_is_no_action)
{
    static const char *const bad[] = {"", "errors", "error:", "error:x", "error:1:", "error:1:2:3", "error:-1", "pause:1", "delay", "delay:", "crash:x", "off:1", "error:99999999999999999999"};
    for (size_t i = 0; i < FRZ_ARRAY_LEN(bad); i++)
        if (frz__test_failpoint("t.bad", bad[i])) fail_msg("\"%s\" was taken", bad[i]);
}

static void *walk(void *arg) { return (void *)(intptr_t)step("t.pause", NULL); }
TEST(failpoint, pauses_until_resumed)
{
    pthread_t t[2];
    assert_false(frz__test_failpoint_wait_paused("t.pause", 1));
    assert_true(frz__test_failpoint("t.pause", "pause"));
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < 2; i++) pthread_create(&t[i], NULL, walk, NULL);
        assert_true(frz__test_failpoint_wait_paused("t.pause", 120000));
        frz__test_failpoint_resume("t.pause");
        for (int i = 0; i < 2; i++) pthread_join(t[i], NULL);
        assert_true(frz__test_failpoint("t.pause", "pause"));
    }
    frz__test_failpoint_resume("t.pause");
    OK(step("t.pause", NULL), (frz_error *)NULL);
}

static int child(const char *env, const char *name, int hits)
{
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        if (!freopen("/dev/null", "w", stderr)) _exit(9);
        if (env) { /* read once a process: this one must not have read it yet, so it runs itself anew */
            char text[16];
            snprintf(text, sizeof text, "%d", hits);
            setenv("FRAZIL_FAILPOINTS", env, 1);
            execl("/proc/self/exe", "test_failpoint", "--hit", name, text, (char *)NULL);
            _exit(9);
        }
        for (int i = 0; i < hits; i++)
            if (step(name, NULL) < 0) _exit(3);
        _exit(0);
    }
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return status;
}

TEST(failpoint, crashes_without_a_word)
{
    assert_true(frz__test_failpoint("t.crash", "crash:2"));
    assert_int_equal(child(NULL, "t.crash", 1), 0);
    int status = child(NULL, "t.crash", 2);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGKILL);
    assert_true(frz__test_failpoint("t.crash", "off"));
}

/* The program run anew with "--hit name times" does only that: the environment is read once a process. */
__attribute__((constructor)) static void hit_and_exit(int argc, char **argv)
{
    if (argc != 4 || strcmp(argv[1], "--hit") != 0) return;
    for (int i = 0; i < atoi(argv[3]); i++)
        if (step(argv[2], NULL) < 0) _exit(3);
    _exit(0);
}
TEST(failpoint, reads_the_environment_and_aborts_on_what_it_does_not_understand)
{
    assert_int_equal(WEXITSTATUS(child("a.b=error:2;c=off", "a.b", 1)), 0);
    assert_int_equal(WEXITSTATUS(child("a.b=error:2;c=off", "a.b", 2)), 3);
    assert_int_equal(WEXITSTATUS(child("c=off;a.b=error", "a.b", 1)), 3);
    int status = child("a.b=wrong", "a.b", 1);
    assert_true(WIFSIGNALED(status) || WEXITSTATUS(status) != 0);
    status = child("nonsense", "a.b", 1);
    assert_true(WIFSIGNALED(status) || WEXITSTATUS(status) != 0);
}
#else
TEST(failpoint, is_not_there_in_builds_without_it)
{
    FAILPOINT_VOID("x");
    assert_false(frz__test_failpoint("x", "error"));
    assert_int_equal(frz__test_failpoint_hits("x"), 0);
    assert_false(frz__test_failpoint_wait_paused("x", 1));
    frz__test_failpoint_resume("x");
}
#endif
