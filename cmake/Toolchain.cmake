# How everything is compiled. Warnings are errors everywhere; a warning is either fixed or named here with its reason.
option(HADAL_SANITIZE "AddressSanitizer and UndefinedBehaviorSanitizer" OFF)

find_program(CCACHE ccache)
if(CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CCACHE})
endif()

find_program(LLD ld.lld)
if(LLD)
  add_link_options(-fuse-ld=lld)
endif()

find_package(Threads REQUIRED)
add_library(hadal_common INTERFACE)
target_include_directories(hadal_common INTERFACE ${CMAKE_SOURCE_DIR}/src)
target_compile_definitions(hadal_common INTERFACE HADAL_VERSION="${PROJECT_VERSION}")
target_link_libraries(hadal_common INTERFACE Threads::Threads)
target_compile_options(hadal_common INTERFACE -Werror -Wall -Wextra -Wconversion -Wshadow -Wnon-virtual-dtor)

# Code must answer alike on every host: no fused multiply-add where the source has a product and a sum.
target_compile_options(hadal_common INTERFACE -ffp-contract=off)

if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 14)
  # False alarms on std::string and std::optional once the optimiser has inlined them (GCC bugs 105651, 80635).
  target_compile_options(hadal_common INTERFACE -Wno-restrict -Wno-maybe-uninitialized)
endif()

if(HADAL_SANITIZE)
  add_compile_options(-fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer)
  add_link_options(-fsanitize=address,undefined)
  # The sanitizers' own code confuses the warnings that follow values through branches.
  target_compile_options(hadal_common INTERFACE -Wno-stringop-overflow -Wno-array-bounds -Wno-null-dereference)
endif()
