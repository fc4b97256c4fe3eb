# SPDX-License-Identifier: MIT
# The question shards and its peers, each where it is to be had; the report says which were not.

target_sources(xsc-wait-bench PRIVATE shards/shards.c shards/flow.c shards/calls.c
                                      shards/peers_bare.c shards/peers_xsc.c shards/peers_posix.c)
target_compile_definitions(xsc-wait-bench PRIVATE XSC_BENCH_SHARDS)

if(XSC_PORT STREQUAL "linux")
    target_compile_definitions(xsc-wait-bench PRIVATE XSC_BENCH_SHARDS_DEVICES)
endif()

# shards_peer(SYMBOL SOURCE LIBRARY...)
function(shards_peer symbol source)
    target_compile_definitions(xsc-wait-bench PRIVATE XSC_BENCH_SHARDS_${symbol})
    target_sources(xsc-wait-bench PRIVATE shards/${source})
    target_link_libraries(xsc-wait-bench PRIVATE ${ARGN})
endfunction()

if(XSC_CK_INCLUDE AND XSC_CK_LIBRARY)
    shards_peer(CK peers_ck.c)
endif()
if(CMAKE_CXX_COMPILER)
    find_path(XSC_MOODYCAMEL_INCLUDE blockingconcurrentqueue.h
              PATH_SUFFIXES concurrentqueue/moodycamel concurrentqueue)
    mark_as_advanced(XSC_MOODYCAMEL_INCLUDE)
    if(XSC_MOODYCAMEL_INCLUDE)
        shards_peer(MOODYCAMEL peers_moodycamel.cpp)
        target_include_directories(xsc-wait-bench SYSTEM PRIVATE "${XSC_MOODYCAMEL_INCLUDE}")
    endif()
    find_package(TBB QUIET)
    if(TBB_FOUND)
        shards_peer(ONETBB peers_onetbb.cpp TBB::tbb)
    endif()
endif()
