# The ONNX schema comes from the installed onnx package (its wheel carries onnx.proto), so that it is always the
# package's version and never a stale copy. Code includes <onnx.pb.h> and links hadal_onnx_schema.
file(GLOB found ${CMAKE_SOURCE_DIR}/.venv/lib/python3*/site-packages/onnx/onnx.proto)
if(SKBUILD AND NOT found)  # In the build of a wheel: that of its own environment.
  find_package(Python REQUIRED COMPONENTS Interpreter)
  execute_process(COMMAND ${Python_EXECUTABLE} -c "import importlib.util as u; print(u.find_spec('onnx').submodule_search_locations[0])"
                  OUTPUT_VARIABLE folder OUTPUT_STRIP_TRAILING_WHITESPACE COMMAND_ERROR_IS_FATAL ANY)
  set(found ${folder}/onnx.proto)
endif()
set(HADAL_ONNX_PROTO "${found}" CACHE FILEPATH "onnx.proto of an installed onnx package")
if(NOT EXISTS "${HADAL_ONNX_PROTO}")
  message(FATAL_ERROR "onnx.proto not found: run scripts/setup, or give -DHADAL_ONNX_PROTO=.../onnx/onnx.proto")
endif()

set(schema ${CMAKE_BINARY_DIR}/onnx_schema)
file(MAKE_DIRECTORY ${schema})
configure_file(${HADAL_ONNX_PROTO} ${schema}/onnx.proto COPYONLY)
add_custom_command(
  OUTPUT ${schema}/onnx.pb.cc ${schema}/onnx.pb.h
  COMMAND protobuf::protoc --proto_path=${schema} --cpp_out=${schema} ${schema}/onnx.proto
  DEPENDS ${schema}/onnx.proto
  COMMENT "ONNX schema"
  VERBATIM)

add_library(hadal_onnx_schema STATIC ${schema}/onnx.pb.cc ${schema}/onnx.pb.h)
set_target_properties(hadal_onnx_schema PROPERTIES POSITION_INDEPENDENT_CODE ${HADAL_SHARED})
target_compile_options(hadal_onnx_schema PRIVATE -w)
target_include_directories(hadal_onnx_schema SYSTEM PUBLIC ${schema})
target_link_libraries(hadal_onnx_schema PUBLIC protobuf::libprotobuf)
