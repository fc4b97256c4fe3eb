# SPDX-License-Identifier: MIT

# Every time limit of the tests is multiplied by it: ctest's (below), those of programs
# (tests/native/limits.h) and those of scripts, which find it in their environment.
if(DEFINED ENV{XSC_TEST_TIMEOUT_FACTOR})
    set(xsc_timeout_factor_default "$ENV{XSC_TEST_TIMEOUT_FACTOR}")
else()
    set(xsc_timeout_factor_default 1)
endif()
set(XSC_TEST_TIMEOUT_FACTOR "${xsc_timeout_factor_default}" CACHE STRING
    "Time limits of tests are so many times those of a quick, idle machine, 1 to 1000")
if(NOT XSC_TEST_TIMEOUT_FACTOR MATCHES "^([1-9]|[1-9][0-9]|[1-9][0-9][0-9]|1000)$")
    message(FATAL_ERROR "XSC_TEST_TIMEOUT_FACTOR: \"${XSC_TEST_TIMEOUT_FACTOR}\" is not a whole number "
                        "from 1 to 1000")
endif()

# xsc_skip_test(NAME name LABEL label WHY text): a test that this build can't run, and says so.
function(xsc_skip_test)
    cmake_parse_arguments(PARSE_ARGV 0 arg "" "NAME;LABEL;WHY" "")
    if(arg_WHY MATCHES "'")
        message(FATAL_ERROR "xsc_skip_test(${arg_NAME}): WHY stands in single quotes of the shell")
    endif()
    xsc_add_test(NAME ${arg_NAME} LABEL ${arg_LABEL}
                 COMMAND sh -c "echo 'skipped: ${arg_WHY}'; exit 77")
endfunction()

# xsc_add_test(NAME name LABEL label [TIMEOUT seconds] COMMAND command...)
#
# Registers a test. Its label says what it needs, and by it scripts/check.sh picks its stage:
#   unit      a fake port and a fake clock: any machine, deterministic
#   native    threads and processes on this machine
#   stress    long runs: hand-overs, chaos
#   emulated  a user-mode emulator, or instructions emulated in process
#   guest     a booted kernel
#   install   the installed library, as its users see it
#   style     rules that the sources or the built library keep
#   model     protocols, searched exhaustively
#   fuzz      parsers and sequences of calls, fed with input that no program would write
# Exit status 77 is a skip; the test has then said what was missing. A test whose threads
# must run at the same time counts for two CPUs, so that ctest -j leaves it room.
function(xsc_add_test)
    cmake_parse_arguments(PARSE_ARGV 0 arg "" "NAME;LABEL;TIMEOUT" "COMMAND")
    foreach(needed IN ITEMS NAME LABEL COMMAND)
        if(NOT arg_${needed})
            message(FATAL_ERROR "xsc_add_test: ${needed} is missing")
        endif()
    endforeach()
    if(NOT arg_LABEL MATCHES "^(unit|native|stress|emulated|guest|install|style|model|fuzz)$")
        message(FATAL_ERROR "xsc_add_test: unknown label ${arg_LABEL}")
    endif()
    if(NOT arg_TIMEOUT)
        set(arg_TIMEOUT 120)
    endif()
    math(EXPR arg_TIMEOUT "${arg_TIMEOUT} * ${XSC_TEST_TIMEOUT_FACTOR}")
    add_test(NAME ${arg_NAME} COMMAND ${arg_COMMAND})
    set_tests_properties(${arg_NAME} PROPERTIES LABELS ${arg_LABEL} TIMEOUT ${arg_TIMEOUT}
        SKIP_RETURN_CODE 77
        ENVIRONMENT_MODIFICATION "XSC_TEST_TIMEOUT_FACTOR=set:${XSC_TEST_TIMEOUT_FACTOR}")
    set_property(GLOBAL APPEND PROPERTY xsc_commands_${arg_LABEL} ${arg_COMMAND})
    if(arg_LABEL MATCHES "^(native|stress|emulated|guest)$")
        set_tests_properties(${arg_NAME} PROPERTIES PROCESSORS 2)
    endif()
endfunction()

# xsc_add_label_targets(): a target LABEL-tests for every label, which builds all that its tests run.
# Where only that is built, ctest -L LABEL finds every program. Call it when all tests are known.
function(xsc_add_label_targets)
    foreach(label IN ITEMS unit native stress emulated guest install style model fuzz)
        get_property(words GLOBAL PROPERTY xsc_commands_${label})
        set(targets)
        foreach(word IN LISTS words)
            if(word MATCHES "^\\$<TARGET_FILE:([^>]*)>$")
                set(word "${CMAKE_MATCH_1}")
            endif()
            if(TARGET "${word}")
                list(APPEND targets "${word}")
            endif()
        endforeach()
        list(REMOVE_DUPLICATES targets)
        add_custom_target(${label}-tests)
        if(targets)
            add_dependencies(${label}-tests ${targets})
        endif()
    endforeach()
endfunction()
