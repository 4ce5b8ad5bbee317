// Whole files of text, written so that no partial one is ever seen.
#ifndef GENIE_COMPILER_TEXT_FILE_H_
#define GENIE_COMPILER_TEXT_FILE_H_

#include "runtime/base/status.h"

// Writes `length` bytes to `path` through a temporary file beside it, or to stdout when `path` is NULL or "-".
// PERMISSION_DENIED, NOT_FOUND or RESOURCE_EXHAUSTED with the path and the system's reason.
genie_status_t genie_text_file_write(const char *path, const char *text, size_t length) GENIE_MUST_USE;

#endif  // GENIE_COMPILER_TEXT_FILE_H_
