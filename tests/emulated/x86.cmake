# SPDX-License-Identifier: MIT
# The library with x86 waits emulated in process; see selftest_emulated.c for the variables.

xsc_add_emulated(x86 COMMAND test_x86)

# The whole self test by UMWAIT, and by MWAITX. Each wait traps, so counts are small.
foreach(kind IN ITEMS waitpkg monitorx)
    string(REPLACE monitorx mwaitx what ${kind})
    foreach(part IN ITEMS api threads signals processes confined)
        xsc_add_emulated(selftest.${what}.${part} COMMAND selftest-emulated ${part}
                         ENV XSC_TEST_FEATURES=${kind} XSC_TEST_EMULATE=${what}
                             XSC_TEST_HANDOVERS=3000)
    endforeach()
endforeach()

# The first wait with all parts of a trial: a thread on another CPU, a child that may fault.
if(NOT XSC_SANITIZE)
    add_executable(test_coldstart-emulated ../native/test_coldstart.c ../native/harness.c
                   selftest_emulated.c)
    target_include_directories(test_coldstart-emulated PRIVATE ../native)
    target_link_libraries(test_coldstart-emulated PRIVATE insn-emu xsc-wait-testing
                          ${CMAKE_DL_LIBS})
    xsc_add_emulated(coldstart COMMAND test_coldstart-emulated
                     ENV XSC_TEST_FEATURES=waitpkg XSC_TEST_EMULATE=waitpkg)
endif()

# xsc_add_x86(NAME FEATURES EMULATED "K=V ..." MECHANISM EXPECTATION...)
function(xsc_add_x86 name features emulated environment)
    separate_arguments(environment)
    if(emulated)
        list(APPEND environment XSC_TEST_EMULATE=${emulated})
    endif()
    xsc_add_emulated(x86.${name} COMMAND test_mechanism ${ARGN}
                     ENV XSC_TEST_FEATURES=${features} XSC_TEST_HANDOVERS=1000 ${environment})
endfunction()

# Chosen, and by what order.
xsc_add_x86(umwait waitpkg waitpkg "" UMWAIT
    init=0 present=1 state=ACTIVE primary=UMWAIT fallback=PAUSE refused=0 deep>0
    probe.verdict=GOOD probe.sleeps=1 probe.fault=0 probe.missed=0 probe.cross_n>15)
xsc_add_x86(mwaitx monitorx mwaitx "" MWAITX
    state=ACTIVE primary=MWAITX fallback=PAUSE deep>0
    probe.verdict=GOOD probe.sleeps=1 probe.missed=0 probe.os_limit=0)
xsc_add_x86(both waitpkg,monitorx waitpkg,mwaitx "" UMWAIT primary=UMWAIT fallback=PAUSE)
xsc_add_x86(tpause-by-name waitpkg waitpkg "XSC_MECHANISM=tpause" TPAUSE
    init=0 primary=TPAUSE fallback=PAUSE choice~name deep=0 probe.verdict=GOOD)
xsc_add_x86(tpause-not-by-itself waitpkg waitpkg "XSC_TEST_FAULT=returns-at-once" TPAUSE
    primary=PAUSE)
xsc_add_x86(umwait-by-name waitpkg,monitorx waitpkg,mwaitx "XSC_MECHANISM=umwait" UMWAIT
    init=0 primary=UMWAIT)
xsc_add_x86(mwaitx-by-name waitpkg,monitorx waitpkg,mwaitx "XSC_MECHANISM=mwaitx" MWAITX
    init=0 primary=MWAITX)

# The OS's limit, learned from CF: 26,000 ticks are some 10 us, far below a slice.
xsc_add_x86(os-limit waitpkg waitpkg "XSC_TEST_OS_LIMIT=26000" UMWAIT
    state=ACTIVE primary=UMWAIT probe.verdict=GOOD probe.sleeps=1
    probe.os_limit>1000 probe.os_limit<100000)
xsc_add_x86(no-os-limit waitpkg waitpkg "XSC_TEST_OS_LIMIT=0" UMWAIT
    state=ACTIVE primary=UMWAIT probe.os_limit=0 probe.sleeps=1)

# CPUID says yes and the instruction is #UD all the same.
xsc_add_x86(illegal waitpkg "" "" UMWAIT
    init=0 state=FAILED reason~illegal\ instruction primary=PAUSE refused=0 deep=0
    probe.verdict=BROKEN probe.fault=4)
xsc_add_x86(illegal-by-name waitpkg "" "XSC_MECHANISM=umwait" UMWAIT
    init=ENOTSUP state=FAILED reason~illegal\ instruction primary=PAUSE refused=1
    refusal~illegal\ instruction)
xsc_add_x86(illegal-mwaitx monitorx "" "" MWAITX
    state=FAILED reason~illegal\ instruction primary=PAUSE probe.fault=4)
xsc_add_x86(one-illegal waitpkg,monitorx mwaitx "" UMWAIT
    state=FAILED reason~illegal\ instruction primary=MWAITX)

# Waits that go wrong.
foreach(kind IN ITEMS waitpkg monitorx)
    string(REPLACE monitorx mwaitx what ${kind})
    string(REPLACE waitpkg UMWAIT name ${what})
    string(TOUPPER ${name} name)
    string(TOLOWER ${name} lower)
    xsc_add_x86(${lower}-never-wakes ${kind} ${what} "XSC_TEST_FAULT=never-wakes;XSC_TEST_OS_LIMIT=0" ${name}
        state=FAILED reason~did\ not\ end\ the\ wait primary=PAUSE)
    xsc_add_x86(${lower}-returns-at-once ${kind} ${what} "XSC_TEST_FAULT=returns-at-once" ${name}
        reason~runs\ but\ does\ not\ sleep primary=PAUSE probe.verdict=NO_SLEEP probe.sleeps=0)
    xsc_add_x86(${lower}-spurious ${kind} ${what} "XSC_TEST_FAULT=spurious" ${name}
        reason~runs\ but\ does\ not\ sleep primary=PAUSE probe.spurious_s>1000)
    xsc_add_x86(${lower}-oversleeps ${kind} ${what} "XSC_TEST_FAULT=oversleeps" ${name}
        state=FAILED reason~oversleeps primary=PAUSE)
    xsc_add_x86(${lower}-too-slow ${kind} ${what} "XSC_TEST_LIMITS=default" ${name}
        state=FAILED reason~slow primary=PAUSE probe.verdict=SLOW)
endforeach()
# Named all the same: works, in its way, except where stores go unnoticed.
xsc_add_x86(never-wakes-by-name waitpkg waitpkg
    "XSC_TEST_FAULT=never-wakes;XSC_TEST_OS_LIMIT=0;XSC_MECHANISM=umwait" UMWAIT init=ENOTSUP primary=PAUSE refused=1)
xsc_add_x86(returns-at-once-by-name waitpkg waitpkg
    "XSC_TEST_FAULT=returns-at-once;XSC_MECHANISM=umwait" UMWAIT init=0 primary=UMWAIT)
xsc_add_x86(too-slow-by-name waitpkg waitpkg
    "XSC_TEST_LIMITS=default;XSC_MECHANISM=umwait" UMWAIT init=0 primary=UMWAIT state=ACTIVE)
