# SPDX-License-Identifier: MIT
# The waiting policy and its simulator. No port: the policy is pure.

foreach(name IN ITEMS policy policy_bound policy_threads policy_hindsight policy_learning)
    if(name MATCHES "hindsight|learning" AND NOT TARGET xsc-wait-sim-parts)
        xsc_add_test(NAME unit.${name} LABEL unit COMMAND sh -c
            "echo 'skipped: needs xsc-wait-sim: -DXSC_BUILD_TOOLS=ON -DXSC_SIM=ON'; exit 77")
        continue()
    endif()
    add_executable(unit-${name} test_${name}.c)
    target_include_directories(unit-${name} PRIVATE "${PROJECT_SOURCE_DIR}")
    target_link_libraries(unit-${name} PRIVATE "${CMOCKA_LIBRARY}" Threads::Threads)
    if(name MATCHES "hindsight|learning")
        target_link_libraries(unit-${name} PRIVATE xsc-wait-sim-parts)
    else()
        target_link_libraries(unit-${name} PRIVATE xsc-wait-core)
    endif()
    xsc_add_test(NAME unit.${name} LABEL unit TIMEOUT 300 COMMAND unit-${name})
endforeach()

if(TARGET xsc-wait-sim)
    xsc_add_test(NAME unit.policy_sim LABEL unit
                 COMMAND "${CMAKE_CURRENT_SOURCE_DIR}/policy_sim_test.sh"
                         $<TARGET_FILE:xsc-wait-sim> $<BOOL:${XSC_JSON}>
                         $<$<TARGET_EXISTS:xsc-wait-probe>:$<TARGET_FILE:xsc-wait-probe>>)
endif()
