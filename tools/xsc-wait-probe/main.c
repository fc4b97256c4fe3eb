/* SPDX-License-Identifier: MIT */
/*
 * xsc-wait-probe: which ways of waiting this machine has, what each is worth, and which one
 * the library will use. The flow: arguments, output files, the library's own choice, one
 * long trial of each mechanism, a verdict, the report.
 */
#define _GNU_SOURCE
#include "probe.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

/*
 * For each of a trial's four kinds of wait. With every mechanism there, failing, and given
 * its three tries, the whole run still ends within ten seconds. A user that asks for a number of
 * iterations gets time for it: 100 us each is more than any wait here takes.
 */
#define BUDGET_NS 150000000
#define BUDGET_PER_ITERATION_NS 100000

#define DOORBELL "DOORBELL"

void make_printable(char *text)
{
    for (; *text; text++) {
        if (*text < ' ' || *text > '~') {
            *text = '?';
        }
    }
}

enum exit_status complain(enum exit_status status, const char *format, ...)
{
    char line[1024];
    va_list args;

    va_start(args, format);
    vsnprintf(line, sizeof(line), format, args);
    va_end(args);
    make_printable(line); /* one line, whatever the argument it quotes holds */
    progress_end();
    fprintf(stderr, "xsc-wait-probe: %s\n", line);
    return status;
}

/* A descriptor that was closed must not become the output file's. */
static void occupy_standard_descriptors(void)
{
    int fd;

    do {
        fd = open("/dev/null", O_RDONLY); /* writing to it fails, as to a closed one */
    } while (fd >= 0 && fd <= STDERR_FILENO);
    if (fd >= 0) {
        close(fd);
    }
}

/* ------------------------------------------------------------------------ mechanisms ---- */

static enum exit_status list_mechanisms(struct findings *f)
{
    f->n = xsc_mechanism_count();
    f->result = calloc(f->n, sizeof(*f->result));
    if (!f->result) {
        return complain(STATUS_BAD_ARGUMENT, "out of memory");
    }
    for (unsigned i = 0; i < f->n; i++) {
        struct xsc_mechanism_info *info = &f->result[i].report.info;

        if (xsc_mechanism_read(i, info, sizeof(*info))) {
            return complain(STATUS_NOT_VALIDATED, "the library does not answer");
        }
        f->result[i].target = target_of(info->name);
    }
    return STATUS_VALIDATED;
}

static enum exit_status unknown_mechanism(const struct findings *f, const char *name, size_t length)
{
    char list[256] = "";

    for (unsigned i = 0; i < f->n; i++) {
        const size_t used = strlen(list);

        snprintf(list + used, sizeof(list) - used, "%s, ", f->result[i].report.info.name);
    }
    return complain(STATUS_BAD_ARGUMENT,
                    "--mechanism: \"%.*s\" is not known on %s; known are %sDOORBELL", (int)length,
                    name, f->machine.arch, list);
}

static bool named(const struct result *r, const char *name, size_t length)
{
    const char *known = r->report.info.name;

    return strlen(known) == length && !strncasecmp(known, name, length);
}

static enum exit_status ask_for(struct findings *f, const char *name, size_t length)
{
    for (unsigned i = 0; i < f->n; i++) {
        struct result *r = &f->result[i];

        if (!named(r, name, length)) {
            continue;
        }
        if (r->asked) {
            return complain(STATUS_BAD_ARGUMENT, "--mechanism: %s is named twice",
                            r->report.info.name);
        }
        r->asked = true;
        return STATUS_VALIDATED;
    }
    if (length == strlen(DOORBELL) && !strncasecmp(DOORBELL, name, length)) {
        if (f->doorbell.asked) {
            return complain(STATUS_BAD_ARGUMENT, "--mechanism: " DOORBELL " is named twice");
        }
        f->doorbell.asked = true;
        return STATUS_VALIDATED;
    }
    return unknown_mechanism(f, name, length);
}

static enum exit_status ask_for_all(struct findings *f, const struct options *o)
{
    for (int i = 0; i < o->n_mechanism; i++) {
        const char *name = o->mechanism[i];

        for (;;) {
            const size_t length = strcspn(name, ",");
            const enum exit_status status = ask_for(f, name, length);

            if (status != STATUS_VALIDATED) {
                return status;
            }
            if (!name[length]) {
                break;
            }
            name += length + 1;
        }
    }
    return STATUS_VALIDATED;
}

/* ------------------------------------------------------------------------- the trial ---- */

static int try_one(unsigned i, const struct options *o, struct findings *f)
{
    struct xsc_probe_options how = {
        .size = sizeof(how),
        .iterations = o->iterations,
        .timeout_ns = o->timeout_ns,
        .budget_ns = BUDGET_NS,
        .waiter_cpu = f->waiter,
        .storer_cpu = f->storer,
        .progress = progress_within,
    };
    struct result *r = &f->result[i];

    if (o->iterations_given && o->iterations > BUDGET_NS / BUDGET_PER_ITERATION_NS) {
        how.budget_ns = (uint64_t)o->iterations * BUDGET_PER_ITERATION_NS;
    }
    int err = xsc_probe_mechanism(i, &how, &r->report, sizeof(r->report));

    if (err == -ENODEV && !o->cpus) {
        /* Two CPUs that we chose and can't have, on a system that does not let one choose. */
        f->waiter = f->storer = how.waiter_cpu = how.storer_cpu = -1;
        f->cpus_relation = "";
        err = xsc_probe_mechanism(i, &how, &r->report, sizeof(r->report));
    }
    r->probed = !err;
    return err;
}

static enum exit_status try_all(const struct options *o, struct findings *f)
{
    const unsigned steps = o->n_mechanism ? 0 : f->n;
    unsigned asked = 0, step = 0;

    for (unsigned i = 0; i < f->n; i++) {
        asked += f->result[i].asked;
    }
    progress_begin(o->progress || (!o->quiet && isatty(STDERR_FILENO)), steps ? steps : asked);
    for (unsigned i = 0; i < f->n; i++) {
        if (o->n_mechanism && !f->result[i].asked) {
            continue;
        }
        progress_step(++step, f->result[i].report.info.name);
        const int err = try_one(i, o, f);

        if (err == -ENODEV) {
            return complain(STATUS_BAD_ARGUMENT, "--cpus %s: a CPU went away, or is not for us",
                            o->cpus);
        }
        if (err) {
            return complain(STATUS_NOT_VALIDATED, "trying %s: %s", f->result[i].report.info.name,
                            strerror(-err));
        }
    }
    progress_end();
    return STATUS_VALIDATED;
}

/*
 * The library chooses by itself, as in any program, before the long trials. That choice is
 * the one reported: other programs will make it too, whatever a long trial then finds.
 */
static enum exit_status find_out(const struct options *o, struct findings *f)
{
    struct xsc_stats now;
    enum exit_status status;

    xsc_init(NULL); /* what went wrong, if anything, is in the statistics */
    if (xsc_stats_read(&f->chosen, sizeof(f->chosen)) ||
        xsc_machine_read(&f->machine, sizeof(f->machine))) {
        return complain(STATUS_NOT_VALIDATED, "the library does not answer");
    }
    if (xsc_park_costs_read(&f->park, sizeof(f->park))) {
        f->park = (struct xsc_park_costs){0};
    }
    make_printable(f->chosen.refusal); /* may quote XSC_MECHANISM */
    if ((status = list_mechanisms(f))) {
        return status;
    }
    if ((status = ask_for_all(f, o)) || (status = doorbell_try(o, f)) || (status = try_all(o, f))) {
        return status;
    }
    if (!xsc_stats_read(&now, sizeof(now)) && strcmp(now.primary, f->chosen.primary)) {
        snprintf(f->rolled_back_to, sizeof(f->rolled_back_to), "%s", now.primary);
    }
    judge(f);
    return STATUS_VALIDATED;
}

/* ------------------------------------------------------------------------ the report ---- */

struct text {
    char *at;
    size_t size;
};

static enum exit_status compose(bool json, const struct options *o, const struct findings *f,
                                struct text *t)
{
    FILE *to = open_memstream(&t->at, &t->size);
    bool ok = to != NULL;

    if (ok && json) {
        ok = json_report(to, f);
    } else if (ok) {
        print_report(to, f, o->quiet);
    }
    ok = ok && !ferror(to);
    if ((to && fclose(to)) || !ok) {
        return complain(STATUS_BAD_ARGUMENT, "out of memory");
    }
    return STATUS_VALIDATED;
}

/* Files last: they appear only if all else went well. */
static enum exit_status deliver(const struct options *o, const struct findings *f,
                                struct output *main_file, struct output *json_file)
{
    struct text main_text = {NULL, 0}, json_text = {NULL, 0};
    enum exit_status s = compose(o->json, o, f, &main_text);

    if (!s && o->json_file) {
        s = compose(true, o, f, &json_text);
    }
    s = s ? s : output_write(json_file, json_text.at, json_text.size);
    s = s           ? s
        : o->output ? output_write(main_file, main_text.at, main_text.size)
                    : write_stdout(main_text.at, main_text.size);
    s = s ? s : output_commit(json_file);
    s = s ? s : output_commit(main_file);
    free(main_text.at);
    free(json_text.at);
    return s;
}

static enum exit_status run(const struct options *o, struct findings *f, struct output *main_file,
                            struct output *json_file)
{
    enum exit_status s = cpus_pick(o->cpus, f);

    if (!s && o->output) {
        s = output_open(main_file, "--output", o->output);
    }
    if (!s && o->json_file) {
        s = output_open(json_file, "--json", o->json_file);
    }
    if (!s && output_same(main_file, json_file)) {
        s = complain(STATUS_BAD_ARGUMENT, "--output and --json: both %s", o->output);
    }
    s = s ? s : find_out(o, f);
    s = s ? s : deliver(o, f, main_file, json_file);
    return s ? s : f->status;
}

static enum exit_status show_help_or_version(const struct options *o)
{
    struct text t = {NULL, 0};
    FILE *to = open_memstream(&t.at, &t.size);

    if (!to) {
        return complain(STATUS_BAD_ARGUMENT, "out of memory");
    }
    if (o->help) {
        options_help(to);
    } else {
        fprintf(to, "xsc-wait-probe %s\n", xsc_version());
    }
    fclose(to);
    const enum exit_status s = write_stdout(t.at, t.size);

    free(t.at);
    return s;
}

int main(int argc, char **argv)
{
    const char *environment = getenv("XSC_MECHANISM");
    struct output main_file = OUTPUT_NONE, json_file = OUTPUT_NONE;
    struct options o;
    struct findings f = {0};

    occupy_standard_descriptors();
    enum exit_status status = options_parse(argc, argv, &o);

    if (!status && (o.help || o.version)) {
        status = show_help_or_version(&o);
    } else if (!status) {
        f.iterations = o.iterations;
        f.iterations_asked = o.iterations_given;
        f.timeout_ns = o.timeout_ns;
        snprintf(f.asked_by_environment, sizeof(f.asked_by_environment), "%s",
                 environment ? environment : "");
        make_printable(f.asked_by_environment);
        machine_describe(&f);
        output_clean_up_on_signals();
        status = run(&o, &f, &main_file, &json_file);
    }
    output_discard(&main_file);
    output_discard(&json_file);
    free(f.result);
    free(o.mechanism);
    return (int)status;
}
