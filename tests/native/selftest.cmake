# SPDX-License-Identifier: MIT
# The self test runs natively, under emulators and in guests, so several directories build it.
include_guard(GLOBAL)

set(XSC_SELFTEST_DIR "${CMAKE_CURRENT_LIST_DIR}")

# xsc_add_selftest(NAME LIBRARY [SOURCE...])
function(xsc_add_selftest name library)
    set(sources selftest.c selftest_api.c selftest_confined.c selftest_processes.c
                selftest_signals.c selftest_threads.c)
    list(TRANSFORM sources PREPEND "${XSC_SELFTEST_DIR}/")
    add_executable(${name} ${sources} ${ARGN})
    target_include_directories(${name} PRIVATE "${XSC_SELFTEST_DIR}")
    target_link_libraries(${name} PRIVATE ${library} Threads::Threads)
    if(NOT XSC_PORT STREQUAL "linux")
        # That port does not know which CPUs a process may use, and can't try out instructions.
        target_compile_definitions(${name} PRIVATE XSC_TEST_OTHER_PORT)
    endif()
endfunction()
