// The archive that torch.export.save writes: a ZIP whose members are stored, under one root folder.
//
// Members are named without that root ("models/model.json"). Not thread-safe. All bytes are hostile: every offset and
// size is checked against the file before it is used, and reads are bounded by the caller.
#ifndef GENIE_COMPILER_IMPORT_PT2_ARCHIVE_H_
#define GENIE_COMPILER_IMPORT_PT2_ARCHIVE_H_

#include "runtime/base/arena.h"

typedef struct genie_pt2_archive genie_pt2_archive_t;

typedef struct genie_pt2_member {
  const char *name;  // borrowed from the archive
  uint64_t size_bytes;
  uint64_t offset;  // of the payload in the file
} genie_pt2_member_t;

// Opens `path` and says what it is when it is no torch.export archive: DATA_LOSS for a truncated one, INVALID_ARGUMENT
// for a pickle or another file, UNIMPLEMENTED for TorchScript and for archives of PyTorch before 2.9.
genie_status_t genie_pt2_archive_open(const char *path, genie_pt2_archive_t **out_archive) GENIE_MUST_USE;
void genie_pt2_archive_close(genie_pt2_archive_t *archive);

// As given to genie_pt2_archive_open().
const char *genie_pt2_archive_path(const genie_pt2_archive_t *archive);

bool genie_pt2_archive_has(const genie_pt2_archive_t *archive, const char *name);

// The name of the only member "models/NAME.json", without folder and suffix. INVALID_ARGUMENT when there is none or
// several.
genie_status_t genie_pt2_archive_model_name(const genie_pt2_archive_t *archive, genie_arena_t *arena,
                                            const char **out_name) GENIE_MUST_USE;

// Where the payload of a stored member lies in the file. NOT_FOUND, or UNIMPLEMENTED when it is compressed.
genie_status_t genie_pt2_archive_locate(const genie_pt2_archive_t *archive, const char *name,
                                        genie_pt2_member_t *out_member) GENIE_MUST_USE;

// The content of a member of at most `limit_bytes`, in `arena`, with a terminating zero.
genie_status_t genie_pt2_archive_read(genie_pt2_archive_t *archive, const char *name, uint64_t limit_bytes,
                                      genie_arena_t *arena, char **out_bytes, size_t *out_length) GENIE_MUST_USE;

// `length` bytes of the file from `offset`, which a located member has vouched for.
genie_status_t genie_pt2_archive_read_at(const genie_pt2_archive_t *archive, uint64_t offset, size_t length,
                                         void *out_bytes) GENIE_MUST_USE;

#endif  // GENIE_COMPILER_IMPORT_PT2_ARCHIVE_H_
