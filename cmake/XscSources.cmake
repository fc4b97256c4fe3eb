# SPDX-License-Identifier: MIT
# The library's sources: the freestanding core, and one port of it to an operating system.

set(XSC_CORE_SOURCES
    core/any.c
    core/clock.c
    core/health.c
    core/histogram.c
    core/idle.c
    core/mechanism.c
    core/stats.c
    core/validate.c
    core/wait.c)

# All of them: a file for another architecture is empty.
file(GLOB xsc_mech_sources CONFIGURE_DEPENDS RELATIVE "${PROJECT_SOURCE_DIR}"
     "${PROJECT_SOURCE_DIR}/mech/*.c")
list(APPEND XSC_CORE_SOURCES ${xsc_mech_sources})

# How long to watch, learned: the library's, the simulator's and the tests'.
set(XSC_POLICY_SOURCES core/plan.c core/policy.c core/spread.c)

set(XSC_PORT_SOURCES user/library.c user/config.c user/report.c user/posix.c user/process.c
                     user/cpus.c user/say.c user/barrier.c user/costs.c
                     user/sites.c user/watch_then.c user/park.c user/event.c user/lock.c
                     user/mutex.c user/lock_debug.c user/idle.c user/shard.c user/doorbell.c
                     ${XSC_POLICY_SOURCES})
if(XSC_PORT STREQUAL "linux")
    list(APPEND XSC_PORT_SOURCES user/linux.c user/linux_clock.c user/linux_cpu.c
                                 user/linux_sleep.c user/linux_shard.c
                                 user/linux_doorbell.c)
    if(XSC_SANITIZE) # which must know of every thread
        list(APPEND XSC_PORT_SOURCES user/peer_thread.c)
    else()
        list(APPEND XSC_PORT_SOURCES user/peer_clone.c)
    endif()
elseif(XSC_PORT STREQUAL "other")
    list(APPEND XSC_PORT_SOURCES user/other.c user/posix_clock.c user/other_sleep.c user/other_shard.c
                                 user/other_doorbell.c user/peer_thread.c)
else()
    message(FATAL_ERROR "XSC_PORT is linux or other, not \"${XSC_PORT}\"")
endif()

list(TRANSFORM XSC_CORE_SOURCES PREPEND "${PROJECT_SOURCE_DIR}/")
list(TRANSFORM XSC_POLICY_SOURCES PREPEND "${PROJECT_SOURCE_DIR}/")
list(TRANSFORM XSC_PORT_SOURCES PREPEND "${PROJECT_SOURCE_DIR}/")

# What runs once, or seldom: small rather than fast (SPEC K5).
set(XSC_COLD_SOURCES core/health.c core/mechanism.c core/validate.c user/config.c user/doorbell.c
                     user/linux.c user/linux_cpu.c user/linux_doorbell.c user/lock_debug.c
                     user/process.c user/report.c user/say.c)
list(TRANSFORM XSC_COLD_SOURCES PREPEND "${PROJECT_SOURCE_DIR}/")
set_source_files_properties(${XSC_COLD_SOURCES} PROPERTIES COMPILE_OPTIONS "$<$<NOT:$<CONFIG:Debug>>:-Os>")
