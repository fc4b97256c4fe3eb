/* SPDX-License-Identifier: MIT */
/*
 * xsc-wait-probe: what its files share
 *
 * The tool measures nothing itself. It asks <xsc/probe.h> and <xsc/stats.h>, and says what
 * they answered: findings are gathered once (main.c), judged (verdict.c), and printed for
 * people (print.c) or programs (json.c).
 */
#ifndef XSC_WAIT_PROBE_H
#define XSC_WAIT_PROBE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <xsc/doorbell.h>
#include <xsc/probe.h>
#include <xsc/stats.h>

enum exit_status {
    STATUS_VALIDATED = 0,
    STATUS_NOT_VALIDATED = 1, /* a mechanism failed that was asked for, or that is in use */
    STATUS_BAD_ARGUMENT = 2,  /* also: output that can't be written */
    STATUS_DENIED = 3,        /* a file asked for by name, and its permissions say no */
};

/* The command line. Strings belong to argv. */
struct options {
    uint32_t iterations;
    bool iterations_given;
    uint64_t timeout_ns;
    const char **mechanism; /* each as given: a name, or several with commas between */
    int n_mechanism;
    const char *cpus;      /* as given; NULL: choose */
    bool json;             /* JSON instead of the text report */
    const char *json_file; /* JSON to this file; NULL: none */
    const char *output;    /* what would go to stdout to this file; NULL: stdout */
    const char *doorbell;  /* its path, as given; NULL: the first, if there is one */
    bool quiet, progress, help, version;
};

/* Where a design target stands beside what was measured. */
struct target {
    const char *mechanism;
    uint32_t low_ns, high_ns;
};

struct result {
    bool asked;                     /* named with --mechanism */
    bool probed;                    /* report holds a trial, or says that there is nothing to try */
    struct xsc_probe_report report; /* not probed: info alone */
    const struct target *target;    /* NULL: none was set */
};

/* Beside the mechanisms. */
struct doorbell {
    char path[128]; /* cut and made printable */
    bool asked;     /* named with --mechanism */
    bool named;     /* that, or its path with --doorbell */
    bool probed;    /* report holds a trial, or that it could not be opened */
    bool present;   /* it could */
    struct xsc_doorbell_report report;
    char why[256];
};

struct findings {
    struct xsc_machine machine;
    struct xsc_park_costs park; /* all 0: could not be read */
    char cpu_model[96];         /* "" where nothing tells */
    char os[96];
    int waiter, storer;        /* CPUs; -1: wherever the OS put them */
    const char *cpus_relation; /* "two cores", ... */
    uint32_t iterations;
    bool iterations_asked; /* by the user */
    uint64_t timeout_ns;
    struct xsc_stats chosen; /* the library's own choice, read before the long trials */
    char rolled_back_to[16]; /* what it uses now, if the long trials failed its choice; or "" */
    char asked_by_environment[64]; /* XSC_MECHANISM, cut and made printable; "": not set */
    struct result *result;
    unsigned n;
    struct doorbell doorbell;
    enum exit_status status;
    char verdict[640];
};

/* One line on stderr. Returns status, so that a caller can return it in turn. */
enum exit_status complain(enum exit_status status, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Replaces what is not printable ASCII by '?': text from outside, in a line or a JSON string. */
void make_printable(char *text);

/* options.c. A complaint was made where the result is not STATUS_VALIDATED. */
enum exit_status options_parse(int argc, char **argv, struct options *out);
void options_help(FILE *to);

/*
 * The digits that text begins with: -1 where there are none, max + 1 for any number above
 * max (which is below INT64_MAX / 10). *end: the first character after them.
 */
int64_t parse_number(const char *text, int64_t max, const char **end);

/* cpus.c: sets f->waiter, f->storer and f->cpus_relation. list NULL: chooses two. */
enum exit_status cpus_pick(const char *list, struct findings *f);

/* machine.c: sets f->cpu_model and f->os. */
void machine_describe(struct findings *f);

/* verdict.c */
const struct target *target_of(const char *mechanism);
bool target_met(const struct target *t, const struct xsc_probe_report *r);
const char *verdict_word(const struct result *r); /* "passed", "absent", ... */
const char *state_word(uint32_t state);           /* "ACTIVE", ... */
bool is_validated(const struct result *r);
const struct result *find_result(const struct findings *f, const char *name);
void judge(struct findings *f); /* sets status and verdict */

/* doorbell.c: fills in f->doorbell but for `asked`. STATUS_DENIED, after a complaint, or 0. */
enum exit_status doorbell_try(const struct options *o, struct findings *f);
bool doorbell_steady(const struct doorbell *d);
const char *doorbell_word(const struct doorbell *d);  /* as verdict_word() */
const char *doorbell_state(const struct doorbell *d); /* "STEADY", "FAILED", "-" */

/* print.c */
void print_report(FILE *to, const struct findings *f, bool quiet);

/* json.c. False: built without JSON. */
bool json_built_in(void);
bool json_report(FILE *to, const struct findings *f);

/*
 * output.c: a file that appears whole or not at all. Opened before the measurement, so that
 * a mistake is told at once; what is written lies under a temporary name beside it until
 * output_commit(). A file that is replaced keeps its owner, group and mode. Devices, pipes, and another
 * user's file that this process may write to but not replace, are written to directly; output_write() is
 * called once.
 */
struct output {
    int fd;     /* -1: not open */
    char *path; /* links resolved */
    char *temp; /* NULL: written to directly */
};
#define OUTPUT_NONE                                                                                \
    {                                                                                              \
        -1, NULL, NULL                                                                             \
    }

enum exit_status output_open(struct output *o, const char *option, const char *path);
enum exit_status output_write(struct output *o, const char *text, size_t size);
enum exit_status output_commit(struct output *o);
void output_discard(struct output *o);
enum exit_status write_stdout(const char *text, size_t size);
bool output_same(const struct output *a, const struct output *b);

/* From here on SIGINT, SIGTERM and SIGHUP remove temporary files and end the program. */
void output_clean_up_on_signals(void);

/* progress.c: on stderr. */
void progress_begin(bool wanted, unsigned n_steps);
void progress_step(unsigned number, const char *mechanism);
void progress_within(void *unused, unsigned permille); /* xsc_probe_options.progress */
void progress_end(void);                               /* clears the line; async-signal-safe */

#endif /* XSC_WAIT_PROBE_H */
