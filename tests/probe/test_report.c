/* SPDX-License-Identifier: MIT */
/*
 * What xsc-wait-probe says. Times are not looked at, and a trial that a busy machine spoils
 * is no failure of the tool: what is tested is that the report, the JSON, the exit status
 * and stderr tell one and the same story.
 */
#define _GNU_SOURCE
#include "tool.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <xsc/wait.h>

#include <cjson/cJSON.h>

#define BRIEF "--iterations 16 --timeout 10us "

/* ------------------------------------------------------------------------ the schema ---- */

enum type { TEXT = 1, NUMBER = 2, BOOLEAN = 4, OBJECT = 8, ARRAY = 16, NOTHING = 32 };

struct member {
    const char *name;
    unsigned type; /* any of enum type */
};

static unsigned type_of(const cJSON *j)
{
    return cJSON_IsString(j)   ? TEXT
           : cJSON_IsNumber(j) ? NUMBER
           : cJSON_IsBool(j)   ? BOOLEAN
           : cJSON_IsObject(j) ? OBJECT
           : cJSON_IsArray(j)  ? ARRAY
           : cJSON_IsNull(j)   ? NOTHING
                               : 0;
}

/* Exactly these members: docs/probe-json.md knows of no others. NULL passes where none is. */
static void check_members(const cJSON *object, const char *what, const struct member *members)
{
    int n = 0;

    if (cJSON_IsNull(object)) {
        return;
    }
    for (; members[n].name; n++) {
        const cJSON *j = cJSON_GetObjectItemCaseSensitive(object, members[n].name);

        if (!j || !(type_of(j) & members[n].type)) {
            fail_msg("%s.%s is %s", what, members[n].name, j ? "of another type" : "missing");
        }
    }
    if (cJSON_GetArraySize(object) != n) {
        fail_msg("%s has %d members, not the %d documented", what, cJSON_GetArraySize(object), n);
    }
}

static const cJSON *get(const cJSON *object, const char *name)
{
    const cJSON *j = cJSON_GetObjectItemCaseSensitive(object, name);

    if (!j) {
        fail_msg("no member %s", name);
    }
    return j;
}

static const char *text_of(const cJSON *object, const char *name)
{
    const char *text = cJSON_GetStringValue(get(object, name));

    assert_non_null(text);
    return text;
}

static const struct member root_members[] = {
    {"format", NUMBER},    {"version", TEXT},
    {"machine", OBJECT},   {"settings", OBJECT},
    {"mechanisms", ARRAY}, {"doorbell", OBJECT},
    {"primary", TEXT},     {"rolled_back_to", TEXT | NOTHING},
    {"fallback", TEXT},    {"reasons", OBJECT},
    {"verdict", OBJECT},   {NULL, 0}};
static const struct member machine_members[] = {{"arch", TEXT},
                                                {"model", TEXT | NOTHING},
                                                {"os", TEXT | NOTHING},
                                                {"cpus", NUMBER | NOTHING},
                                                {"hypervisor", BOOLEAN},
                                                {"counter", OBJECT},
                                                {"spin_hint_ns", NUMBER},
                                                {"tight_looks", NUMBER},
                                                {"leaving_the_cpu", OBJECT},
                                                {"umwait_control", OBJECT | NOTHING},
                                                {NULL, 0}};
static const struct member counter_members[] = {
    {"trusted", BOOLEAN}, {"ticks_per_s", NUMBER}, {"source", TEXT}, {NULL, 0}};
static const struct member leaving_members[] = {
    {"park_cpu_ns", NUMBER},    {"park_latency_ns", NUMBER},
    {"nap_cpu_ns", NUMBER},     {"nap_late_ns", NUMBER},
    {"nap_jitter_ns", NUMBER},  {"barrier_ns", NUMBER | NOTHING},
    {"latency_weight", NUMBER}, {NULL, 0}};
static const struct member umwait_members[] = {{"c02_allowed", BOOLEAN | NOTHING},
                                               {"max_ticks", NUMBER | NOTHING},
                                               {"source", TEXT},
                                               {NULL, 0}};
static const struct member settings_members[] = {{"iterations", NUMBER},
                                                 {"timeout_ns", NUMBER},
                                                 {"waiter_cpu", NUMBER | NOTHING},
                                                 {"storer_cpu", NUMBER | NOTHING},
                                                 {"cpus_are", TEXT | NOTHING},
                                                 {"xsc_mechanism", TEXT | NOTHING},
                                                 {NULL, 0}};
static const struct member mechanism_members[] = {{"name", TEXT},
                                                  {"present", BOOLEAN},
                                                  {"monitor", BOOLEAN},
                                                  {"probed", BOOLEAN},
                                                  {"state", TEXT},
                                                  {"verdict", TEXT | NOTHING},
                                                  {"reason", TEXT},
                                                  {"validated", BOOLEAN},
                                                  {"sleeps", BOOLEAN | NOTHING},
                                                  {"latency_ns", OBJECT},
                                                  {"cross_trouble", TEXT | NOTHING},
                                                  {"overshoot_ns", OBJECT | NOTHING},
                                                  {"rest_ns", OBJECT | NOTHING},
                                                  {"cpu_per_us", NUMBER | NOTHING},
                                                  {"spurious_per_s", NUMBER | NOTHING},
                                                  {"missed_stores", NUMBER | NOTHING},
                                                  {"os_limit_ns", NUMBER | NOTHING},
                                                  {"fault_signal", NUMBER | NOTHING},
                                                  {"target", OBJECT | NOTHING},
                                                  {NULL, 0}};
static const struct member latency_members[] = {{"changed", OBJECT | NOTHING},
                                                {"self_store", OBJECT | NOTHING},
                                                {"cross_store", OBJECT | NOTHING},
                                                {NULL, 0}};
static const struct member quantile_members[] = {
    {"n", NUMBER}, {"p50", NUMBER}, {"p99", NUMBER}, {"max", NUMBER}, {NULL, 0}};
static const struct member rest_members[] = {{"n", NUMBER},   {"p50", NUMBER},  {"p99", NUMBER},
                                             {"max", NUMBER}, {"mean", NUMBER}, {NULL, 0}};
static const struct member target_members[] = {{"low_ns", NUMBER},
                                               {"high_ns", NUMBER},
                                               {"measured_ns", NUMBER | NOTHING},
                                               {"met", BOOLEAN | NOTHING},
                                               {NULL, 0}};
static const struct member reasons_members[] = {
    {"choice", TEXT}, {"refused", TEXT | NOTHING}, {"mechanisms", OBJECT}, {NULL, 0}};
static const struct member doorbell_members[] = {{"path", TEXT},
                                                 {"probed", BOOLEAN},
                                                 {"present", BOOLEAN},
                                                 {"state", TEXT | NOTHING},
                                                 {"reason", TEXT},
                                                 {"validated", BOOLEAN},
                                                 {"rings", NUMBER | NOTHING},
                                                 {"lost", NUMBER | NOTHING},
                                                 {"min_ns", NUMBER | NOTHING},
                                                 {"max_ns", NUMBER | NOTHING},
                                                 {NULL, 0}};
static const struct member verdict_members[] = {{"status", NUMBER}, {"text", TEXT}, {NULL, 0}};

static void check_mechanism(const cJSON *m)
{
    static const char *const kinds[] = {"changed", "self_store", "cross_store"};
    const cJSON *latency = get(m, "latency_ns");

    check_members(m, "mechanism", mechanism_members);
    check_members(latency, "latency_ns", latency_members);
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        const cJSON *q = get(latency, kinds[i]);

        check_members(q, kinds[i], quantile_members);
        if (cJSON_IsObject(q)) {
            assert_true(get(q, "n")->valuedouble >= 1);
            assert_true(get(q, "p50")->valuedouble <= get(q, "p99")->valuedouble);
            assert_true(get(q, "p99")->valuedouble <= get(q, "max")->valuedouble);
        }
    }
    check_members(get(m, "overshoot_ns"), "overshoot_ns", quantile_members);
    check_members(get(m, "rest_ns"), "rest_ns", rest_members);
    check_members(get(m, "target"), "target", target_members);
    assert_int_equal(cJSON_IsTrue(get(m, "probed")), cJSON_IsString(get(m, "verdict")));
    if (cJSON_IsTrue(get(m, "validated"))) {
        assert_string_equal(text_of(m, "verdict"), "passed");
    }
    if (cJSON_IsTrue(get(m, "probed")) && !strcmp(text_of(m, "verdict"), "absent")) {
        assert_true(cJSON_IsFalse(get(m, "present")));
        assert_string_equal(text_of(m, "state"), "FAILED");
        assert_true(cJSON_IsNull(get(latency, "changed")));
        assert_true(strlen(text_of(m, "reason")) > 10); /* a sentence */
    }
}

static const cJSON *mechanism(const cJSON *root, const char *name)
{
    const cJSON *m;

    cJSON_ArrayForEach(m, get(root, "mechanisms"))
    {
        if (!strcmp(text_of(m, "name"), name)) {
            return m;
        }
    }
    fail_msg("no mechanism %s", name);
    return NULL;
}

/* Parses and checks everything that holds for any run. To be freed with cJSON_Delete(). */
static cJSON *check_json(const char *text, int status)
{
    cJSON *root = cJSON_ParseWithOpts(text, NULL, true); /* nothing may follow */
    const cJSON *m;

    assert_non_null(root);
    check_members(root, "root", root_members);
    check_members(get(root, "machine"), "machine", machine_members);
    check_members(get(get(root, "machine"), "counter"), "counter", counter_members);
    check_members(get(get(root, "machine"), "leaving_the_cpu"), "leaving_the_cpu", leaving_members);
    check_members(get(get(root, "machine"), "umwait_control"), "umwait_control", umwait_members);
    check_members(get(root, "settings"), "settings", settings_members);
    check_members(get(root, "reasons"), "reasons", reasons_members);
    check_members(get(root, "doorbell"), "doorbell", doorbell_members);
    check_members(get(root, "verdict"), "verdict", verdict_members);
    assert_int_equal(get(root, "format")->valueint, 1);
    assert_string_equal(text_of(root, "version"), XSC_VERSION);
    assert_int_equal(get(get(root, "verdict"), "status")->valueint, status);
    cJSON_ArrayForEach(m, get(root, "mechanisms"))
    {
        check_mechanism(m);
        assert_string_equal(text_of(get(get(root, "reasons"), "mechanisms"), text_of(m, "name")),
                            text_of(m, "reason"));
    }
    mechanism(root, text_of(root, "primary"));
    mechanism(root, text_of(root, "fallback"));
    return root;
}

static cJSON *run_json(const struct setting *s, const char *args, struct outcome *o)
{
    char line[256];

    snprintf(line, sizeof(line), "--json %s", args);
    *o = run_tool(s, line);
    assert_true(o->status < 2);
    return check_json(o->out, o->status);
}

/* ------------------------------------------------------------------------------ runs ---- */

static void test_plain_run(void **state)
{
    struct outcome o;

    (void)state;
    cJSON *root = run_json(NULL, BRIEF, &o);
    const cJSON *primary = mechanism(root, text_of(root, "primary")), *m;

    assert_string_equal(o.err, ""); /* no progress: stderr is no terminal */
    cJSON_ArrayForEach(m, get(root, "mechanisms"))
    {
        assert_true(cJSON_IsTrue(get(m, "probed")));
    }
    assert_int_equal(o.status, cJSON_IsTrue(get(primary, "validated")) ? 0 : 1);
    assert_true(cJSON_IsNull(get(get(root, "reasons"), "refused")));
    assert_int_equal(get(get(root, "settings"), "iterations")->valueint, 16);
    assert_int_equal(get(get(root, "settings"), "timeout_ns")->valueint, 10000);
    cJSON_Delete(root);
    free_outcome(&o);
}

static void test_mechanism_by_name(void **state)
{
    struct outcome o;

    (void)state;
    cJSON *root = run_json(NULL, BRIEF "--mechanism gEnErIc", &o);
    const cJSON *m;

    cJSON_ArrayForEach(m, get(root, "mechanisms"))
    {
        const bool generic = !strcmp(text_of(m, "name"), "GENERIC");

        assert_int_equal(cJSON_IsTrue(get(m, "probed")), generic);
        assert_int_equal(cJSON_IsObject(get(get(m, "latency_ns"), "changed")), generic);
    }
    assert_int_equal(o.status, cJSON_IsTrue(get(mechanism(root, "GENERIC"), "validated")) ? 0 : 1);
    cJSON_Delete(root);
    free_outcome(&o);
}

static void test_durations(void **state)
{
    static const struct {
        const char *args;
        double ns;
    } taken[] = {{"--timeout 1500ns", 1500},
                 {"--timeout 100us", 1e5},
                 {"--timeout=2ms", 2e6},
                 {"--timeout 1us", 1000}};

    (void)state;
    for (size_t i = 0; i < sizeof(taken) / sizeof(taken[0]); i++) {
        char args[96];
        struct outcome o;

        snprintf(args, sizeof(args), "--iterations 16 --mechanism generic %s", taken[i].args);
        cJSON *root = run_json(NULL, args, &o);

        assert_true(get(get(root, "settings"), "timeout_ns")->valuedouble == taken[i].ns);
        cJSON_Delete(root);
        free_outcome(&o);
    }
}

static void test_one_cpu(void **state)
{
    const struct setting confined = {.one_cpu = true};
    struct outcome o;

    (void)state;
    cJSON *root = run_json(&confined, BRIEF "--mechanism generic", &o);
    const cJSON *generic = mechanism(root, "GENERIC");

    assert_int_equal(get(get(root, "machine"), "cpus")->valueint, 1);
    assert_true(cJSON_IsNull(get(get(root, "settings"), "storer_cpu")));
    assert_true(cJSON_IsNull(get(get(generic, "latency_ns"), "cross_store")));
    assert_string_equal(text_of(generic, "cross_trouble"), "only one CPU to run on");
    cJSON_Delete(root);
    free_outcome(&o);

    o = run_tool(&confined, BRIEF "--mechanism generic");
    assert_non_null(strstr(o.out, "not measured: only one CPU to run on"));
    free_outcome(&o);
}

static void test_json_beside_report(void **state)
{
    (void)state;
    struct outcome o = run_tool(NULL, BRIEF "--mechanism generic --json=file");
    char *text = get_file("file");

    assert_non_null(text);
    assert_int_equal(strncmp(o.out, "xsc-wait-probe ", 15), 0);
    cJSON_Delete(check_json(text, o.status));
    assert_int_equal(entries(), 1);
    free(text);
    free_outcome(&o);

    o = run_tool(NULL, BRIEF "--mechanism generic --json --output file");
    text = get_file("file");
    assert_string_equal(o.out, "");
    cJSON_Delete(check_json(text, o.status));
    assert_int_equal(entries(), 1);
    free(text);
    free_outcome(&o);
}

/* ------------------------------------------------------------- what isn't available ---- */

#if defined(__x86_64__)

#define NO_MONITOR "XSC_TEST_FEATURES=-waitpkg,-monitorx"

static void test_absent_by_name(void **state)
{
    const struct setting s = {.environment = {NO_MONITOR}};
    struct outcome o;

    (void)state;
    cJSON *root = run_json(&s, BRIEF "--mechanism mwaitx,generic", &o);

    assert_int_equal(o.status, 1);
    assert_string_equal(text_of(mechanism(root, "MWAITX"), "verdict"), "absent");
    assert_non_null(strstr(text_of(get(root, "verdict"), "text"), "MWAITX"));
    assert_non_null(strstr(text_of(get(root, "verdict"), "text"), "MONITORX"));
    cJSON_Delete(root);
    free_outcome(&o);
}

static void test_override_refused(void **state)
{
    const struct setting s = {.environment = {NO_MONITOR, "XSC_MECHANISM=umwait"}};
    struct outcome o;
    char words[96];

    (void)state;
    cJSON *root = run_json(&s, BRIEF, &o);
    const char *primary = text_of(root, "primary");

    assert_int_equal(o.status, 1);
    assert_string_not_equal(primary, "UMWAIT");
    assert_non_null(strstr(text_of(get(root, "reasons"), "refused"), "WAITPKG"));
    assert_string_equal(text_of(get(root, "settings"), "xsc_mechanism"), "umwait");
    snprintf(words, sizeof(words), "older CPU); using %s\n", primary);
    expect(&o, 1, words, "XSC_MECHANISM=umwait"); /* once */
    cJSON_Delete(root);
    free_outcome(&o);

    o = run_tool(&s, BRIEF);
    assert_int_equal(o.status, 1);
    assert_non_null(strstr(o.out, "refused     XSC_MECHANISM=umwait: \"umwait\" can't be used"));
    assert_non_null(strstr(o.out, "\nNOT AS ASKED: XSC_MECHANISM=umwait is refused"));
    free_outcome(&o);
}

static void test_override_unknown(void **state)
{
    const struct setting s = {.environment = {"XSC_MECHANISM=futex2000"}};
    struct outcome o;

    (void)state;
    cJSON *root = run_json(&s, BRIEF, &o);

    assert_int_equal(o.status, 1);
    assert_non_null(strstr(text_of(get(root, "reasons"), "refused"), "is not known here"));
    assert_int_equal(lines(o.err), 1);
    cJSON_Delete(root);
    free_outcome(&o);
}

/* Told that there is an instruction which there isn't: it faults, and the process lives. */
static void test_faulting(void **state)
{
    const struct setting s = {.environment = {"XSC_TEST_FEATURES=waitpkg"}};
    struct outcome o;

    (void)state;
    cJSON *root = run_json(NULL, BRIEF "--mechanism umwait", &o);
    const bool has_it = cJSON_IsTrue(get(mechanism(root, "UMWAIT"), "present"));

    cJSON_Delete(root);
    free_outcome(&o);
    if (has_it) {
        skip_because("needs a CPU without WAITPKG");
    }
    root = run_json(&s, BRIEF "--mechanism umwait", &o);
    assert_int_equal(o.status, 1);
    assert_string_equal(text_of(mechanism(root, "UMWAIT"), "verdict"), "broken");
    assert_string_equal(text_of(mechanism(root, "UMWAIT"), "state"), "FAILED");
    assert_int_equal(get(mechanism(root, "UMWAIT"), "fault_signal")->valueint, 4);
    cJSON_Delete(root);
    free_outcome(&o);
}

#endif /* __x86_64__ */

static void test_override_taken(void **state)
{
    const struct setting s = {.environment = {"XSC_MECHANISM=generic"}};
    struct outcome o;

    (void)state;
    cJSON *root = run_json(&s, BRIEF, &o);

    assert_string_equal(text_of(root, "primary"), "GENERIC");
    assert_string_equal(text_of(get(root, "reasons"), "choice"), "asked for by name");
    assert_true(cJSON_IsNull(get(get(root, "reasons"), "refused")));
    assert_string_equal(o.err, "");
    cJSON_Delete(root);
    free_outcome(&o);
}

/* -------------------------------------------------------------------------- the text ---- */

/* The report names what the JSON names, and fits a terminal of 100 columns. */
static void test_text(void **state)
{
    static const struct setting settings[] = {
        {.environment = {NULL}},
        {.environment = {"XSC_MECHANISM=futex2000"}},
        {.environment = {"XSC_TEST_FEATURES=waitpkg,monitorx,evtstrm,wfxt"}},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]); i++) {
        struct outcome o = run_tool(&settings[i], BRIEF "--json=file"), quiet;
        char *text = get_file("file"), *last = strrchr(o.out, '\0') - 1;
        cJSON *root = check_json(text, o.status);
        const cJSON *m;

        for (const char *line = o.out, *end; (end = strchr(line, '\n')); line = end + 1) {
            if (end - line > 100 || (end > line && end[-1] == ' ')) {
                fail_msg("%d columns: \"%.*s\"", (int)(end - line), (int)(end - line), line);
            }
        }
        cJSON_ArrayForEach(m, get(root, "mechanisms"))
        {
            char row[64];

            snprintf(row, sizeof(row), "\n%-12s%-11s%-11s", text_of(m, "name"),
                     text_of(m, "verdict"), text_of(m, "state"));
            assert_non_null(strstr(o.out, row));
        }
        assert_non_null(strstr(o.out, "\nprimary     "));
        assert_non_null(strstr(o.out, "\nfallback    "));
        assert_int_equal(*last, '\n');
        cJSON_Delete(root);
        free(text);
        free_outcome(&o);

        quiet = run_tool(&settings[i], BRIEF "--quiet");
        assert_non_null(strstr(quiet.out, quiet.status ? "NOT " : "validated"));
        assert_true(lines(quiet.out) >= 1 && lines(quiet.out) <= 3);
        free_outcome(&quiet);
    }
}

static void test_doorbell(void **state)
{
    const struct setting nobody = {.permissions = true};
    struct outcome o;

    (void)state;
    cJSON *root = run_json(NULL, "--mechanism DoorBell --doorbell eventfd", &o);
    const cJSON *d = get(root, "doorbell"), *m;

    assert_int_equal(o.status, 0);
    assert_true(cJSON_IsTrue(get(d, "validated")));
    assert_string_equal(text_of(d, "state"), "STEADY");
    assert_int_equal(get(d, "rings")->valueint, 100);
    assert_string_equal(text_of(get(root, "verdict"), "text"), "validated: DOORBELL");
    cJSON_ArrayForEach(m, get(root, "mechanisms"))
    {
        assert_true(cJSON_IsFalse(get(m, "probed")));
    }
    cJSON_Delete(root);
    free_outcome(&o);

    o = run_tool(NULL, BRIEF "--mechanism generic --doorbell eventfd");
    assert_non_null(strstr(o.out, "\nDOORBELL    passed     STEADY     100 rings, none lost, "));
    free_outcome(&o);

    root = run_json(NULL, "--mechanism doorbell --doorbell ./none", &o);
    assert_int_equal(o.status, 1);
    assert_true(cJSON_IsNull(get(get(root, "doorbell"), "rings")));
    assert_non_null(strstr(text_of(get(root, "verdict"), "text"), "no ./none: no module"));
    cJSON_Delete(root);
    free_outcome(&o);

    root = run_json(NULL, BRIEF "--mechanism generic", &o);
    assert_true(cJSON_IsFalse(get(get(root, "doorbell"), "probed")));
    assert_true(cJSON_IsNull(get(get(root, "doorbell"), "state")));
    cJSON_Delete(root);
    free_outcome(&o);

    root = run_json(NULL, "--mechanism doorbell --doorbell /dev/null", &o);
    assert_int_equal(o.status, 1);
    assert_non_null(strstr(text_of(get(root, "verdict"), "text"), "DOORBELL, asked for by "
                                                                  "--mechanism, is broken"));
    cJSON_Delete(root);
    free_outcome(&o);

    put_file("shut", "");
    assert_int_equal(chmod("shut", 0), 0);
    o = run_tool(NULL, BRIEF "--quiet --doorbell ./none"); /* a path that is misspelt */
    assert_int_equal(o.status, 1);
    assert_non_null(strstr(o.out, "NOT VALIDATED: DOORBELL"));
    free_outcome(&o);
    o = run_tool(&nobody, BRIEF "--doorbell ./shut");
    expect(&o, 3, "--doorbell ./shut: Permission denied", "another user's doorbell");
    free_outcome(&o);
}

static void test_progress(void **state)
{
    (void)state;
    struct outcome o = run_tool(NULL, BRIEF "--mechanism generic --progress");

    assert_non_null(strstr(o.err, "[1/1] trying GENERIC, 0 %\n"));
    assert_null(strchr(o.err, '\r'));
    assert_null(strstr(o.out, "trying"));
    free_outcome(&o);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        TEST(test_plain_run),
        TEST(test_mechanism_by_name),
        TEST(test_durations),
        TEST(test_one_cpu),
        TEST(test_json_beside_report),
#if defined(__x86_64__)
        TEST(test_absent_by_name),
        TEST(test_override_refused),
        TEST(test_override_unknown),
        TEST(test_faulting),
#endif
        TEST(test_override_taken),
        TEST(test_text),
        TEST(test_doorbell),
        TEST(test_progress),
    };

    return run_group(argc, argv, tests, sizeof(tests) / sizeof(tests[0]));
}
