#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "import.h"

#define WINDOW_BYTES ((size_t)256 << 10)
#define WINDOW_BYTES_MAX (4 * RECORD_BYTES_MAX) /* a kept sample or batch, and a record */

static int strip_mark(struct input *in)
{
    enum more more = MORE_OK;
    while (in->end < 3 && (more = input_more(in)) == MORE_OK) {}
    if (more == MORE_FAILED) return EXIT_ERROR;
    if (in->end >= 2 && (memcmp(in->data, "\xff\xfe", 2) == 0 || memcmp(in->data, "\xfe\xff", 2) == 0)) {
        say("%s is UTF-16: convert it to UTF-8 (iconv -f UTF-16 -t UTF-8)", in->name);
        return EXIT_ERROR;
    }
    if (in->end >= 3 && memcmp(in->data, "\xef\xbb\xbf", 3) == 0) input_take(in, 3, 0);
    return EXIT_DONE;
}

int input_open(struct input *in, const char *path)
{
    struct stat st;
    bool is_stdin = strcmp(path, "-") == 0;
    *in = (struct input){.name = is_stdin ? "stdin" : path, .keep = NOT_KEPT, .line = 1};
    in->fd = is_stdin ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
    if (in->fd < 0 || fstat(in->fd, &st) < 0) {
        say("%s: %s", path, strerror(errno));
        return EXIT_ERROR;
    }
    if (S_ISREG(st.st_mode) && st.st_size > 0) in->bytes_total = (uint64_t)st.st_size;
    in->data = (char *)malloc(in->cap = WINDOW_BYTES);
    if (!in->data) {
        say("out of memory");
        return EXIT_ERROR;
    }
    return strip_mark(in);
}

/* Room behind `end`: what was consumed goes, else the window doubles. */
static bool make_room(struct input *in)
{
    size_t from = in->keep < in->begin ? in->keep : in->begin;
    if (from > 0 && (in->end == in->cap || from > in->cap / 2)) {
        memmove(in->data, in->data + from, in->end - from);
        in->begin -= from;
        in->end -= from;
        if (in->keep != NOT_KEPT) in->keep -= from;
    }
    if (in->cap - in->end >= WINDOW_BYTES / 2) return true;
    if (in->cap >= WINDOW_BYTES_MAX) {
        say("%s, line %llu: more than %zu MiB without an end: is a quote open?", in->name, (unsigned long long)in->line, WINDOW_BYTES_MAX >> 20);
        return false;
    }
    char *data = (char *)realloc(in->data, in->cap * 2);
    if (!data) {
        say("out of memory: %zu bytes", in->cap * 2);
        return false;
    }
    in->data = data;
    in->cap *= 2;
    return true;
}

enum more input_more(struct input *in)
{
    if (in->eof) return MORE_END;
    if (!make_room(in)) return MORE_FAILED;
    for (;;) {
        ssize_t n = read(in->fd, in->data + in->end, in->cap - in->end);
        if (n > 0) {
            in->end += (size_t)n;
            return MORE_OK;
        }
        if (n == 0) {
            in->eof = true;
            return MORE_END;
        }
        if (errno == EINTR && !import_stop) continue;
        if (errno != EINTR) say("%s: %s", in->name, strerror(errno));
        return MORE_FAILED;
    }
}

void input_take(struct input *in, size_t bytes, uint64_t lines)
{
    in->begin += bytes;
    in->consumed += bytes;
    in->line += lines;
}

void input_keep(struct input *in)
{
    in->keep = in->begin;
    in->keep_line = in->line;
    in->keep_consumed = in->consumed;
}

void input_rewind(struct input *in)
{
    in->begin = in->keep;
    in->line = in->keep_line;
    in->consumed = in->keep_consumed;
    in->keep = NOT_KEPT;
}

void input_close(struct input *in)
{
    if (in->fd > STDIN_FILENO) close(in->fd);
    free(in->data);
    in->data = NULL;
    in->fd = -1;
}
