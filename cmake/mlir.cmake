# MLIR and LLVM, linked statically: target genie_mlir. Debian's imported MLIR targets drag in the shared libLLVM, so only
# their dependency lists are used, with LLVM's static archives in its place.
find_package(MLIR REQUIRED CONFIG PATHS ${GENIE_LLVM_PREFIX}/lib/cmake/mlir NO_DEFAULT_PATH)
set(GENIE_LLVM_BIN ${GENIE_LLVM_PREFIX}/bin)

# Collects in `out` the archives of MLIR `targets` and of all that they depend on.
function(genie_mlir_archives out)
  set(pending ${ARGN})
  set(seen)
  set(archives)
  while(pending)
    list(POP_FRONT pending target)
    if(target STREQUAL "LLVM" OR target IN_LIST seen OR NOT TARGET ${target})
      continue()
    endif()
    list(APPEND seen ${target})
    get_target_property(archive ${target} IMPORTED_LOCATION_RELWITHDEBINFO)
    list(APPEND archives ${archive})
    get_target_property(needs ${target} INTERFACE_LINK_LIBRARIES)
    if(needs)
      list(APPEND pending ${needs})
    endif()
  endwhile()
  set(${out} ${archives} PARENT_SCOPE)
endfunction()

# Collects in `out` the link line of LLVM `components`, as in genie_llvm_archives(out core x86).
function(genie_llvm_archives out)
  execute_process(COMMAND ${GENIE_LLVM_BIN}/llvm-config --link-static --libfiles ${ARGN} OUTPUT_VARIABLE files
                  OUTPUT_STRIP_TRAILING_WHITESPACE COMMAND_ERROR_IS_FATAL ANY)
  execute_process(COMMAND ${GENIE_LLVM_BIN}/llvm-config --link-static --system-libs ${ARGN} OUTPUT_VARIABLE system
                  OUTPUT_STRIP_TRAILING_WHITESPACE COMMAND_ERROR_IS_FATAL ANY)
  separate_arguments(files)
  separate_arguments(system)
  set(${out} ${files} ${system} PARENT_SCOPE)
endfunction()

genie_mlir_archives(mlir_archives MLIRCAPIIR MLIRCAPIFunc MLIRCAPITransforms)
genie_llvm_archives(llvm_archives core support)
# The archives are collected in no order of need: the linker goes through them until nothing more is found.
list(JOIN mlir_archives "," mlir_archives)
add_library(genie_mlir INTERFACE)
target_include_directories(genie_mlir SYSTEM INTERFACE ${GENIE_LLVM_PREFIX}/include)
target_link_libraries(genie_mlir INTERFACE "$<LINK_GROUP:RESCAN,${mlir_archives}>" ${llvm_archives} stdc++ m)
target_link_options(genie_mlir INTERFACE -Wl,--gc-sections)
