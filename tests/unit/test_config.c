/* SPDX-License-Identifier: MIT */
/* user/config.c over an environment, and rights, of the tests' own. */
#define _GNU_SOURCE
#include "tests/unit/unit.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/auxv.h>
#include <unistd.h>

#include "tests/unit/fake_port.h"

static struct {
    const char *name, *value;
    unsigned long secure; /* AT_SECURE */
    bool no_auxv;         /* the kernel said nothing of it */
    uid_t uid, euid;
    gid_t gid, egid;
} os;

static const char *fake_getenv(const char *name)
{
    return os.name && !strcmp(name, os.name) ? os.value : NULL;
}

static unsigned long fake_getauxval(unsigned long type)
{
    assert_int_equal(type, AT_SECURE);
    if (os.no_auxv) {
        errno = ENOENT;
        return 0;
    }
    return os.secure;
}

#define XSC_TESTING
#define getenv fake_getenv
#define getauxval fake_getauxval
#define getuid() os.uid
#define geteuid() os.euid
#define getgid() os.gid
#define getegid() os.egid
#include "user/config.c"

static int setup(void **state)
{
    (void)state;
    fake_reset();
    memset(&os, 0, sizeof(os));
    memset(&reported, 0, sizeof(reported));
    return 0;
}

static void set(const char *name, const char *value)
{
    os.name = name;
    os.value = value;
}

static void unset_and_empty_are_the_default(void **state)
{
    uint32_t us = 1;

    (void)state;
    for (int empty = 0; empty < 2; empty++) {
        const char *value = empty ? "" : NULL;

        set("XSC_MECHANISM", value);
        assert_null(xsc_config_mechanism());
        set("XSC_PREFER", value);
        assert_int_equal(xsc_config_weight(), XSC_WEIGHT_BALANCED);
        set("XSC_PARK", value);
        assert_int_equal(xsc_config_park(), XSC_PARK_AUTO);
        set("XSC_IDLE_SLEEP", value);
        assert_true(xsc_config_idle_us(&us));
        assert_int_equal(us, 0);
    }
    assert_int_equal(fake.says, 0);
}

static void every_value_is_known(void **state)
{
    static const struct {
        const char *text;
        uint32_t value;
    } weights[] = {{"latency", XSC_WEIGHT_LATENCY},
                   {"balanced", XSC_WEIGHT_BALANCED},
                   {"cpu", XSC_WEIGHT_CPU}},
      parks[] = {{"auto", XSC_PARK_AUTO},
                 {"seqcst", XSC_PARK_SEQ_CST},
                 {"seq_cst", XSC_PARK_SEQ_CST}},
      naps[] = {{"0", 0}, {"50", 50}, {"100", 100}, {"200", 200}};
    uint32_t us;

    (void)state;
    for (size_t i = 0; i < LENGTH(weights); i++) {
        set("XSC_PREFER", weights[i].text);
        assert_int_equal(xsc_config_weight(), weights[i].value);
    }
    for (size_t i = 0; i < LENGTH(parks); i++) {
        set("XSC_PARK", parks[i].text);
        assert_int_equal(xsc_config_park(), parks[i].value);
    }
    for (size_t i = 0; i < LENGTH(naps); i++) {
        set("XSC_IDLE_SLEEP", naps[i].text);
        assert_true(xsc_config_idle_us(&us));
        assert_int_equal(us, naps[i].value);
    }
    set("XSC_MECHANISM", "pause");
    assert_string_equal(xsc_config_mechanism(), "pause");
    set("XSC_TEST_FEATURES", "wfxt");
    assert_string_equal(xsc_config_test_features(), "wfxt");
    assert_int_equal(fake.says, 0);
}

/* The default, and one line a process and variable that names the variable and the default. */
static void bad_values_get_one_line(void **state)
{
    static const char *const bad[] = {"seqcst ", "Auto", "latency,cpu", "5", "0 ", "-1", "201"};
    uint32_t us;

    (void)state;
    for (size_t i = 0; i < LENGTH(bad); i++) {
        set("XSC_PARK", bad[i]);
        assert_int_equal(xsc_config_park(), XSC_PARK_AUTO);
        assert_int_equal(fake.says, i ? 3 : 1);
        set("XSC_PREFER", bad[i]);
        assert_int_equal(xsc_config_weight(), XSC_WEIGHT_BALANCED);
        assert_int_equal(fake.says, i ? 3 : 2);
        set("XSC_IDLE_SLEEP", bad[i]);
        us = 1;
        assert_false(xsc_config_idle_us(&us));
        assert_int_equal(us, 0);
        assert_int_equal(fake.says, 3);
    }
    assert_non_null(strstr(fake.line[0], "XSC_PARK is neither auto nor seqcst; using auto"));
    assert_non_null(strstr(fake.line[1], "XSC_PREFER"));
    assert_non_null(strstr(fake.line[1], "using balanced"));
    assert_non_null(strstr(fake.line[2], "off: XSC_IDLE_SLEEP"));
}

/* Nothing is kept: what the variable says now is the answer. */
static void each_call_reads_again(void **state)
{
    (void)state;
    set("XSC_PARK", "seqcst");
    assert_int_equal(xsc_config_park(), XSC_PARK_SEQ_CST);
    set("XSC_PARK", "auto");
    assert_int_equal(xsc_config_park(), XSC_PARK_AUTO);
    set("XSC_PREFER", "cpu");
    assert_int_equal(xsc_config_weight(), XSC_WEIGHT_CPU);
    set("XSC_PREFER", "latency");
    assert_int_equal(xsc_config_weight(), XSC_WEIGHT_LATENCY);
}

static void is_ignored(bool ignored)
{
    uint32_t us;

    set("XSC_MECHANISM", "pause");
    assert_int_equal(xsc_config_mechanism() == NULL, ignored);
    set("XSC_PREFER", "cpu");
    assert_int_equal(xsc_config_weight(), ignored ? XSC_WEIGHT_BALANCED : XSC_WEIGHT_CPU);
    set("XSC_PARK", "seqcst");
    assert_int_equal(xsc_config_park(), ignored ? XSC_PARK_AUTO : XSC_PARK_SEQ_CST);
    set("XSC_IDLE_SLEEP", "50");
    assert_true(xsc_config_idle_us(&us));
    assert_int_equal(us, ignored ? 0 : 50);
    set("XSC_TEST_FEATURES", "wfxt");
    assert_int_equal(xsc_config_test_features() == NULL, ignored);
    set("XSC_PARK", "nonsense"); /* and then nothing is said of it */
    xsc_config_park();
    assert_int_equal(fake.says, ignored ? 0 : 1);
}

static void a_program_with_more_rights_ignores_all(void **state)
{
    (void)state;
    is_ignored(false);
    setup(NULL);
    os.secure = 1;
    is_ignored(true);
    setup(NULL);
    os.uid = 1000; /* by itself: a program may change that, and AT_SECURE says how it began */
    is_ignored(false);
}

static void without_the_kernels_word_identities_decide(void **state)
{
    (void)state;
    os.no_auxv = true;
    errno = EXDEV;
    is_ignored(false);
    assert_int_equal(errno, EXDEV);
    setup(NULL);
    os.no_auxv = true;
    os.uid = 1000;
    is_ignored(true);
    setup(NULL);
    os.no_auxv = true;
    os.gid = 1000;
    is_ignored(true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(unset_and_empty_are_the_default, setup),
        cmocka_unit_test_setup(every_value_is_known, setup),
        cmocka_unit_test_setup(bad_values_get_one_line, setup),
        cmocka_unit_test_setup(each_call_reads_again, setup),
        cmocka_unit_test_setup(a_program_with_more_rights_ignores_all, setup),
        cmocka_unit_test_setup(without_the_kernels_word_identities_decide, setup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
