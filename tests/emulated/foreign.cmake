# SPDX-License-Identifier: MIT
# A cross build, under user-mode QEMU: logic, encodings, detection, faults survived. Nothing sleeps
# there and no time is worth measuring, so nothing is said of either but that it is found out.

set(run "${CMAKE_CURRENT_SOURCE_DIR}/run-user.sh")
set(arch ${CMAKE_SYSTEM_PROCESSOR})
if(arch MATCHES "^armv7")
    set(arch arm)
endif()

add_executable(facts facts.c)
target_link_libraries(facts PRIVATE Threads::Threads)
xsc_add_test(NAME emulated.facts LABEL emulated TIMEOUT 600 COMMAND facts)

# With the library as it is installed. 1000: a hand-over costs some microseconds, and under QEMU
# each thread that spins holds one of the few CPUs for long.
xsc_add_selftest(selftest xsc-wait-static)
foreach(qemu IN ITEMS new old)
    string(REPLACE new "" option ${qemu})
    string(REPLACE old "--old" option "${option}")
    foreach(part IN ITEMS api threads signals processes confined)
        xsc_add_emulated(selftest.${qemu}.${part} TIMEOUT 600
                         COMMAND "${run}" ${option} ${arch} $<TARGET_FILE:selftest> ${part}
                         ENV XSC_TEST_HANDOVERS=1000 XSC_TEST_USER_MODE=1)
    endforeach()
endforeach()

# The locks: half words, bytes within words, the other byte order (s390x), SEV in unlock (armv7).
add_executable(test_lock "${PROJECT_SOURCE_DIR}/tests/native/test_lock.c")
target_include_directories(test_lock PRIVATE "${PROJECT_SOURCE_DIR}/tests/native")
target_link_libraries(test_lock PRIVATE xsc-wait-testing Threads::Threads)
xsc_add_emulated(lock TIMEOUT 600 COMMAND "${run}" ${arch} $<TARGET_FILE:test_lock>
                 ENV XSC_TEST_LOCKS=3000)
if(arch STREQUAL "aarch64") # waiters in LDAXR and WFE
    xsc_add_emulated(lock.wfe TIMEOUT 600 COMMAND "${run}" ${arch} $<TARGET_FILE:test_lock>
                     ENV XSC_TEST_LOCKS=3000 XSC_TEST_FEATURES=evtstrm XSC_MECHANISM=wfe)
endif()

# xsc_add_foreign(NAME "OPTIONS" "K=V;..." MECHANISM EXPECTATION...)
function(xsc_add_foreign name options environment)
    separate_arguments(options)
    xsc_add_emulated(${name} TIMEOUT 600
                     COMMAND "${run}" ${options} ${arch} $<TARGET_FILE:test_mechanism> ${ARGN}
                     ENV XSC_TEST_HANDOVERS=1000 ${environment})
endfunction()

if(arch STREQUAL "aarch64")
    foreach(qemu IN ITEMS new old)
        string(REPLACE new "" option ${qemu})
        string(REPLACE old "--old" option "${option}")
        # Reported as they are: no event stream, no WFXT. (No QEMU says otherwise in user mode.)
        xsc_add_foreign(wfe.${qemu} "${option}" "" WFE
            init=0 state=FAILED reason~event\ stream primary=ISB probe.verdict=ABSENT)
        xsc_add_foreign(wfet.${qemu} "${option}" "" WFET
            init=0 state=FAILED reason~HWCAP2_WFXT primary=ISB probe.verdict=ABSENT)
        # A hypervisor may make WFE a NOP, as QEMU does: it works, and is not preferred.
        xsc_add_foreign(wfe-nop.${qemu} "${option}" XSC_TEST_FEATURES=evtstrm WFE
            init=0 primary=ISB deep=0 state!FAILED reason~does\ not\ sleep)
        xsc_add_foreign(wfe-by-name.${qemu} "${option}"
            "XSC_TEST_FEATURES=evtstrm;XSC_MECHANISM=wfe" WFE
            init=0 primary=WFE fallback=ISB deep>0 probe.sleeps=0)
        xsc_add_foreign(yield-by-name.${qemu} "${option}" XSC_MECHANISM=yield YIELD
            init=0 primary=YIELD deep=0)
    endforeach()
    # The hwcap says yes, and the instruction is undefined all the same.
    foreach(option IN ITEMS --old "--cpu cortex-a57")
        string(REPLACE "--cpu cortex-" "" name ${option})
        string(REPLACE "--" "" name ${name})
        xsc_add_foreign(wfet-illegal.${name} "${option}" XSC_TEST_FEATURES=wfxt WFET
            init=0 state=FAILED reason~illegal\ instruction primary=ISB probe.fault=4)
        xsc_add_foreign(wfet-illegal-by-name.${name} "${option}"
            "XSC_TEST_FEATURES=wfxt;XSC_MECHANISM=wfet" WFET
            init=ENOTSUP primary=ISB refused=1 refusal~illegal\ instruction)
    endforeach()
    xsc_add_foreign(wfet-nop "" XSC_TEST_FEATURES=wfxt WFET
        primary=ISB fallback=ISB deep=0 probe.fault=0 probe.sleeps=0 reason!passed)
    # CNTFRQ_EL0 is a claim; 0, a wrong one and a right one all end in a rate near the truth.
    xsc_add_foreign(counter "" "" none counter=1 hz>1000000 clock~counter)
elseif(arch STREQUAL "riscv64")
    # New: hwprobe says Zawrs. Old: no hwprobe, so unknown, so only by name, and then SIGILL.
    xsc_add_foreign(wrs.new "" "" WRS present=1 primary=PAUSE probe.fault=0 probe.sleeps=0
        reason!passed)
    xsc_add_foreign(wrs-by-name.new "" XSC_MECHANISM=wrs WRS init=0 primary=WRS fallback=PAUSE
        deep>0)
    xsc_add_foreign(wrs.old --old "" WRS present=0 state=CANDIDATE reason~hwprobe primary=PAUSE)
    xsc_add_foreign(wrs-by-name.old --old XSC_MECHANISM=wrs WRS
        init=ENOTSUP state=FAILED primary=PAUSE refused=1 refusal~illegal\ instruction probe.fault=4)
    xsc_add_foreign(wrs-illegal --old XSC_TEST_FEATURES=zawrs WRS
        init=0 state=FAILED reason~illegal\ instruction primary=PAUSE probe.fault=4)
    xsc_add_foreign(counter "" "" none counter=1 hz>1000000 clock~measured)
elseif(arch STREQUAL "arm")
    # ARMv7's WFE ends only for writers that send an event: for locks, never for a plain store.
    xsc_add_foreign(wfe "" "" WFE state=FAILED reason~event\ stream primary=YIELD)
    xsc_add_foreign(wfe-evtstrm "" XSC_TEST_FEATURES=evtstrm WFE primary=YIELD deep=0)
    xsc_add_foreign(wfe-by-name "" "XSC_TEST_FEATURES=evtstrm;XSC_MECHANISM=wfe" WFE
        init=ENOTSUP primary=YIELD refused=1 refusal~plain\ store)
else()
    xsc_add_foreign(generic "" "" GENERIC init=0 state=ACTIVE primary=GENERIC counter=0)
endif()
