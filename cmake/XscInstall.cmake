# SPDX-License-Identifier: MIT
# What is installed: headers, both libraries, tools, man pages, and two ways to be found.

if(NOT PROJECT_IS_TOP_LEVEL)
    return()
endif()

include(CMakePackageConfigHelpers)

set(xsc_cmake_dir "${CMAKE_INSTALL_LIBDIR}/cmake/xsc-wait")
install(DIRECTORY include/xsc DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}" FILES_MATCHING PATTERN "*.h")
install(TARGETS xsc-wait xsc-wait-static EXPORT xsc-wait)
foreach(section IN ITEMS 1 3 4 7 9)
    file(GLOB xsc_man CONFIGURE_DEPENDS docs/man/*.${section})
    install(FILES ${xsc_man} DESTINATION "${CMAKE_INSTALL_MANDIR}/man${section}")
endforeach()
foreach(tool IN ITEMS xsc-wait-probe xsc-wait-sim)
    if(TARGET ${tool})
        install(TARGETS ${tool})
    endif()
endforeach()

# By itself: make install takes it from where make bench has built it, with its peers.
if(TARGET xsc-wait-bench)
    install(TARGETS xsc-wait-bench COMPONENT bench)
endif()

# find_package(xsc-wait): xsc::wait and xsc::wait-static
install(EXPORT xsc-wait NAMESPACE xsc:: DESTINATION "${xsc_cmake_dir}" FILE xsc-wait-targets.cmake)
configure_package_config_file(cmake/xsc-wait-config.cmake.in xsc-wait-config.cmake
                              INSTALL_DESTINATION "${xsc_cmake_dir}")
# Below 1.0 a minor version may break what came before it.
write_basic_package_version_file(xsc-wait-config-version.cmake COMPATIBILITY SameMinorVersion)
install(FILES "${PROJECT_BINARY_DIR}/xsc-wait-config.cmake"
              "${PROJECT_BINARY_DIR}/xsc-wait-config-version.cmake"
        DESTINATION "${xsc_cmake_dir}")

# pkg-config: paths relative to the file's own, so that the tree can be moved or staged.
cmake_path(IS_ABSOLUTE CMAKE_INSTALL_LIBDIR xsc_libdir_absolute)
cmake_path(IS_ABSOLUTE CMAKE_INSTALL_INCLUDEDIR xsc_includedir_absolute)
if(xsc_libdir_absolute OR xsc_includedir_absolute)
    set(XSC_PC_PREFIX "${CMAKE_INSTALL_PREFIX}")
    set(XSC_PC_LIBDIR "${CMAKE_INSTALL_FULL_LIBDIR}")
    set(XSC_PC_INCLUDEDIR "${CMAKE_INSTALL_FULL_INCLUDEDIR}")
else()
    file(RELATIVE_PATH xsc_up "/p/${CMAKE_INSTALL_LIBDIR}/pkgconfig" "/p")
    set(XSC_PC_PREFIX "\${pcfiledir}/${xsc_up}")
    set(XSC_PC_LIBDIR "\${prefix}/${CMAKE_INSTALL_LIBDIR}")
    set(XSC_PC_INCLUDEDIR "\${prefix}/${CMAKE_INSTALL_INCLUDEDIR}")
endif()
configure_file(cmake/xsc-wait.pc.in xsc-wait.pc @ONLY)
install(FILES "${PROJECT_BINARY_DIR}/xsc-wait.pc" DESTINATION "${CMAKE_INSTALL_LIBDIR}/pkgconfig")
