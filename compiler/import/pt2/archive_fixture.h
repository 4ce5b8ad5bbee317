// Archives for tests, written as torch.export.save writes them: one root folder, members stored.
#ifndef GENIE_COMPILER_IMPORT_PT2_ARCHIVE_FIXTURE_H_
#define GENIE_COMPILER_IMPORT_PT2_ARCHIVE_FIXTURE_H_

#include <stdbool.h>
#include <stddef.h>

typedef struct genie_pt2_fixture_member {
  const char *name;   // with the root folder
  const void *bytes;  // NULL ends a list
  size_t length;      // 0: a string
  bool is_compressed;
} genie_pt2_fixture_member_t;

// Writes the members to a new file under the working directory and returns its path, which the caller removes and
// frees.
char *genie_pt2_fixture_write(const genie_pt2_fixture_member_t *members);

// An archive with these JSON texts and `weight_0` of `weight_bytes`; NULL leaves a member out.
char *genie_pt2_fixture_write_model(const char *model, const char *weights, const void *weight, size_t weight_bytes);

// A new file of `length` bytes.
char *genie_pt2_fixture_write_bytes(const void *bytes, size_t length);

// The content of a file; the caller frees it.
void *genie_pt2_fixture_read(const char *path, size_t *out_length);

void genie_pt2_fixture_remove(char *path);

#endif  // GENIE_COMPILER_IMPORT_PT2_ARCHIVE_FIXTURE_H_
