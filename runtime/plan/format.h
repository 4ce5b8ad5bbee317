// The bytes of a .gplan file, as fixed-layout little-endian records. docs/plan-format.md is the normative text.
//
//     [ header, 4096 bytes, with the section table | manifest | section | section | ... ]
//
// Every section starts on a page (4096 bytes) and holds an array of one record type below, or raw bytes. Records refer
// to each other by index into a section; `GENIE_PLAN_NONE` is "no index". Strings are byte offsets into STRINGS, where
// each is zero-terminated UTF-8. Only runtime/plan reads or writes these bytes; a file is trusted after the verifier.
#ifndef GENIE_RUNTIME_PLAN_FORMAT_H_
#define GENIE_RUNTIME_PLAN_FORMAT_H_

#include <stdbool.h>
#include <stdint.h>

#define GENIE_PLAN_MAGIC "GENIEPLN"

enum {
  GENIE_PLAN_VERSION_MAJOR = 1,
  GENIE_PLAN_VERSION_MINOR = 1,
  GENIE_PLAN_HEADER_BYTES = 4096,
  GENIE_PLAN_PAGE_BYTES = 4096,
  GENIE_PLAN_SLICE_ALIGNMENT = 64,
  GENIE_PLAN_MAX_SECTIONS = 48,
  GENIE_PLAN_MAX_RANK = 8,
  GENIE_PLAN_MAX_SYMBOLS = 64,
  GENIE_PLAN_MAX_STREAMS = 16,
  GENIE_PLAN_MAX_EVENTS = 65536,
  GENIE_PLAN_MAX_ARGS = 256,
  GENIE_PLAN_MAX_PLACES = 64,
  GENIE_PLAN_MAX_QUEUES = 256,  // places times streams of an entry
  GENIE_PLAN_MAX_TRANSFERS = 65536,
  GENIE_PLAN_WEIGHT_CHUNK_BYTES = 64 * 1024 * 1024,
};

#define GENIE_PLAN_NONE UINT32_MAX

// In CODE_OFFSETS: the target has no code for the kernel.
#define GENIE_PLAN_NO_CODE UINT64_MAX

// STRINGS are bytes; INDICES are operand, dimension and tensor lists; CODE_OFFSETS is uint64_t[targets][kernels], a
// kernel's entry point from its blob's start; CODE is one blob a target; WEIGHT_CHUNKS are the SHA-256 of every 64 MiB
// of WEIGHTS. WEIGHTS, each tensor on 64 bytes, is the last section, so that all before it is one small read.
typedef enum genie_plan_section_kind {
#define GENIE_PLAN_SECTION(enumerator, name, number, record) GENIE_PLAN_SECTION_##enumerator = (number),
#include "runtime/plan/section.def"
#undef GENIE_PLAN_SECTION
} genie_plan_section_kind_t;

typedef struct genie_plan_digest {
  uint8_t bytes[32];  // SHA-256
} genie_plan_digest_t;

typedef struct genie_plan_section {
  uint32_t kind;
  uint32_t reserved;
  uint64_t offset;  // from the file's start, a multiple of the page
  uint64_t size_bytes;
  genie_plan_digest_t
      sha256;  // of the section's bytes; of WEIGHT_CHUNKS' bytes for WEIGHTS, so that it verifies in pieces
} genie_plan_section_t;

typedef struct genie_plan_header {
  uint8_t magic[8];
  uint16_t version_major;  // a reader refuses a larger major
  uint16_t version_minor;  // a reader ignores section kinds that it does not know within its major
  uint32_t section_count;
  uint64_t file_bytes;
  uint64_t manifest_offset;
  uint64_t manifest_bytes;
  genie_plan_digest_t manifest_sha256;
  uint32_t flags;          // 0; a reader refuses a flag that it does not know
  uint32_t has_signature;  // 0 or 1
  uint8_t signer_key[32];  // Ed25519 public key; zero when unsigned
  uint8_t signature[64];   // Ed25519 over these 4096 bytes with this field zeroed; zero when unsigned
  uint8_t reserved[64];    // 0
  genie_plan_section_t sections[GENIE_PLAN_MAX_SECTIONS];
} genie_plan_header_t;

// A run-time size with its range, fixed for the length of a call. It takes its value from dimension `bind_dim` of
// input `bind_tensor`; every other dimension of every input is checked against its expression.
typedef struct genie_plan_symbol {
  uint32_t name;
  uint32_t entry;
  int64_t minimum;
  int64_t maximum;
  int64_t multiple;
  uint32_t bind_tensor;
  uint32_t bind_dim;
} genie_plan_symbol_t;

typedef enum genie_plan_expr_op {
#define GENIE_PLAN_EXPR(enumerator, name, number) GENIE_PLAN_EXPR_##enumerator = (number),
#include "runtime/plan/expr.def"
#undef GENIE_PLAN_EXPR
} genie_plan_expr_op_t;

// One node of a size expression; operands are earlier nodes or, for SYMBOL, `lhs` is a symbol. An entry's expressions
// are [first_expr, first_expr + expr_count); nodes below the first entry's `first_expr` are constants common to all
// entries. An expression of an entry refers to its own or the common ones only.
typedef struct genie_plan_expr {
  uint32_t op;  // expr.def
  uint32_t lhs;
  uint32_t rhs;
  uint32_t reserved;
  int64_t constant;
} genie_plan_expr_t;

// A device that the plan runs on; place 0 of a one-device plan is the embedded CPU. Places share no memory.
typedef struct genie_plan_place {
  uint32_t name;         // "NODE:DEVICE", as in "local:cpu0", where "local" is the node in the caller's process
  uint32_t device_kind;  // string: "cpu", "null", "cuda"
  uint64_t slab_bytes;   // the memory of all temporaries, for the upper bounds of all symbols
  uint64_t state_bytes;
  uint64_t sum_bytes;  // what the temporaries would take without reuse; a report, not a requirement
} genie_plan_place_t;

typedef enum genie_plan_role {
  GENIE_PLAN_ROLE_INPUT = 1,
  GENIE_PLAN_ROLE_OUTPUT = 2,
  GENIE_PLAN_ROLE_STATE = 3,
  GENIE_PLAN_ROLE_WEIGHT = 4,
} genie_plan_role_t;

// A tensor with a name: what a caller binds, what lives across calls, what is shipped with the plan.
typedef struct genie_plan_tensor {
  uint32_t name;
  uint16_t role;
  uint16_t dtype;  // genie_dtype_t
  uint32_t rank;
  uint32_t first_dim;  // INDICES[first_dim .. + rank): expressions
  uint32_t place;
  uint32_t initial;  // STATE: the WEIGHT tensor that holds its first value, or NONE for zeros
  uint64_t offset;   // WEIGHT: into WEIGHTS; STATE: into the place's state memory; else 0
  uint64_t maximum_bytes;
} genie_plan_tensor_t;

typedef enum genie_plan_space {
  GENIE_PLAN_SPACE_SLAB = 1,    // `index` is the place
  GENIE_PLAN_SPACE_TENSOR = 2,  // `index` is the tensor: an input, output, state or weight
} genie_plan_space_t;

typedef enum genie_plan_access {
  GENIE_PLAN_ACCESS_READ = 1,
  GENIE_PLAN_ACCESS_WRITE = 2,
  GENIE_PLAN_ACCESS_BOTH = 3,
} genie_plan_access_t;

// A range of memory that an instruction touches. Within one instruction a slice is read, written, or both.
typedef struct genie_plan_slice {
  uint16_t space;
  uint16_t access;  // genie_plan_access_t
  uint32_t index;
  uint64_t offset;         // bytes, a multiple of the dtype's size
  uint64_t maximum_bytes;  // the bound that memory is planned for
  uint32_t bytes_expr;     // the bytes in use in this call
  uint32_t reserved;
} genie_plan_slice_t;

typedef struct genie_plan_kernel {
  uint32_t name;           // "gemm_3", unique
  uint32_t template_name;  // "gemm"
  uint32_t arg_count;
  uint32_t dim_count;
  uint64_t scratch_bytes;  // for each worker
  uint64_t reserved;
} genie_plan_kernel_t;

typedef enum genie_plan_opcode {
#define GENIE_PLAN_INSTRUCTION(enumerator, name, number) GENIE_PLAN_OPCODE_##enumerator = (number),
#include "runtime/plan/instruction.def"
#undef GENIE_PLAN_INSTRUCTION
} genie_plan_opcode_t;

// One step of one place's list. The operands a..f by opcode:
//   LAUNCH  a kernel, b first slice in INDICES, c first dimension expression in INDICES, d grid expression,
//           e least tasks worth a thread of its own, f name of the module it comes from (string)
//   COPY    a source slice, b destination slice; both of the same bytes
//   SIGNAL  a event;  WAIT a event
//   SEND    a slice, b transfer;  RECEIVE a slice, b transfer
//   LIBRARY_CALL  as LAUNCH; a is a kernel that no target has code for, its template_name the library's function
typedef struct genie_plan_instruction {
  uint16_t opcode;  // instruction.def
  uint16_t stream;
  uint32_t place;
  uint32_t a, b, c, d, e, f;
} genie_plan_instruction_t;

typedef struct genie_plan_entry {
  uint32_t name;
  uint32_t first_symbol, symbol_count;
  uint32_t first_expr, expr_count;
  uint32_t first_input, input_count;    // INDICES: tensors
  uint32_t first_output, output_count;  // INDICES: tensors
  uint32_t first_instruction, instruction_count;
  uint32_t stream_count, event_count;
  uint32_t reserved[3];
} genie_plan_entry_t;

// One edge of the traffic contract: what crosses from place to place in one call of an entry. It has one SEND at its
// source and one RECEIVE at its destination.
typedef struct genie_plan_transfer {
  uint32_t entry;
  uint32_t source_place;
  uint32_t destination_place;
  uint32_t phase;  // string
  uint32_t name;   // string: the value that moves
  uint32_t bytes_expr;
} genie_plan_transfer_t;

// One variant of the code. A node takes the last variant whose requirement it meets.
typedef struct genie_plan_target {
  uint32_t name;         // "x86-64-v4"
  uint32_t device_kind;  // string
  uint32_t features;     // string: comma-separated CPU features that the code needs, as in /proc/cpuinfo
  uint32_t reserved;
  uint64_t code_offset;  // into CODE, a multiple of the page
  uint64_t code_bytes;
} genie_plan_target_t;

// No string of a plan has such a byte before its end: strings are printed.
static inline bool genie_plan_is_control(char c) {
  return (uint8_t)c < 0x20 || c == 0x7f;
}

_Static_assert(sizeof(genie_plan_section_t) == 56, "frozen layout");
_Static_assert(sizeof(genie_plan_header_t) <= GENIE_PLAN_HEADER_BYTES, "the section table fits the header page");
_Static_assert(sizeof(genie_plan_symbol_t) == 40, "frozen layout");
_Static_assert(sizeof(genie_plan_expr_t) == 24, "frozen layout");
_Static_assert(sizeof(genie_plan_place_t) == 32, "frozen layout");
_Static_assert(sizeof(genie_plan_tensor_t) == 40, "frozen layout");
_Static_assert(sizeof(genie_plan_slice_t) == 32, "frozen layout");
_Static_assert(sizeof(genie_plan_kernel_t) == 32, "frozen layout");
_Static_assert(sizeof(genie_plan_instruction_t) == 32, "frozen layout");
_Static_assert(sizeof(genie_plan_entry_t) == 64, "frozen layout");
_Static_assert(sizeof(genie_plan_transfer_t) == 24, "frozen layout");
_Static_assert(sizeof(genie_plan_target_t) == 32, "frozen layout");

#endif  // GENIE_RUNTIME_PLAN_FORMAT_H_
