# SPDX-License-Identifier: MIT
# The question shards and its peers, each where it is available; the report says which are not.

target_sources(xsc-wait-bench PRIVATE shards/shards.c shards/flow.c shards/calls.c shards/device.c
                                      shards/peers_bare.c shards/peers_xsc.c shards/peers_posix.c)
target_compile_definitions(xsc-wait-bench PRIVATE XSC_BENCH_SHARDS)

if(XSC_CK_INCLUDE AND XSC_CK_LIBRARY)
    bench_peer(SHARDS_CK shards/peers_ck.c)
endif()
if(TARGET xsc-wait-uring)
    target_compile_definitions(xsc-wait-bench PRIVATE XSC_BENCH_SHARDS_URING)
    target_link_libraries(xsc-wait-bench PRIVATE xsc-wait-uring xsc-wait-static)
endif()
if(CMAKE_CXX_COMPILER)
    find_path(XSC_MOODYCAMEL_INCLUDE blockingconcurrentqueue.h
              PATH_SUFFIXES concurrentqueue/moodycamel concurrentqueue)
    mark_as_advanced(XSC_MOODYCAMEL_INCLUDE)
    if(XSC_MOODYCAMEL_INCLUDE)
        bench_peer(SHARDS_MOODYCAMEL shards/peers_moodycamel.cpp)
        target_include_directories(xsc-wait-bench SYSTEM PRIVATE "${XSC_MOODYCAMEL_INCLUDE}")
    endif()
    find_package(TBB QUIET)
    if(TBB_FOUND)
        bench_peer(SHARDS_ONETBB shards/peers_onetbb.cpp TBB::tbb)
    endif()
endif()
