#include <time.h>
#include <unistd.h>

#include "import.h"

#define DRAW_SECONDS 0.1
#define BAR_CELLS 24

double now_seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

void progress_start(struct progress *p, uint64_t total, bool wanted)
{
    *p = (struct progress){.shown = wanted && isatty(STDERR_FILENO), .started = now_seconds(), .total = total};
    p->drawn = p->started;
}

void progress_draw(struct progress *p, uint64_t rows, uint64_t done)
{
    if (!p->shown) return;
    double now = now_seconds(), seconds = now - p->started;
    if (now - p->drawn < DRAW_SECONDS) return;
    p->drawn = now;
    fprintf(stderr, "\r\033[K");
    if (p->total && done) {
        double part = (double)done / (double)p->total;
        if (part > 1) part = 1;
        unsigned left = (unsigned)(seconds / part - seconds + 0.5);
        fprintf(stderr, "%3.0f%% [", part * 100);
        for (int i = 0; i < BAR_CELLS; i++) putc(i < (int)(part * BAR_CELLS) ? '=' : ' ', stderr);
        fprintf(stderr, "] %llu rows, %.0f rows/s, %u:%02u left", (unsigned long long)rows, (double)rows / seconds, left / 60, left % 60);
    } else {
        fprintf(stderr, "%llu rows, %.0f rows/s", (unsigned long long)rows, (double)rows / seconds);
    }
    fflush(stderr);
}

void progress_clear(struct progress *p)
{
    if (p->shown) fprintf(stderr, "\r\033[K");
}
