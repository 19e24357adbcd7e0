# The libraries Hadal stands on, all from the system's packages (scripts/apt-packages.txt). Each is linked only to the
# folder that uses it, so that its headers stay there.
find_package(fmt REQUIRED)
find_package(hwy REQUIRED CONFIG)
find_package(Protobuf REQUIRED)
find_package(CLI11 REQUIRED)
find_package(nlohmann_json REQUIRED)
find_package(GTest REQUIRED)

target_link_libraries(hadal_common INTERFACE fmt::fmt)

# toml++ and stb are headers in the system's include path; they need no target of their own, only to be there.
find_path(TOMLPLUSPLUS_INCLUDE_DIR toml++/toml.h REQUIRED)
add_library(hadal_toml INTERFACE)
target_include_directories(hadal_toml SYSTEM INTERFACE ${TOMLPLUSPLUS_INCLUDE_DIR})

find_path(STB_INCLUDE_DIR stb/stb_image.h REQUIRED)
add_library(hadal_stb INTERFACE)
target_include_directories(hadal_stb SYSTEM INTERFACE ${STB_INCLUDE_DIR})

# libzip's own CMake package asks for its command-line tools.
find_path(ZIP_INCLUDE_DIR zip.h REQUIRED)
find_library(ZIP_LIBRARY zip REQUIRED)
add_library(hadal_zip INTERFACE)
target_include_directories(hadal_zip SYSTEM INTERFACE ${ZIP_INCLUDE_DIR})
target_link_libraries(hadal_zip INTERFACE ${ZIP_LIBRARY})

# oneDNN's own CMake package asks for OpenCL, which only its GPU half needs.
find_package(OpenMP REQUIRED)  # Debian's oneDNN runs on it; the machine holds it to one thread a call.
find_path(DNNL_INCLUDE_DIR oneapi/dnnl/dnnl.hpp REQUIRED)
find_library(DNNL_LIBRARY dnnl REQUIRED)
add_library(hadal_dnnl INTERFACE)
target_include_directories(hadal_dnnl SYSTEM INTERFACE ${DNNL_INCLUDE_DIR})
target_link_libraries(hadal_dnnl INTERFACE ${DNNL_LIBRARY} OpenMP::OpenMP_CXX)
