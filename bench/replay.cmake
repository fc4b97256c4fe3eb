# SPDX-License-Identifier: MIT
# The question replay and its peers, each where it is available; the report says which are not.

target_sources(xsc-wait-bench PRIVATE replay.c peers/replay_xsc.c peers/replay_bare.c
                                      peers/replay_posix.c
                                      "${PROJECT_SOURCE_DIR}/tools/xsc-wait-sim/trace.c")
target_compile_definitions(xsc-wait-bench PRIVATE XSC_BENCH_REPLAY)
set_source_files_properties("${PROJECT_SOURCE_DIR}/tools/xsc-wait-sim/trace.c"
                            PROPERTIES COMPILE_DEFINITIONS _GNU_SOURCE)
target_include_directories(xsc-wait-bench SYSTEM PRIVATE "${XSC_ZLIB_INCLUDE}")
target_link_libraries(xsc-wait-bench PRIVATE "${XSC_ZLIB_LIBRARY}")

if(XSC_CK_INCLUDE AND XSC_CK_LIBRARY)
    bench_peer(CK peers/replay_ck_ec.c)
endif()
find_path(XSC_NSYNC_INCLUDE nsync.h)
find_library(XSC_NSYNC_LIBRARY nsync)
mark_as_advanced(XSC_NSYNC_INCLUDE XSC_NSYNC_LIBRARY)
if(XSC_NSYNC_INCLUDE AND XSC_NSYNC_LIBRARY)
    bench_peer(NSYNC peers/replay_nsync.c "${XSC_NSYNC_LIBRARY}")
endif()
if(CMAKE_CXX_COMPILER)
    bench_peer(STD_ATOMIC peers/replay_std_atomic.cpp)
    find_package(absl QUIET)
    if(absl_FOUND)
        bench_peer(ABSEIL peers/replay_abseil.cpp absl::synchronization)
    endif()
    find_package(TBB QUIET)
    if(TBB_FOUND)
        bench_peer(ONETBB peers/replay_onetbb.cpp TBB::tbb)
    endif()
endif()
