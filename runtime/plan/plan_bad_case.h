// Plans that must be refused, each breaking one rule of docs/plan-format.md: for the verifier's test and the corpus.
#ifndef GENIE_RUNTIME_PLAN_PLAN_BAD_CASE_H_
#define GENIE_RUNTIME_PLAN_PLAN_BAD_CASE_H_

#include "runtime/plan/plan_example.h"

typedef struct genie_plan_bad_case {
  const char *what;  // "slice-past-slab": the file is <status>-<what>.gplan
  genie_status_code_t status;
  const char *message;                                   // what the message contains
  void (*change)(genie_plan_example_t *example);         // before writing; may be NULL
  void (*damage)(uint8_t *bytes, uint64_t *size_bytes);  // after writing; may be NULL. Keeps the hashes as they are.
  bool has_places;                                       // of the example with places
} genie_plan_bad_case_t;

extern const genie_plan_bad_case_t genie_plan_bad_case_table[];
extern const int genie_plan_bad_case_count;

// The bytes of a case's plan, from the heap; the caller frees them. `folder` is a folder to work in.
genie_status_t genie_plan_bad_case_make(const genie_plan_bad_case_t *bad, const char *folder, uint8_t **out_bytes,
                                        uint64_t *out_size_bytes) GENIE_MUST_USE;

// Reads a whole file into memory from the heap, 64-byte aligned; the caller frees it.
genie_status_t genie_plan_example_read(const char *path, uint8_t **out_bytes, uint64_t *out_size_bytes) GENIE_MUST_USE;

// "invalid_argument-slice-past-slab.gplan".
void genie_plan_bad_case_file_name(const genie_plan_bad_case_t *bad, size_t capacity, char *out_name);

#endif  // GENIE_RUNTIME_PLAN_PLAN_BAD_CASE_H_
