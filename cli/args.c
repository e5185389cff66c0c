#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"

/* A value or a name in a message may hold what a terminal obeys. */
static void tell(const char *fmt, va_list ap)
{
    char text[4096];
    int n = vsnprintf(text, sizeof text, fmt, ap);
    if (n < 0) return;
    fputs("frazil: ", stderr);
    print_plain(stderr, text, (size_t)n < sizeof text ? (size_t)n : sizeof text - 1);
    fputc('\n', stderr);
}

int usage(const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    tell(fmt, ap);
    va_end(ap);
    return EXIT_USAGE;
}

void say(const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    tell(fmt, ap);
    va_end(ap);
}

int fail(const frz_error *e, int rc)
{
    say("%s (%s)", e->message[0] ? e->message : "failed", frz_status_name(rc));
    return rc == FRZ_NOT_FOUND ? EXIT_NOT_FOUND : EXIT_ERROR;
}

static const struct option_def *find(const struct command *c, const char *name, size_t len)
{
    for (const struct option_def *o = c->options; o->name; o++)
        if (strlen(o->name) == len && memcmp(o->name, name, len) == 0) return o;
    return NULL;
}

int args_parse(int argc, char **argv, const struct command *c, struct args *a)
{
    bool options = true;
    a->verb = argv[1];
    for (int i = 2; i < argc; i++) {
        const char *s = argv[i];
        if (options && strcmp(s, "--") == 0) {
            options = false;
            continue;
        }
        if (!options || strncmp(s, "--", 2) != 0) {
            if (a->word_count == ARGS_MAX) return usage("more than %d words: use --keys-from or import", ARGS_MAX);
            a->words[a->word_count++] = s;
            continue;
        }
        const char *eq = strchr(s, '=');
        size_t len = eq ? (size_t)(eq - s) - 2 : strlen(s) - 2;
        const struct option_def *o = find(c, s + 2, len);
        if (!o) return usage("%s has no option %.*s; `frazil %s --help` lists them", c->verb, (int)len + 2, s, c->verb);
        if (!o->value && eq) return usage("option --%s takes no value", o->name);
        if (o->value && !eq && i + 1 == argc) return usage("option --%s wants a value: %s", o->name, o->help);
        if (a->option_count == ARGS_MAX) return usage("too many options");
        a->options[a->option_count] = o->name;
        a->values[a->option_count++] = !o->value ? NULL : eq ? eq + 1 : argv[++i];
    }
    if (a->word_count < c->words_min || (c->words_max >= 0 && a->word_count > c->words_max)) return usage("usage: frazil %s %s", c->verb, c->words);
    return 0;
}

const char *args_get(const struct args *a, const char *name)
{
    for (int i = a->option_count; i-- > 0;)
        if (strcmp(a->options[i], name) == 0) return a->values[i];
    return NULL;
}

bool args_has(const struct args *a, const char *name)
{
    for (int i = 0; i < a->option_count; i++)
        if (strcmp(a->options[i], name) == 0) return true;
    return false;
}

int args_format(const struct args *a, const char **out)
{
    *out = args_get(a, "format");
    if (!args_has(a, "json")) return EXIT_DONE;
    if (*out && strcmp(*out, "jsonl") != 0) return usage("--json and --format %s: give one of them", *out);
    *out = "jsonl";
    return EXIT_DONE;
}

bool args_u64(const struct args *a, const char *name, uint64_t def, uint64_t *out)
{
    const char *s = args_get(a, name);
    char *end = NULL;
    *out = def;
    if (!s) return true;
    errno = 0;
    *out = strtoull(s, &end, 10);
    bool whole = *s && s[strspn(s, "0123456789")] == 0;
    if (!whole || errno || *end) {
        usage(whole ? "--%s %s: too large" : "--%s %s: expected a whole number", name, s);
        return false;
    }
    return true;
}
