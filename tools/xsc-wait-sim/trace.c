/* SPDX-License-Identifier: MIT */
#include "trace.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#define LINE_MAX_CHARS 4096

const char *xsc_trace_program = "xsc-wait-sim";

int xsc_trace_add(struct xsc_trace *t, uint64_t ns)
{
    if ((t->n & (t->n - 1)) == 0) { /* full at powers of two */
        uint64_t *more = realloc(t->ns, (t->n ? t->n * 2 : 1) * sizeof(*more));

        if (!more) {
            fprintf(stderr, "%s: out of memory\n", xsc_trace_program);
            return -1;
        }
        t->ns = more;
    }
    t->ns[t->n++] = ns;
    return 0;
}

void xsc_trace_free(struct xsc_trace *t)
{
    free(t->name);
    free(t->ns);
    *t = (struct xsc_trace){0};
}

/* A number and nothing else but blanks around it. Returns a complaint, or NULL. */
static const char *parse(const char *s, uint64_t *ns)
{
    uint64_t v = 0;

    s += strspn(s, " \t");
    if (*s < '0' || *s > '9') {
        return "not a number of nanoseconds";
    }
    for (; *s >= '0' && *s <= '9'; s++) {
        v = v * 10 + (uint64_t)(*s - '0');
        if (v > XSC_TRACE_MAX_NS) {
            return "longer than 10^15 ns";
        }
    }
    s += strspn(s, " \t\r\n");
    *ns = v;
    return *s ? "not a number of nanoseconds" : NULL;
}

static int complain(const char *name, size_t line, const char *what)
{
    fprintf(stderr, "%s: %s:%zu: %s\n", xsc_trace_program, name, line, what);
    return -1;
}

static int add_line(struct xsc_trace *t, const char *text, size_t line)
{
    const size_t blank = strspn(text, " \t\r\n");
    const char *trouble;
    uint64_t ns;

    if (!text[blank] || text[blank] == '#') {
        return 0;
    }
    trouble = parse(text, &ns);
    return trouble ? complain(t->name, line, trouble) : xsc_trace_add(t, ns);
}

static int read_lines(struct xsc_trace *t, gzFile f)
{
    char text[LINE_MAX_CHARS];
    size_t line = 0;
    int error;

    for (z_off_t at = 0; gzgets(f, text, sizeof(text)); at = gztell(f)) {
        const size_t length = strlen(text);
        const int whole = length && text[length - 1] == '\n';

        line++;
        /* A NUL hides what comes after it, also in a last line that no newline ends. */
        if ((!whole && !gzeof(f)) || gztell(f) - at != (z_off_t)length) {
            return complain(t->name, line, "a line too long, or with a NUL in it");
        }
        if (add_line(t, text, line)) {
            return -1;
        }
    }
    gzerror(f, &error);
    if (error != Z_OK && error != Z_STREAM_END) {
        return complain(t->name, line + 1, "damaged or cut-off gzip data");
    }
    if (!t->n) {
        return complain(t->name, line ? line : 1, "no waits in it");
    }
    return 0;
}

int xsc_trace_read(struct xsc_trace *t, const char *path)
{
    const int in = strcmp(path, "-") == 0;
    gzFile f = in ? gzdopen(0, "rb") : gzopen(path, "rb");
    int err;

    *t = (struct xsc_trace){.name = strdup(in ? "standard input" : path)};
    if (!f || !t->name) {
        fprintf(stderr, "%s: %s: %s\n", xsc_trace_program, path, strerror(errno ? errno : ENOMEM));
        if (f) {
            gzclose(f);
        }
        return -1;
    }
    gzbuffer(f, 1u << 16);
    err = read_lines(t, f);
    /* Closing tells of a file cut off within its checksum. */
    if (gzclose(f) != Z_OK && !err) {
        err = complain(t->name, 1, "damaged or cut-off gzip data");
    }
    return err;
}
