// Writes a plan: records are collected in memory, weights stream to disk, and the file appears under its name whole or
// not at all.
//
// The order of calls is: append() and add_string() as often as needed, begin(), write_weights() for all weights in
// order, finish(). The same calls give the same bytes. A writer belongs to one thread.
#ifndef GENIE_RUNTIME_PLAN_WRITER_H_
#define GENIE_RUNTIME_PLAN_WRITER_H_

#include "runtime/base/allocator.h"
#include "runtime/plan/format.h"

typedef struct genie_plan_writer genie_plan_writer_t;

// `allocator` is kept.
genie_status_t genie_plan_writer_create(genie_allocator_t allocator, genie_plan_writer_t **out_writer) GENIE_MUST_USE;

// Removes an unfinished file. Accepts NULL.
void genie_plan_writer_destroy(genie_plan_writer_t *writer);

// The offset of `text` in STRINGS; equal strings are stored once. INVALID_ARGUMENT for control characters.
// RESOURCE_EXHAUSTED past 4 GiB.
genie_status_t genie_plan_writer_add_string(genie_plan_writer_t *writer, const char *text, size_t length,
                                            uint32_t *out_offset) GENIE_MUST_USE;

// Appends `count` records of the section's type (bytes for CODE); `out_first`, which may be NULL, gets the index of the
// first. Records are copied.
genie_status_t genie_plan_writer_append(genie_plan_writer_t *writer, genie_plan_section_kind_t section,
                                        const void *records, uint64_t count, uint64_t *out_first) GENIE_MUST_USE;

// Pads a section with zero bytes to a multiple of `alignment` bytes (CODE: a target's blob starts on a page).
genie_status_t genie_plan_writer_align(genie_plan_writer_t *writer, genie_plan_section_kind_t section,
                                       uint64_t alignment) GENIE_MUST_USE;

// The record at `index`, to be completed in place; valid until the next append to its section.
void *genie_plan_writer_record(genie_plan_writer_t *writer, genie_plan_section_kind_t section, uint64_t index);

// Ends the records; opens a temporary file beside `path`. `manifest` are the bytes of a Manifest message.
// INVALID_ARGUMENT when `path` is something other than a file; PERMISSION_DENIED or NOT_FOUND when its folder cannot be
// written.
genie_status_t genie_plan_writer_begin(genie_plan_writer_t *writer, const char *path, const void *manifest,
                                       uint64_t manifest_bytes, uint64_t weights_bytes) GENIE_MUST_USE;

// The next bytes of WEIGHTS. RESOURCE_EXHAUSTED when the disk is full.
genie_status_t genie_plan_writer_write_weights(genie_plan_writer_t *writer, const void *bytes,
                                               uint64_t size_bytes) GENIE_MUST_USE;

// Zero bytes of WEIGHTS up to `offset`.
genie_status_t genie_plan_writer_pad_weights(genie_plan_writer_t *writer, uint64_t offset) GENIE_MUST_USE;

// Writes the records and the header, signs it when `signing_key` (a PEM file) is not NULL, and renames the file.
genie_status_t genie_plan_writer_finish(genie_plan_writer_t *writer, const char *signing_key,
                                        uint64_t *out_file_bytes) GENIE_MUST_USE;

#endif  // GENIE_RUNTIME_PLAN_WRITER_H_
