// A file that appears under its name whole or not at all.
#ifndef GENIE_RUNTIME_BASE_OUTPUT_FILE_H_
#define GENIE_RUNTIME_BASE_OUTPUT_FILE_H_

#include "runtime/base/status.h"

// In the caller's memory; one thread. Deinitialising without a commit leaves nothing behind.
typedef struct genie_output_file {
  const char *path;   // borrowed
  int file;           // -1: closed
  bool is_temporary;  // written beside `path` and renamed; a pipe or device is written in place
  char temporary_path[4096];
} genie_output_file_t;

// PERMISSION_DENIED, NOT_FOUND: the folder; INVALID_ARGUMENT: `path` is a folder.
genie_status_t genie_output_file_init(const char *path, genie_output_file_t *out_file) GENIE_MUST_USE;

// RESOURCE_EXHAUSTED: the disk is full or a limit of the system is reached.
genie_status_t genie_output_file_write(genie_output_file_t *file, const void *bytes,
                                       uint64_t size_bytes) GENIE_MUST_USE;

// Makes the file appear; then only deinit is left to call.
genie_status_t genie_output_file_commit(genie_output_file_t *file) GENIE_MUST_USE;

void genie_output_file_deinit(genie_output_file_t *file);

#endif  // GENIE_RUNTIME_BASE_OUTPUT_FILE_H_
