// An opened plan: the verified records of a .gplan file, typed and in place.
//
// Opening verifies: whoever holds a genie_plan_t may follow every index in it without a check. All but the weights is
// read into memory, so a file that changes on disk afterwards cannot change what was verified; weights are read on
// demand. A plan is immutable and may be used by any number of threads; it is released with genie_plan_close() after
// all its users.
#ifndef GENIE_RUNTIME_PLAN_READER_H_
#define GENIE_RUNTIME_PLAN_READER_H_

#include <stdbool.h>

#include "genie/dtype.h"
#include "runtime/base/allocator.h"
#include "runtime/plan/format.h"

// What a plan must prove before it is accepted. Zero-initialised: a signature is checked only if the plan has one.
typedef struct genie_plan_options {
  bool is_signature_required;
  const char *trusted_keys_path;  // a file of Ed25519 public keys, PEM, or hex or base64 one a line, '#' starts a
                                  // comment; the plan must be signed by one of them. NULL: any signer.
} genie_plan_options_t;

// Where the weights of a plan come from when they are not beside its sections: a node's store.
typedef struct genie_plan_weight_source {
  void *self;
  // Reads `size_bytes` of WEIGHTS from byte `offset` of the section; within it. Any thread, several at a time.
  genie_status_t (*read)(void *self, uint64_t offset, uint64_t size_bytes, void *destination);
  // All of WEIGHTS in host memory, on 64 bytes, which outlives the plan's sessions and is not written while they live:
  // devices that can use it compute from there instead of from a copy. May be NULL, and may give NULL.
  const void *(*share)(void *self);
} genie_plan_weight_source_t;

// Read-only. Each section is a pointer and a count of records (of bytes for strings and code).
typedef struct genie_plan {
  const genie_plan_header_t *header;
  const uint8_t *manifest;  // header->manifest_bytes of it; see manifest.h
  const char *strings;
  const genie_plan_symbol_t *symbols;
  const genie_plan_expr_t *exprs;
  const genie_plan_place_t *places;
  const genie_plan_tensor_t *tensors;
  const genie_plan_slice_t *slices;
  const genie_plan_kernel_t *kernels;
  const uint32_t *indices;
  const genie_plan_instruction_t *instructions;
  const genie_plan_entry_t *entries;
  const genie_plan_transfer_t *transfers;
  const genie_plan_target_t *targets;
  const uint64_t *code_offsets;
  const uint8_t *code;
  const genie_plan_digest_t *weight_chunks;
  uint32_t string_bytes, symbol_count, expr_count, place_count, tensor_count, slice_count, kernel_count, index_count,
      instruction_count, entry_count, transfer_count, target_count, code_offset_count, weight_chunk_count;
  uint64_t code_bytes;
  uint64_t weights_offset;  // of WEIGHTS, from the file's start
  uint64_t weights_bytes;
  int file;                                  // open for reading, or -1 for a plan in memory
  const uint8_t *weights_memory;             // a plan in memory: its weights; else NULL
  genie_plan_weight_source_t weight_source;  // a plan in parts: its weights; else `read` is NULL
  genie_allocator_t allocator;
  void *storage;  // what `allocator` gave for the sections
} genie_plan_t;

// Opens, reads and verifies the plan at `path`. NOT_FOUND, DATA_LOSS (truncated or damaged), INVALID_ARGUMENT (no plan,
// or one that breaks a rule of the format), UNIMPLEMENTED (made by a newer Genie, or for more than this one can do),
// PERMISSION_DENIED (signature). `options` may be NULL. `allocator` is kept.
genie_status_t genie_plan_open(const char *path, const genie_plan_options_t *options, genie_allocator_t allocator,
                               genie_plan_t **out_plan) GENIE_MUST_USE;

// As genie_plan_open, from `size_bytes` at `bytes`, 8-byte aligned, which stay the caller's and outlive the plan.
genie_status_t genie_plan_open_memory(const void *bytes, uint64_t size_bytes, const genie_plan_options_t *options,
                                      genie_allocator_t allocator, genie_plan_t **out_plan) GENIE_MUST_USE;

// As genie_plan_open_memory, from the bytes before WEIGHTS alone (the header says how many: the last section's offset),
// which outlive the plan; weights are read from `source`, which is copied. INVALID_ARGUMENT when there are more or
// fewer bytes.
genie_status_t genie_plan_open_parts(const void *bytes, uint64_t size_bytes, const genie_plan_weight_source_t *source,
                                     const genie_plan_options_t *options, genie_allocator_t allocator,
                                     genie_plan_t **out_plan) GENIE_MUST_USE;

// Accepts NULL.
void genie_plan_close(genie_plan_t *plan);

// The string at byte `offset` of STRINGS; lives as long as the plan.
static inline const char *genie_plan_string(const genie_plan_t *plan, uint32_t offset) {
  return plan->strings + offset;
}

// Index of the entry of this name; of entry 0 when `name` is NULL or "". NOT_FOUND lists the entries that exist.
genie_status_t genie_plan_find_entry(const genie_plan_t *plan, const char *name, uint32_t *out_entry) GENIE_MUST_USE;

// Position of the named tensor among the entry's inputs or outputs. NOT_FOUND lists the names that exist.
genie_status_t genie_plan_find_input(const genie_plan_t *plan, uint32_t entry, const char *name,
                                     uint32_t *out_position) GENIE_MUST_USE;
genie_status_t genie_plan_find_output(const genie_plan_t *plan, uint32_t entry, const char *name,
                                      uint32_t *out_position) GENIE_MUST_USE;

// The tensor at `position` of the entry's inputs or outputs, as an index into `tensors`.
static inline uint32_t genie_plan_input(const genie_plan_t *plan, uint32_t entry, uint32_t position) {
  return plan->indices[plan->entries[entry].first_input + position];
}
static inline uint32_t genie_plan_output(const genie_plan_t *plan, uint32_t entry, uint32_t position) {
  return plan->indices[plan->entries[entry].first_output + position];
}

// The last target of `device_kind` whose features are all among the comma-separated `features`. FAILED_PRECONDITION
// names what the device lacks.
genie_status_t genie_plan_select_target(const genie_plan_t *plan, const char *device_kind, const char *features,
                                        uint32_t *out_target) GENIE_MUST_USE;

// Offsets of all kernels in a target's blob: `kernel_count` of them.
static inline const uint64_t *genie_plan_code_offsets(const genie_plan_t *plan, uint32_t target) {
  return plan->code_offsets + (uint64_t)target * plan->kernel_count;
}

// Reads `size_bytes` of WEIGHTS from byte `offset` of the section into `destination`. DATA_LOSS when the file shrank.
genie_status_t genie_plan_read_weights(const genie_plan_t *plan, uint64_t offset, uint64_t size_bytes,
                                       void *destination) GENIE_MUST_USE;

// Compares every weight chunk with its hash: reads the whole section. DATA_LOSS names the first chunk that differs.
genie_status_t genie_plan_verify_weights(const genie_plan_t *plan) GENIE_MUST_USE;

// Sets is_needed[chunk] of `weight_chunk_count` for each chunk of WEIGHTS that holds bytes of a weight of `place`;
// leaves the others.
void genie_plan_mark_weight_chunks(const genie_plan_t *plan, uint32_t place, bool *is_needed);

// OUT_OF_RANGE names a symbol of `entry` whose value is outside its range or no multiple of what it must be;
// INVALID_ARGUMENT: `count` is not their number.
genie_status_t genie_plan_check_symbols(const genie_plan_t *plan, uint32_t entry, const int64_t *symbol_values,
                                        uint32_t count) GENIE_MUST_USE;

// Values of all expressions that `entry` may use, from its symbols' values (in order, within their ranges): writes
// out_values[i] for expression i. `out_values` has room for `expr_count` numbers; those of other entries stay
// untouched.
void genie_plan_evaluate(const genie_plan_t *plan, uint32_t entry, const int64_t *symbol_values, int64_t *out_values);

// As genie_plan_evaluate, with the symbols taken from the dimensions of the bound inputs: input_dims[position][dim], as
// many as the tensor's rank. INVALID_ARGUMENT names the input and dimension that is out of range or differs from its
// expression. Allocates nothing unless it fails.
genie_status_t genie_plan_bind(const genie_plan_t *plan, uint32_t entry, const int64_t *const *input_dims,
                               int64_t *out_values) GENIE_MUST_USE;

#endif  // GENIE_RUNTIME_PLAN_READER_H_
