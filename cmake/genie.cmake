# Build options and the functions that every CMakeLists.txt uses.
option(GENIE_BUILD_COMPILER "Build geniec (needs LLVM and MLIR 22)" ON)
set(GENIE_SANITIZE "" CACHE STRING "Sanitizers, as in 'address,undefined'")
option(GENIE_FUZZ "Build the libFuzzer targets (needs clang)" OFF)

set(GENIE_LLVM_PREFIX "/usr/lib/llvm-22" CACHE PATH "Where LLVM 22 is installed")

# A package that one folder finds is there for whoever links that folder's library.
set(CMAKE_FIND_PACKAGE_TARGETS_GLOBAL ON)

find_package(Python3 REQUIRED COMPONENTS Interpreter)

add_compile_options($<$<COMPILE_LANGUAGE:C>:-Wall> $<$<COMPILE_LANGUAGE:C>:-Wextra> $<$<COMPILE_LANGUAGE:C>:-Werror>
                    -fvisibility=hidden -fno-omit-frame-pointer)
add_compile_definitions(_GNU_SOURCE)
include_directories(${CMAKE_SOURCE_DIR} ${CMAKE_SOURCE_DIR}/include)
include(hardening)
if(GENIE_SANITIZE)
  add_compile_options(-fsanitize=${GENIE_SANITIZE} -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${GENIE_SANITIZE})
endif()
if(GENIE_FUZZ)
  add_compile_options($<$<COMPILE_LANGUAGE:C>:-fsanitize=fuzzer-no-link>)
endif()

# genie_library(NAME SOURCES a.c b.c [DEPENDS lib...]): a static library.
function(genie_library name)
  cmake_parse_arguments(arg "" "" "SOURCES;DEPENDS" ${ARGN})
  add_library(${name} STATIC ${arg_SOURCES})
  target_link_libraries(${name} PUBLIC ${arg_DEPENDS})
endfunction()

# genie_unit_test(NAME SOURCES x_test.c DEPENDS lib... [TIMEOUT seconds]): a cmocka binary that ctest runs.
function(genie_unit_test name)
  cmake_parse_arguments(arg "" "TIMEOUT" "SOURCES;DEPENDS" ${ARGN})
  if(NOT arg_TIMEOUT)
    set(arg_TIMEOUT 60)
  endif()
  add_executable(${name} ${arg_SOURCES})
  target_link_libraries(${name} PRIVATE ${arg_DEPENDS} cmocka)
  add_test(NAME ${name} COMMAND ${name})
  # Tests ask for impossible sizes: with a sanitizer too, that is an error to handle.
  set_tests_properties(${name} PROPERTIES TIMEOUT ${arg_TIMEOUT}
    ENVIRONMENT "ASAN_OPTIONS=allocator_may_return_null=1;TSAN_OPTIONS=allocator_may_return_null=1")
endfunction()

# genie_fuzz_target(NAME SOURCES x_fuzz.c DEPENDS lib...): built with -DGENIE_FUZZ=ON.
function(genie_fuzz_target name)
  cmake_parse_arguments(arg "" "" "SOURCES;DEPENDS" ${ARGN})
  if(GENIE_FUZZ)
    add_executable(${name} ${arg_SOURCES})
    target_link_libraries(${name} PRIVATE ${arg_DEPENDS})
    target_link_options(${name} PRIVATE -fsanitize=fuzzer)
    set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/fuzz)
  endif()
endfunction()

# The commit that --version and manifests name; a new commit configures anew.
execute_process(
  COMMAND git rev-parse --short=12 HEAD
  WORKING_DIRECTORY ${CMAKE_SOURCE_DIR}
  OUTPUT_VARIABLE GENIE_GIT_HASH OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET RESULT_VARIABLE genie_git_result)
if(genie_git_result EQUAL 0)
  execute_process(
    COMMAND git rev-parse --path-format=absolute --git-path logs/HEAD
    WORKING_DIRECTORY ${CMAKE_SOURCE_DIR} OUTPUT_VARIABLE genie_git_log OUTPUT_STRIP_TRAILING_WHITESPACE)
  if(EXISTS ${genie_git_log})
    set_property(DIRECTORY ${CMAKE_SOURCE_DIR} APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${genie_git_log})
  endif()
else()
  set(GENIE_GIT_HASH "unknown")
endif()
