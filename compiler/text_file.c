#include "compiler/text_file.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static genie_status_t failure(const char *path, int error) {
  const genie_status_code_t code = error == ENOSPC || error == EDQUOT ? GENIE_STATUS_RESOURCE_EXHAUSTED
                                   : error == ENOENT                  ? GENIE_STATUS_NOT_FOUND
                                                                      : GENIE_STATUS_PERMISSION_DENIED;
  return genie_status_make(code, "%s: cannot be written: %s", path, strerror(error));
}

static genie_status_t write_stdout(const char *text, size_t length) {
  if (fwrite(text, 1, length, stdout) != length || fflush(stdout) != 0) {
    return failure("stdout", errno);
  }
  return GENIE_OK;
}

// A device or pipe is written to, never replaced by a file of its name.
static genie_status_t write_in_place(const char *path, const char *text, size_t length) {
  FILE *file = fopen(path, "wb");
  if (file == NULL) {
    return failure(path, errno);
  }
  const bool is_written = fwrite(text, 1, length, file) == length;
  const int error = errno;
  if (fclose(file) != 0) {
    return failure(path, errno);
  }
  return is_written ? GENIE_OK : failure(path, error);
}

genie_status_t genie_text_file_write(const char *path, const char *text, size_t length) {
  if (path == NULL || strcmp(path, "-") == 0) {
    return write_stdout(text, length);
  }
  struct stat existing;
  if (stat(path, &existing) == 0 && !S_ISREG(existing.st_mode)) {
    return write_in_place(path, text, length);
  }
  char temporary[PATH_MAX];
  if (snprintf(temporary, sizeof temporary, "%s.XXXXXX", path) >= (int)sizeof temporary) {
    return failure(path, ENAMETOOLONG);
  }
  const int descriptor = mkstemp(temporary);
  if (descriptor < 0) {
    return failure(path, errno);
  }
  FILE *file = fdopen(descriptor, "wb");
  int error = 0;
  if (fwrite(text, 1, length, file) != length) {
    error = errno;
  }
  if (fclose(file) != 0 && error == 0) {
    error = errno;
  }
  if (error == 0 && (chmod(temporary, 0644) != 0 || rename(temporary, path) != 0)) {
    error = errno;
  }
  if (error != 0) {
    unlink(temporary);
    return failure(path, error);
  }
  return GENIE_OK;
}
