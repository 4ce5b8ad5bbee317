// The SHA-256 of the files that a plan is compiled from, computed on a thread of its own while the compiler works.
#ifndef GENIE_COMPILER_SOURCE_DIGEST_H_
#define GENIE_COMPILER_SOURCE_DIGEST_H_

#include "runtime/base/status.h"

typedef struct genie_source_digest genie_source_digest_t;

enum { GENIE_SOURCE_DIGEST_MAX_FILES = 16 };

// Starts on the files `paths`, whose bytes count as one after another. The paths' text is borrowed until it is
// destroyed.
genie_status_t genie_source_digest_start(int path_count, const char *const *paths,
                                         genie_source_digest_t **out_digest) GENIE_MUST_USE;

// Waits for the digest, in hexadecimal. NOT_FOUND when a file cannot be read.
genie_status_t genie_source_digest_wait(genie_source_digest_t *digest, char out_hex[65]) GENIE_MUST_USE;

// Waits as well; accepts NULL.
void genie_source_digest_destroy(genie_source_digest_t *digest);

#endif  // GENIE_COMPILER_SOURCE_DIGEST_H_
