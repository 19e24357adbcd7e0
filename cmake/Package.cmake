# The C library: include/hadal.h and nothing else is seen from outside.
file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/src/api/*.cpp)
add_library(hadal_c SHARED ${sources})
set_target_properties(hadal_c PROPERTIES OUTPUT_NAME hadal)
target_include_directories(hadal_c PUBLIC ${CMAKE_SOURCE_DIR}/include)
target_link_libraries(hadal_c PRIVATE ${before})
target_link_options(hadal_c PRIVATE -Wl,--version-script=${CMAKE_SOURCE_DIR}/cmake/hadal.map -Wl,-z,defs)

# The Python package: the library with those that it needs beside it, and the shipped descriptions.
set_target_properties(hadal_c PROPERTIES INSTALL_RPATH "$ORIGIN")
target_link_options(hadal_c PRIVATE -Wl,--disable-new-dtags)  # Libraries beside it find one another, too.
install(TARGETS hadal_c
        RUNTIME_DEPENDENCIES PRE_EXCLUDE_REGEXES "ld-linux" "lib(c|m|dl|rt|pthread|gcc_s|stdc\\+\\+)\\.so"
        LIBRARY DESTINATION lib COMPONENT python)
# A wheel has no links, and would have each library once for every name: the shortest is the one that is looked for.
install(CODE [[
  file(GLOB names "$ENV{DESTDIR}${CMAKE_INSTALL_PREFIX}/lib/*.so.*")
  foreach(name IN LISTS names)
    if(IS_SYMLINK "${name}" AND EXISTS "${name}")
      file(REAL_PATH "${name}" file)
      file(RENAME "${file}" "${name}")
    elseif(IS_SYMLINK "${name}")
      file(REMOVE "${name}")
    endif()
  endforeach()
]] COMPONENT python)
install(DIRECTORY chips memories profiles DESTINATION share/hadal COMPONENT python FILES_MATCHING PATTERN "*.toml")
