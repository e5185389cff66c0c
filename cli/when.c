#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli.h"

#define YEAR_MAX 9999

int64_t when_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

void when_print(int64_t ms, char out[40])
{
    time_t seconds = (time_t)(ms / 1000 - (ms % 1000 < 0));
    struct tm tm;
    if (!gmtime_r(&seconds, &tm) || tm.tm_year > YEAR_MAX - 1900 || strftime(out, 32, "%Y-%m-%dT%H:%M:%S", &tm) == 0) {
        snprintf(out, 40, "%lld", (long long)ms);
        return;
    }
    size_t n = strlen(out);
    snprintf(out + n, 40 - n, ".%03dZ", (int)(ms - (int64_t)seconds * 1000));
}

static const struct { const char *unit; int64_t ms; } units[] = {{"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}, {"d", 86400000}, {"w", 604800000}};

/* NULL, or what is wrong. */
static const char *duration_read(const char *text, int64_t *ms)
{
    char *end;
    if (!isdigit((unsigned char)*text)) return "expected a number with ms, s, m, h, d or w: 12h, 3d";
    errno = 0;
    long long n = strtoll(text, &end, 10);
    if (!*end) return "no unit behind the number: expected ms, s, m, h, d or w, as in 12h";
    for (size_t i = 0; i < sizeof units / sizeof *units; i++)
        if (strcmp(end, units[i].unit) == 0) return errno || __builtin_mul_overflow((int64_t)n, units[i].ms, ms) ? "too long" : NULL;
    return "expected a number with ms, s, m, h, d or w: 12h, 3d";
}

bool duration_parse(const char *text, int64_t *ms) { return duration_read(text, ms) == NULL; }

int duration_of(const struct args *a, const char *option, int64_t *ms)
{
    const char *text = args_get(a, option), *wrong = text ? duration_read(text, ms) : NULL;
    if (text && !wrong && *ms == 0) wrong = "expected more than 0";
    return wrong ? usage("--%s %s: %s", option, text, wrong) : EXIT_DONE;
}

/* So many digits, no more than MAX. */
static bool digits(const char **at, int count, int max, int *out)
{
    *out = 0;
    for (int i = 0; i < count; i++, ++*at) {
        if (!isdigit((unsigned char)**at)) return false;
        *out = *out * 10 + (**at - '0');
    }
    return *out <= max;
}
static bool skip(const char **at, char c)
{
    if (**at != c) return false;
    ++*at;
    return true;
}

/* 2026-11-21[(T| )16:00[:00[.123456]][Z|±02:00]], in µs */
static bool iso_parse(const char *s, int64_t *out)
{
    struct tm tm = {0};
    int year, month, day, hour = 0, minute = 0, second = 0, us = 0, offset = 0;
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    if (!digits(&s, 4, YEAR_MAX, &year) || !skip(&s, '-') || !digits(&s, 2, 12, &month) || !skip(&s, '-') || !digits(&s, 2, 31, &day) || month < 1 || day < 1) return false;
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    if (day > days[month - 1] + (month == 2 && leap)) return false;
    if (skip(&s, 'T') || skip(&s, ' ')) {
        if (!digits(&s, 2, 23, &hour) || !skip(&s, ':') || !digits(&s, 2, 59, &minute)) return false;
        if (skip(&s, ':') && !digits(&s, 2, 59, &second)) return false;
        if (skip(&s, '.')) {
            int unit = 100000, n = 0;
            for (; isdigit((unsigned char)*s) && n < 9; s++, n++, unit /= 10) us += (*s - '0') * unit; /* beyond µs: cut off */
            if (n == 0) return false;
        }
        int sign = *s == '+' ? 1 : *s == '-' ? -1 : 0, h, m;
        if (sign) {
            s++;
            if (!digits(&s, 2, 23, &h)) return false;
            (void)skip(&s, ':');
            if (!digits(&s, 2, 59, &m)) return false;
            offset = sign * (h * 60 + m);
        } else {
            (void)skip(&s, 'Z');
        }
    }
    if (*s) return false;
    tm.tm_year = year - 1900;
    tm.tm_mon = month - 1;
    tm.tm_mday = day;
    tm.tm_hour = hour;
    tm.tm_min = minute;
    tm.tm_sec = second;
    *out = ((int64_t)timegm(&tm) - offset * 60) * 1000000 + us;
    return true;
}

bool when_parse_us(const char *text, int64_t now_ms, int64_t *out)
{
    int64_t back = 0, ms = 0;
    if (strcmp(text, "now") != 0 && *text != '-') return iso_parse(text, out);
    if (*text == '-' && !duration_parse(text + 1, &back)) return false;
    return !__builtin_sub_overflow(now_ms, back, &ms) && !__builtin_mul_overflow(ms, (int64_t)1000, out);
}

bool when_parse(const char *text, int64_t now_ms, int64_t *out)
{
    char *end;
    int64_t us;
    if (when_parse_us(text, now_ms, &us)) {
        *out = us / 1000 - (us % 1000 < 0);
        return true;
    }
    if (!isdigit((unsigned char)*text)) return false;
    errno = 0;
    *out = strtoll(text, &end, 10);
    return !errno && !*end;
}
