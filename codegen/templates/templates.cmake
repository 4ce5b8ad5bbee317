# Kernel templates: genie_template(NAME SOURCE [DEFINITIONS...]) compiles codegen/templates/SOURCE to bitcode that geniec
# carries under NAME. One source serves several compute types by its definitions.

set(GENIE_TEMPLATE_CLANG ${GENIE_LLVM_PREFIX}/bin/clang CACHE FILEPATH "The clang that compiles templates")
# Reductions may be vectorised and products contracted, but NaN and infinities keep their meaning. No function names a
# target: geniec sets it.
set(GENIE_TEMPLATE_COMMON_FLAGS -std=c17 -O1 -Xclang -disable-llvm-passes -emit-llvm -ffreestanding -fno-builtin
    -fvisibility=hidden -fno-exceptions -fno-asynchronous-unwind-tables -fno-trapping-math -fno-math-errno
    -ffp-contract=fast -Wall -Wextra -Werror -Wno-psabi -Wno-tautological-compare -I${CMAKE_SOURCE_DIR})
set(GENIE_TEMPLATE_FLAGS --target=x86_64-unknown-linux-gnu -fPIC -fomit-frame-pointer -fno-stack-protector ${GENIE_TEMPLATE_COMMON_FLAGS})
# No CUDA SDK: templates are C for the PTX back end, at the least architecture that geniec compiles for.
set(GENIE_CUDA_TEMPLATE_FLAGS --target=nvptx64-nvidia-cuda -march=sm_80 -Xclang -target-feature -Xclang +ptx78 -nocudalib
    -DGENIE_CUDA ${GENIE_TEMPLATE_COMMON_FLAGS} -Wno-pass-failed)
set(GENIE_TEMPLATE_RELAXED_FLAGS -fassociative-math -fno-signed-zeros -freciprocal-math)

set(GENIE_TEMPLATE_NAMES "")
set(GENIE_TEMPLATE_SOURCES "")

# STRICT: no reassociation, for code whose rounding is deliberate. CUDA: for CUDA devices, under the name cuda_NAME.
function(genie_template name source)
  cmake_parse_arguments(arg "STRICT;CUDA" "" "" ${ARGN})
  set(bitcode ${CMAKE_CURRENT_BINARY_DIR}/templates/${name}.bc)
  set(array ${CMAKE_CURRENT_BINARY_DIR}/templates/${name}.bc.c)
  set(flags ${GENIE_TEMPLATE_FLAGS})
  if(arg_CUDA)
    set(flags ${GENIE_CUDA_TEMPLATE_FLAGS})
  endif()
  if(NOT arg_STRICT)
    list(APPEND flags ${GENIE_TEMPLATE_RELAXED_FLAGS})
  endif()
  foreach(definition ${arg_UNPARSED_ARGUMENTS})
    list(APPEND flags -D${definition})
  endforeach()
  add_custom_command(
    OUTPUT ${array}
    COMMAND ${GENIE_TEMPLATE_CLANG} ${flags} -MD -MF ${bitcode}.d -MT ${array} -c
            ${CMAKE_SOURCE_DIR}/codegen/templates/${source} -o ${bitcode}
    COMMAND ${CMAKE_COMMAND} -DINPUT=${bitcode} -DOUTPUT=${array} -DNAME=${name} -P ${CMAKE_SOURCE_DIR}/cmake/embed.cmake
    DEPENDS ${CMAKE_SOURCE_DIR}/codegen/templates/${source} ${CMAKE_SOURCE_DIR}/cmake/embed.cmake
    DEPFILE ${bitcode}.d
    COMMENT "Kernel template ${name}" VERBATIM)
  set(GENIE_TEMPLATE_NAMES ${GENIE_TEMPLATE_NAMES} ${name} PARENT_SCOPE)
  set(GENIE_TEMPLATE_SOURCES ${GENIE_TEMPLATE_SOURCES} ${array} PARENT_SCOPE)
endfunction()

genie_template(math math.c STRICT)
genie_template(scalar scalar.c STRICT)
genie_template(memory memory.c)
genie_template(pointwise pointwise.c)
genie_template(pointwise_pieces pointwise_pieces.c)
foreach(bits 32 64)
  genie_template(softmax_f${bits} softmax.c GENIE_REAL=${bits})
  genie_template(softmax_strided_f${bits} softmax_strided.c GENIE_REAL=${bits})
  genie_template(norm_f${bits} norm.c GENIE_REAL=${bits})
  genie_template(reduce_f${bits} reduce.c GENIE_REAL=${bits})
  genie_template(reduce_strided_f${bits} reduce_strided.c GENIE_REAL=${bits})
  genie_template(reduce_index_f${bits} reduce_index.c GENIE_REAL=${bits})
  genie_template(scan_f${bits} scan.c GENIE_REAL=${bits})
  genie_template(sort_f${bits} sort.c GENIE_REAL=${bits})
  genie_template(scatter_f${bits} scatter.c GENIE_REAL=${bits})
  genie_template(embedding_bag_f${bits} embedding_bag.c GENIE_REAL=${bits})
endforeach()
genie_template(scan_i64 scan.c GENIE_INTEGER)
genie_template(sort_i64 sort.c GENIE_INTEGER)
genie_template(scatter_i64 scatter.c GENIE_INTEGER)
genie_template(reduce_i64 reduce.c GENIE_INTEGER)
genie_template(reduce_strided_i64 reduce_strided.c GENIE_INTEGER)
genie_template(reduce_index_i64 reduce_index.c GENIE_INTEGER)

# Dense templates come for each compute type and vector width, as in gemm_f32_64.
function(genie_dense_template stem source)
  foreach(width 32 64)
    genie_template(${stem}_f32_${width} ${source} GENIE_VECTOR_BYTES=${width} ${ARGN})
    genie_template(${stem}_f64_${width} ${source} GENIE_VECTOR_BYTES=${width} GENIE_REAL_F64 ${ARGN})
  endforeach()
  set(GENIE_TEMPLATE_NAMES ${GENIE_TEMPLATE_NAMES} PARENT_SCOPE)
  set(GENIE_TEMPLATE_SOURCES ${GENIE_TEMPLATE_SOURCES} PARENT_SCOPE)
endfunction()

foreach(stem gemm gemv conv conv_depthwise attention attention_decode pool upsample)
  genie_dense_template(${stem} ${stem}.c)
endforeach()
foreach(tile 2 4)
  foreach(width 32 64)
    genie_template(conv_winograd_${tile}_f32_${width} conv_winograd.c GENIE_VECTOR_BYTES=${width} WINOGRAD_TILE=${tile})
  endforeach()
endforeach()
genie_dense_template(gru recurrent.c)
genie_dense_template(lstm recurrent.c RECURRENT_LSTM)
genie_dense_template(rnn recurrent.c RECURRENT_RNN)

# CUDA devices: as above, from codegen/templates/cuda.
# What is not math is compiled for CPUs as well, under the name emulated_NAME.
function(genie_cuda_template name source)
  cmake_parse_arguments(arg "EMULATED" "" "" ${ARGN})
  genie_template(cuda_${name} ${source} CUDA ${arg_UNPARSED_ARGUMENTS})
  if(arg_EMULATED OR source MATCHES "^cuda/")
    genie_template(emulated_${name} ${source} GENIE_CUDA GENIE_CUDA_EMULATED ${arg_UNPARSED_ARGUMENTS})
  endif()
  set(GENIE_TEMPLATE_NAMES ${GENIE_TEMPLATE_NAMES} PARENT_SCOPE)
  set(GENIE_TEMPLATE_SOURCES ${GENIE_TEMPLATE_SOURCES} PARENT_SCOPE)
endfunction()

# The definitions of a dense template for f32 or f64.
function(genie_dense_real out bits)
  set(definitions GENIE_REAL=${bits})
  if(bits EQUAL 64)
    list(APPEND definitions GENIE_REAL_F64)
  endif()
  set(${out} ${definitions} PARENT_SCOPE)
endfunction()

genie_cuda_template(math math.c STRICT)
genie_cuda_template(scalar scalar.c STRICT)
genie_cuda_template(pointwise cuda/pointwise.c)
foreach(bits 8 16 32 64)
  genie_cuda_template(transpose_b${bits} cuda/transpose.c ELEMENT_BITS=${bits})
endforeach()
foreach(bits 32 64)
  foreach(stem softmax softmax_strided norm reduce reduce_strided reduce_index scan sort scatter embedding_bag)
    genie_cuda_template(${stem}_f${bits} cuda/${stem}.c GENIE_REAL=${bits})
  endforeach()
  genie_dense_real(real ${bits})
  genie_cuda_template(pool_f${bits} pool.c ${real} EMULATED)
  genie_cuda_template(upsample_f${bits} upsample.c ${real} EMULATED)
  genie_cuda_template(gru_f${bits} cuda/recurrent.c ${real})
  genie_cuda_template(lstm_f${bits} cuda/recurrent.c RECURRENT_LSTM ${real})
  genie_cuda_template(rnn_f${bits} cuda/recurrent.c RECURRENT_RNN ${real})
  foreach(stem gemm gemv conv conv_depthwise attention attention_decode)
    genie_cuda_template(${stem}_f${bits} cuda/${stem}.c ${real})
  endforeach()
endforeach()
foreach(stem gemm_mma conv_mma attention_mma)
  genie_cuda_template(${stem}_f32 cuda/${stem}.c GENIE_REAL=32)
endforeach()
foreach(stem reduce reduce_strided reduce_index scan sort scatter)
  genie_cuda_template(${stem}_i64 cuda/${stem}.c GENIE_INTEGER)
endforeach()

# One row a template, for template_library.c.
set(table "typedef struct genie_embedded_template {\n  const char *name;\n  const unsigned char *bytes;\n  const size_t *byte_count;\n} genie_embedded_template_t;\n")
foreach(name ${GENIE_TEMPLATE_NAMES})
  string(APPEND table "extern const unsigned char genie_embedded_${name}[];\nextern const size_t genie_embedded_${name}_bytes;\n")
endforeach()
string(APPEND table "static const genie_embedded_template_t embedded_templates[] = {\n")
foreach(name ${GENIE_TEMPLATE_NAMES})
  string(APPEND table "    {\"${name}\", genie_embedded_${name}, &genie_embedded_${name}_bytes},\n")
endforeach()
string(APPEND table "};\n")
file(CONFIGURE OUTPUT ${CMAKE_BINARY_DIR}/generated/codegen/template_table.inc CONTENT "${table}" @ONLY)
