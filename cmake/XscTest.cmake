# SPDX-License-Identifier: MIT

# xsc_skip_test(NAME name LABEL label WHY text): a test that this build can't run, and says so.
function(xsc_skip_test)
    cmake_parse_arguments(PARSE_ARGV 0 arg "" "NAME;LABEL;WHY" "")
    xsc_add_test(NAME ${arg_NAME} LABEL ${arg_LABEL}
                 COMMAND sh -c "echo 'skipped: ${arg_WHY}'; exit 77")
endfunction()

# xsc_add_test(NAME name LABEL label [TIMEOUT seconds] COMMAND command...)
#
# Registers a test. Its label says what it needs, and by it scripts/check.sh picks its stage:
#   unit      a fake port and a fake clock: any machine, deterministic
#   native    threads and processes on this machine
#   stress    the long run of hand-overs
#   emulated  a user-mode emulator, or instructions emulated in process
#   guest     a booted kernel
#   install   the installed library, as its users see it
#   style     rules that the sources or the built library keep
# Exit status 77 is a skip; the test has then said what was missing. A test whose threads
# must run at the same time counts for two CPUs, so that ctest -j leaves it room.
function(xsc_add_test)
    cmake_parse_arguments(PARSE_ARGV 0 arg "" "NAME;LABEL;TIMEOUT" "COMMAND")
    foreach(needed IN ITEMS NAME LABEL COMMAND)
        if(NOT arg_${needed})
            message(FATAL_ERROR "xsc_add_test: ${needed} is missing")
        endif()
    endforeach()
    if(NOT arg_LABEL MATCHES "^(unit|native|stress|emulated|guest|install|style)$")
        message(FATAL_ERROR "xsc_add_test: unknown label ${arg_LABEL}")
    endif()
    if(NOT arg_TIMEOUT)
        set(arg_TIMEOUT 120)
    endif()
    add_test(NAME ${arg_NAME} COMMAND ${arg_COMMAND})
    set_tests_properties(${arg_NAME} PROPERTIES LABELS ${arg_LABEL} TIMEOUT ${arg_TIMEOUT}
                                                SKIP_RETURN_CODE 77)
    if(arg_LABEL MATCHES "^(native|stress|emulated|guest)$")
        set_tests_properties(${arg_NAME} PROPERTIES PROCESSORS 2)
    endif()
endfunction()
