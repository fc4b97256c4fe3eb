# SPDX-License-Identifier: MIT
# The x86 waits, executed by emulated CPUs that have them, under a real kernel.
#
# Bochs runs some ten instructions a microsecond of guest time, so the library's limits, made for
# real CPUs, call everything there too slow: hence XSC_TEST_LIMITS (see selftest_emulated.c). A store
# by a CPU whose TLB already has a writable entry for the page does not end another CPU's wait:
# the trial finds that out ("did not end the wait") in all rounds in which the store did not come
# before the wait. "trusting" leaves these rounds out, and then waits end at their slice's end.

add_executable(test_mechanism-static ../emulated/test_mechanism.c ../native/harness.c
               ../emulated/selftest_emulated.c ../emulated/insn_emu.c)
target_include_directories(test_mechanism-static PRIVATE ../native ../emulated)
target_link_libraries(test_mechanism-static PRIVATE xsc-wait-testing Threads::Threads)
xsc_add_selftest(selftest-static xsc-wait-testing ../emulated/selftest_emulated.c
                 ../emulated/insn_emu.c)
target_include_directories(selftest-static PRIVATE ../emulated)
foreach(program IN ITEMS test_mechanism-static selftest-static)
    target_link_options(${program} PRIVATE -static)
endforeach()

# xsc_add_bochs(NAME "OPTIONS" LIMITS MECHANISM EXPECTATION...)
function(xsc_add_bochs name options limits)
    xsc_add_guest(bochs.${name} bochs.sh
                  "--timeout 400 --env XSC_TEST_HANDOVERS=200 --env XSC_TEST_LIMITS=${limits} ${options}"
                  test_mechanism-static ${ARGN})
endfunction()

set(control /sys/devices/system/cpu/umwait_control)

# Found, with what the kernel says of it. It really sleeps. A long trial sees the missed stores.
xsc_add_bochs(umwait "" patient UMWAIT
    init=0 present=1 monitor=1 counter=1 umwait_known=1 c02=1 umwait_max=100000
    umwait_from~umwait_control probe.fault=0 probe.sleeps=1 probe.verdict=BROKEN
    probe.reason~did\ not\ end\ the\ wait)
# In use, really executed. No deadline is early, no store lost.
xsc_add_bochs(umwait-used "" trusting UMWAIT
    init=0 state=ACTIVE primary=UMWAIT fallback=PAUSE deep>0 probe.fault=0 probe.sleeps=1)
# The OS's limit at 40 us cuts each slice into three: no store goes unseen for long, so that the whole
# trial is passed, and the choice is made by the rules.
xsc_add_bochs(umwait-limited "--max-time 400" patient UMWAIT
    umwait_max=400 state=ACTIVE primary=UMWAIT fallback=PAUSE deep>0 spurious>0
    probe.fault=0 probe.missed=0)
xsc_add_bochs(umwait-c01 "--set ${control}/enable_c02=0" trusting UMWAIT
    c02=0 umwait_known=1 primary=UMWAIT deep>0 probe.fault=0 probe.sleeps=1)
xsc_add_bochs(tpause "--env XSC_MECHANISM=tpause" trusting TPAUSE
    init=0 primary=TPAUSE deep=0 probe.fault=0)
xsc_add_bochs(mwaitx "--env XSC_MECHANISM=mwaitx" trusting MWAITX
    init=0 primary=MWAITX deep>0 probe.fault=0 probe.sleeps=1)
xsc_add_bochs(mwaitx-only "--model mwaitx-only" trusting MWAITX
    primary=MWAITX deep>0 probe.fault=0 probe.sleeps=1)
xsc_add_bochs(no-umwait "--model mwaitx-only" trusting UMWAIT
    present=0 state=FAILED reason~WAITPKG primary=MWAITX probe.verdict=ABSENT)
# A CPUID bit that lies (told to the library by the test), and an instruction that is #UD.
xsc_add_bochs(umwait-illegal "--model mwaitx-only --env XSC_TEST_FEATURES=waitpkg" trusting UMWAIT
    present=1 state=FAILED reason~illegal\ instruction primary=MWAITX probe.fault=4)

# io_uring under Debian's 6.1, also where this machine forbids it.
find_library(XSC_URING_ARCHIVE liburing.a)
mark_as_advanced(XSC_URING_ARCHIVE)
if(XSC_URING_ARCHIVE AND TARGET xsc-wait-uring)
    add_executable(test_uring-static ../native/test_uring.c "${PROJECT_SOURCE_DIR}/uring/uring.c")
    target_include_directories(test_uring-static PRIVATE "${PROJECT_SOURCE_DIR}/uring/include")
    target_link_libraries(test_uring-static PRIVATE xsc-wait-static "${XSC_URING_ARCHIVE}"
                                                    Threads::Threads)
    target_link_options(test_uring-static PRIVATE -static)
    xsc_add_guest(bochs.uring bochs.sh
        "--timeout 300 --env XSC_MECHANISM=pause --env XSC_TEST_MESSAGES=200 --env XSC_TEST_SLOW_CPU=1"
        test_uring-static)
else()
    xsc_skip_test(NAME guest.bochs.uring LABEL guest WHY
        "needs liburing: apt-get install liburing-dev")
endif()

foreach(part IN ITEMS api threads signals processes confined)
    xsc_add_guest(bochs.selftest.${part} bochs.sh
        "--timeout 600 --env XSC_TEST_HANDOVERS=200 --env XSC_TEST_LIMITS=trusting"
        selftest-static ${part})
endforeach()
