#include "base/failpoint.h"

#ifdef FRZ_FAILPOINTS
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "base/clock.h"

enum action { OFF, ERROR, NOSPACE, CRASH, PAUSE, DELAY };
struct point {
    char name[64];
    enum action action;
    uint64_t hits;        /* since the process began */
    uint64_t armed_hits;  /* since it was armed */
    uint64_t nth, times;  /* the nth armed hit is the first to act, TIMES of them act; 0 = for ever */
    uint64_t delay_ms;
    unsigned paused;      /* threads inside */
    uint64_t resumed;     /* goes up with each resume */
};
#define POINTS_MAX 256
static struct point points[POINTS_MAX];
static size_t count;
_Atomic unsigned frz__failpoints_armed = 1; /* of which one is the environment, until it was read */
/* Neither ranked nor of sync.c: a fail point may stand anywhere, below any lock, and waits by no clock that a test moves. */
static pthread_mutex_t mu = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static pthread_once_t environment_once = PTHREAD_ONCE_INIT;

static struct point *point_locked(const char *name, size_t len)
{
    for (size_t i = 0; i < count; i++)
        if (strncmp(points[i].name, name, len) == 0 && points[i].name[len] == 0) return &points[i];
    if (count == POINTS_MAX || len >= sizeof points[0].name) {
        fprintf(stderr, "frazil: fail point \"%.*s\": too many of them, or its name is too long\n", (int)len, name);
        abort();
    }
    memcpy(points[count].name, name, len);
    return &points[count++];
}

static bool number(const char **s, uint64_t *out)
{
    if (**s != ':') return true; /* left out */
    char *end;
    errno = 0;
    uint64_t v = strtoull(*s + 1, &end, 10);
    if (end == *s + 1 || errno || (*s)[1] == '-') return false;
    *out = v;
    *s = end;
    return true;
}

static bool word(const char **s, const char *w)
{
    size_t n = strlen(w);
    if (strncmp(*s, w, n) != 0 || ((*s)[n] && (*s)[n] != ':' && (*s)[n] != ';')) return false;
    *s += n;
    return true;
}

/* ACTION, up to its end or a ';'. */
static bool arm(const char *name, size_t len, const char *s)
{
    struct point want = {.nth = 0, .times = 0};
    bool ok = true;
    if (word(&s, "off")) want.action = OFF;
    else if (word(&s, "error") || word(&s, "nospace")) {
        want.action = s[-1] == 'r' ? ERROR : NOSPACE;
        bool has_nth = *s == ':';
        ok = number(&s, &want.nth);
        if (has_nth) want.times = 1;
        ok = ok && number(&s, &want.times);
    } else if (word(&s, "crash")) {
        want.action = CRASH;
        ok = number(&s, &want.nth);
    } else if (word(&s, "pause")) want.action = PAUSE;
    else if (word(&s, "delay")) {
        want.action = DELAY;
        ok = *s == ':' && number(&s, &want.delay_ms);
    } else return false;
    if (!ok || (*s && *s != ';')) return false;
    pthread_mutex_lock(&mu);
    struct point *p = point_locked(name, len);
    atomic_fetch_add(&frz__failpoints_armed, (unsigned)((want.action != OFF) - (p->action != OFF)));
    p->action = want.action;
    p->nth = want.nth ? want.nth : 1;
    p->times = want.times;
    p->delay_ms = want.delay_ms;
    p->armed_hits = 0;
    p->resumed++; /* whoever is paused under the old order goes on */
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&mu);
    return true;
}

static void read_environment(void)
{
    const char *s = getenv("FRAZIL_FAILPOINTS");
    while (s && *s) {
        const char *eq = strchr(s, '='), *end = strchr(s, ';');
        if (!eq || (end && eq > end) || !arm(s, (size_t)(eq - s), eq + 1)) {
            fprintf(stderr, "frazil: FRAZIL_FAILPOINTS is not name=action;…: %s\n", s);
            abort();
        }
        s = end ? end + 1 : NULL;
    }
    atomic_fetch_sub(&frz__failpoints_armed, 1);
}

int frz__failpoint_hit(const char *name, frz_error *err)
{
    pthread_once(&environment_once, read_environment);
    pthread_mutex_lock(&mu);
    struct point *p = point_locked(name, strlen(name));
    p->hits++;
    p->armed_hits++;
    bool acts = p->armed_hits >= p->nth && (p->times == 0 || p->armed_hits - p->nth < p->times);
    enum action action = acts ? p->action : OFF;
    uint64_t delay_ms = p->delay_ms, resumed = p->resumed;
    if (action == PAUSE) {
        p->paused++;
        pthread_cond_broadcast(&changed);
        while (p->resumed == resumed) pthread_cond_wait(&changed, &mu);
        p->paused--;
    }
    pthread_mutex_unlock(&mu);
    switch (action) {
    case ERROR: return frz__err_os(err, EIO, "fail point %s", name);
    case NOSPACE: return frz__err_os(err, ENOSPC, "fail point %s", name);
    case CRASH: kill(getpid(), SIGKILL); break;
    case DELAY: nanosleep(&(struct timespec){(time_t)(delay_ms / 1000), (long)(delay_ms % 1000) * 1000000}, NULL); break;
    default: break;
    }
    return FRZ_OK;
}

bool frz__test_failpoint(const char *name, const char *action)
{
    pthread_once(&environment_once, read_environment);
    return arm(name, strlen(name), action);
}

void frz__test_failpoint_resume(const char *name)
{
    if (!frz__test_failpoint(name, "off")) abort();
}

uint64_t frz__test_failpoint_hits(const char *name)
{
    pthread_mutex_lock(&mu);
    uint64_t hits = point_locked(name, strlen(name))->hits;
    pthread_mutex_unlock(&mu);
    return hits;
}

bool frz__test_failpoint_wait_paused(const char *name, unsigned ms)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += ms / 1000;
    until.tv_nsec += (long)(ms % 1000) * 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    pthread_mutex_lock(&mu);
    struct point *p = point_locked(name, strlen(name));
    int e = 0;
    while (p->paused == 0 && e == 0) e = pthread_cond_timedwait(&changed, &mu, &until);
    bool paused = p->paused > 0;
    pthread_mutex_unlock(&mu);
    return paused;
}

#else

bool frz__test_failpoint(const char *name, const char *action)
{
    (void)name, (void)action;
    return false;
}
void frz__test_failpoint_resume(const char *name) { (void)name; }
uint64_t frz__test_failpoint_hits(const char *name)
{
    (void)name;
    return 0;
}
bool frz__test_failpoint_wait_paused(const char *name, unsigned ms)
{
    (void)name, (void)ms;
    return false;
}
#endif
