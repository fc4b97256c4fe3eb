# SPDX-License-Identifier: MIT
# A real arm64 kernel on QEMU. There a bare WFE sleeps, but LDAXR and WFE, our wait, returns at
# once while the reservation lives: so it must be found out that it does not sleep, and be passed
# over. Where no such QEMU can be had, WFE is a NOP, with the same outcome.

# xsc_add_arm64(NAME "OPTIONS" MECHANISM EXPECTATION...)
function(xsc_add_arm64 name options)
    xsc_add_guest(arm64.${name} arm64.sh "--timeout 120 --env XSC_TEST_HANDOVERS=1000 ${options}"
                  test_mechanism ${ARGN})
endfunction()

xsc_add_arm64(wfe "" WFE
    init=0 present=1 counter=1 reason~does\ not\ sleep primary=ISB fallback=ISB deep=0
    probe.fault=0 probe.missed=0 probe.sleeps=0)
xsc_add_arm64(wfe-by-name "--env XSC_MECHANISM=wfe" WFE
    init=0 primary=WFE fallback=ISB deep>0 spurious>0 probe.missed=0)
# Without the event stream a WFE could outlast any deadline: refused, and deadlines hold.
xsc_add_arm64(wfe-no-stream "--no-evtstrm" WFE
    present=0 state=FAILED reason~event\ stream primary=ISB)
xsc_add_arm64(wfe-no-stream-by-name "--no-evtstrm --env XSC_MECHANISM=wfe" WFE
    init=ENOTSUP refused=1 refusal~event\ stream primary=ISB)
xsc_add_arm64(wfet "" WFET present=1 reason~does\ not\ sleep primary=ISB probe.fault=0)
xsc_add_arm64(wfet-absent "--cpu cortex-a57" WFET
    present=0 state=FAILED reason~HWCAP2_WFXT primary=ISB)
xsc_add_arm64(wfet-illegal "--cpu cortex-a57 --env XSC_TEST_FEATURES=wfxt" WFET
    present=1 state=FAILED reason~illegal\ instruction primary=ISB probe.fault=4)

foreach(part IN ITEMS api threads signals processes confined)
    xsc_add_guest(arm64.selftest.${part} arm64.sh
        "--timeout 300 --env XSC_TEST_HANDOVERS=1000" selftest ${part})
endforeach()
