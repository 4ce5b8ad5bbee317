#include "compiler/import/pt2/archive.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zip.h>

#include "runtime/base/status.h"

// libzip reads members and checks their sums; it does not tell where a payload lies, so the central directory (PKWARE
// APPNOTE 4.3.12) is read here for the offsets of the local headers.
enum {
  END_BYTES = 22,
  LOCATOR64_BYTES = 20,
  END64_BYTES = 56,
  CENTRAL_BYTES = 46,
  LOCAL_BYTES = 30,
  MAX_COMMENT_BYTES = 65535,
  MAX_DIRECTORY_BYTES = 64 << 20,
  MAX_MEMBERS = 1 << 20,
  MAX_MODEL_NAME_BYTES = 200,
};

typedef struct entry {
  const char *name;  // without the root
  uint64_t size_bytes, header_offset;
  uint16_t method;
} entry_t;

struct genie_pt2_archive {
  char *path;
  int descriptor;
  uint64_t file_bytes;
  zip_t *zip;
  genie_arena_t arena;
  char root[256];    // "model/"
  entry_t *entries;  // sorted by name
  size_t entry_count;
};

static uint16_t load16(const uint8_t *p) {
  return (uint16_t)(p[0] | p[1] << 8);
}
static uint32_t load32(const uint8_t *p) {
  return load16(p) | (uint32_t)load16(p + 2) << 16;
}
static uint64_t load64(const uint8_t *p) {
  return load32(p) | (uint64_t)load32(p + 4) << 32;
}

static genie_status_t damaged(const genie_pt2_archive_t *archive, const char *what) {
  return genie_status_make(GENIE_STATUS_DATA_LOSS, "%s: truncated or damaged archive (%s); export the model again",
                           archive->path, what);
}

genie_status_t genie_pt2_archive_read_at(const genie_pt2_archive_t *archive, uint64_t offset, size_t length,
                                         void *out_bytes) {
  if (offset > archive->file_bytes || length > archive->file_bytes - offset) {
    return damaged(archive, "it ends early");
  }
  for (size_t done = 0; done < length;) {
    const ssize_t got = pread(archive->descriptor, (char *)out_bytes + done, length - done, (off_t)(offset + done));
    if (got < 0 && errno == EINTR) {
      continue;
    }
    if (got <= 0) {
      return got < 0
                 ? genie_status_make(GENIE_STATUS_DATA_LOSS, "%s: cannot be read: %s", archive->path, strerror(errno))
                 : damaged(archive, "it shrank while it was read");
    }
    done += (size_t)got;
  }
  return GENIE_OK;
}

// Finds the end record and reads where the central directory lies.
static genie_status_t directory_find(const genie_pt2_archive_t *archive, uint64_t *out_offset, uint64_t *out_bytes,
                                     uint64_t *out_count) {
  const uint64_t tail_bytes =
      archive->file_bytes < END_BYTES + MAX_COMMENT_BYTES ? archive->file_bytes : END_BYTES + MAX_COMMENT_BYTES;
  uint8_t *tail = malloc(tail_bytes + 1);
  if (tail == NULL) {
    return genie_status_make(GENIE_STATUS_RESOURCE_EXHAUSTED, "%s: no memory", archive->path);
  }
  const uint64_t tail_offset = archive->file_bytes - tail_bytes;
  genie_status_t status = genie_pt2_archive_read_at(archive, tail_offset, tail_bytes, tail);
  int64_t end = status == GENIE_OK ? (int64_t)tail_bytes - END_BYTES : -1;
  while (end >= 0 && load32(tail + end) != 0x06054b50) {
    --end;
  }
  if (status == GENIE_OK && end < 0) {
    status = damaged(archive, "no directory at its end");
  }
  if (status == GENIE_OK) {
    *out_count = load16(tail + end + 10);
    *out_bytes = load32(tail + end + 12);
    *out_offset = load32(tail + end + 16);
    if (*out_count == UINT16_MAX || *out_bytes == UINT32_MAX || *out_offset == UINT32_MAX) {
      uint8_t locator[LOCATOR64_BYTES], end64[END64_BYTES];
      const uint64_t end_offset = tail_offset + (uint64_t)end;
      if (end_offset < LOCATOR64_BYTES) {
        status = damaged(archive, "no 64-bit directory");
      } else {
        status = genie_pt2_archive_read_at(archive, end_offset - LOCATOR64_BYTES, sizeof locator, locator);
      }
      // A plain archive may hold exactly 65535 members; without a locator the 32-bit fields stand.
      if (status == GENIE_OK && load32(locator) == 0x07064b50) {
        status = genie_pt2_archive_read_at(archive, load64(locator + 8), sizeof end64, end64);
        if (status == GENIE_OK && load32(end64) != 0x06064b50) {
          status = damaged(archive, "no 64-bit directory");
        } else if (status == GENIE_OK) {
          *out_count = load64(end64 + 32);
          *out_bytes = load64(end64 + 40);
          *out_offset = load64(end64 + 48);
        }
      }
    }
  }
  free(tail);
  return status;
}

// Replaces the fields of a central record that are saturated by those of its 64-bit extra field (tag 1).
static void entry_widen(const uint8_t *extra, size_t extra_bytes, bool has_wide_packed, entry_t *entry) {
  for (size_t at = 0; at + 4 <= extra_bytes;) {
    const size_t size = load16(extra + at + 2), next = at + 4 + size;
    if (next > extra_bytes) {
      return;
    }
    if (load16(extra + at) == 1) {
      size_t field = at + 4;
      if (entry->size_bytes == UINT32_MAX && field + 8 <= next) {
        entry->size_bytes = load64(extra + field);
        field += 8;
      }
      field += has_wide_packed ? 8 : 0;
      if (entry->header_offset == UINT32_MAX && field + 8 <= next) {
        entry->header_offset = load64(extra + field);
      }
      return;
    }
    at = next;
  }
}

static int entry_compare(const void *a, const void *b) {
  return strcmp(((const entry_t *)a)->name, ((const entry_t *)b)->name);
}

static genie_status_t directory_parse(genie_pt2_archive_t *archive, const uint8_t *directory, uint64_t directory_bytes,
                                      uint64_t count) {
  void *entries;
  GENIE_RETURN_IF_ERROR(genie_arena_allocate(&archive->arena, count, sizeof(entry_t), &entries));
  archive->entries = entries;
  for (uint64_t i = 0, at = 0; i < count; ++i) {
    if (directory_bytes - at < CENTRAL_BYTES || load32(directory + at) != 0x02014b50) {
      return damaged(archive, "its directory is broken");
    }
    const uint8_t *record = directory + at;
    const size_t name_bytes = load16(record + 28), extra_bytes = load16(record + 30),
                 comment_bytes = load16(record + 32);
    if (directory_bytes - at - CENTRAL_BYTES < name_bytes + extra_bytes + comment_bytes) {
      return damaged(archive, "its directory is broken");
    }
    entry_t entry = {
        .size_bytes = load32(record + 24), .header_offset = load32(record + 42), .method = load16(record + 10)};
    entry_widen(record + CENTRAL_BYTES + name_bytes, extra_bytes, load32(record + 20) == UINT32_MAX, &entry);
    const char *full_name = (const char *)record + CENTRAL_BYTES;
    if (memchr(full_name, '\0', name_bytes) != NULL) {
      return damaged(archive, "a member's name holds a zero byte");
    }
    if (i == 0) {
      const char *slash = memchr(full_name, '/', name_bytes);
      const size_t root_bytes = slash != NULL ? (size_t)(slash + 1 - full_name) : 0;
      if (root_bytes >= sizeof archive->root) {
        return damaged(archive, "its folder's name is too long");
      }
      memcpy(archive->root, full_name, root_bytes);
    }
    const size_t root_bytes = strlen(archive->root);
    const size_t skipped =
        name_bytes >= root_bytes && memcmp(full_name, archive->root, root_bytes) == 0 ? root_bytes : 0;
    char *name;
    GENIE_RETURN_IF_ERROR(genie_arena_copy_string(&archive->arena, full_name + skipped, name_bytes - skipped, &name));
    entry.name = name;
    archive->entries[archive->entry_count++] = entry;
    at += CENTRAL_BYTES + name_bytes + extra_bytes + comment_bytes;
  }
  qsort(archive->entries, archive->entry_count, sizeof(entry_t), entry_compare);
  for (size_t i = 1; i < archive->entry_count; ++i) {
    if (strcmp(archive->entries[i - 1].name, archive->entries[i].name) == 0) {
      return damaged(archive, "two members have one name");
    }
  }
  return GENIE_OK;
}

static genie_status_t directory_read(genie_pt2_archive_t *archive) {
  uint64_t offset, bytes, count;
  GENIE_RETURN_IF_ERROR(directory_find(archive, &offset, &bytes, &count));
  if (bytes > MAX_DIRECTORY_BYTES || count > MAX_MEMBERS || count > bytes / CENTRAL_BYTES) {
    return damaged(archive, "its directory is too large");
  }
  uint8_t *directory = malloc(bytes + 1);
  if (directory == NULL) {
    return genie_status_make(GENIE_STATUS_RESOURCE_EXHAUSTED, "%s: no memory", archive->path);
  }
  genie_status_t status = genie_pt2_archive_read_at(archive, offset, bytes, directory);
  if (status == GENIE_OK) {
    status = directory_parse(archive, directory, bytes, count);
  }
  free(directory);
  return status;
}

static const entry_t *entry_find(const genie_pt2_archive_t *archive, const char *name) {
  const entry_t key = {.name = name};
  return archive->entry_count == 0 ? NULL
                                   : bsearch(&key, archive->entries, archive->entry_count, sizeof key, entry_compare);
}

bool genie_pt2_archive_has(const genie_pt2_archive_t *archive, const char *name) {
  return entry_find(archive, name) != NULL;
}

const char *genie_pt2_archive_path(const genie_pt2_archive_t *archive) {
  return archive->path;
}

// Says what a file without the right first bytes is.
static genie_status_t identify_foreign(const genie_pt2_archive_t *archive) {
  uint8_t head[8] = {0};
  const size_t length = archive->file_bytes < sizeof head ? archive->file_bytes : sizeof head;
  GENIE_RETURN_IF_ERROR(genie_pt2_archive_read_at(archive, 0, length, head));
  if (memcmp(head, "PK\3\4", 4) == 0 || memcmp(head, "PK\5\6", 4) == 0) {
    return GENIE_OK;
  }
  if (head[0] == 0x80 && head[1] <= 5) {
    return genie_status_make(GENIE_STATUS_INVALID_ARGUMENT,
                             "%s: is a pickle (torch.save), which holds Python code and no graph; save an export: "
                             "torch.export.save(torch.export.export(model, args), 'model.pt2')",
                             archive->path);
  }
  return genie_status_make(GENIE_STATUS_INVALID_ARGUMENT,
                           "%s: is no torch.export archive (%s); make one with torch.export.save or genie.export",
                           archive->path, archive->file_bytes == 0 ? "it is empty" : "no ZIP header");
}

// Says what an archive of another kind is.
static genie_status_t identify_archive(genie_pt2_archive_t *archive) {
  if (genie_pt2_archive_has(archive, "archive_format")) {
    char *format;
    size_t length;
    GENIE_RETURN_IF_ERROR(genie_pt2_archive_read(archive, "archive_format", 64, &archive->arena, &format, &length));
    if (strncmp(format, "pt2", 3) != 0) {
      return genie_status_make(GENIE_STATUS_UNIMPLEMENTED, "%s: archive format '%.16s' is unknown; pt2 is read",
                               archive->path, format);
    }
    return GENIE_OK;
  }
  if (genie_pt2_archive_has(archive, "serialized_exported_program.json") ||
      strcmp(archive->root, "serialized_exported_program.json") == 0) {
    return genie_status_make(
        GENIE_STATUS_UNIMPLEMENTED,
        "%s: export archive of PyTorch before 2.9; export the model again with PyTorch 2.9 to 2.14", archive->path);
  }
  if (genie_pt2_archive_has(archive, "constants.pkl")) {
    return genie_status_make(
        GENIE_STATUS_UNIMPLEMENTED,
        "%s: is TorchScript; export the Python model with torch.export (python -m genie.export) and "
        "compile that",
        archive->path);
  }
  if (genie_pt2_archive_has(archive, "data.pkl")) {
    return genie_status_make(
        GENIE_STATUS_INVALID_ARGUMENT,
        "%s: is a pickled module or state dict (torch.save), which holds no graph; save an export: "
        "torch.export.save(torch.export.export(model, args), 'model.pt2')",
        archive->path);
  }
  return genie_status_make(GENIE_STATUS_INVALID_ARGUMENT,
                           "%s: is a ZIP but no torch.export archive (no archive_format)", archive->path);
}

static genie_status_t check_byte_order(genie_pt2_archive_t *archive) {
  if (!genie_pt2_archive_has(archive, "byteorder")) {
    return GENIE_OK;
  }
  char *order;
  size_t length;
  GENIE_RETURN_IF_ERROR(genie_pt2_archive_read(archive, "byteorder", 64, &archive->arena, &order, &length));
  return strncmp(order, "little", 6) == 0
             ? GENIE_OK
             : genie_status_make(GENIE_STATUS_UNIMPLEMENTED,
                                 "%s: weights in '%.16s' byte order; export on a little-endian machine", archive->path,
                                 order);
}

static genie_status_t archive_load(genie_pt2_archive_t *archive) {
  archive->descriptor = open(archive->path, O_RDONLY | O_CLOEXEC);
  struct stat info;
  if (archive->descriptor < 0 || fstat(archive->descriptor, &info) != 0) {
    return genie_status_make(GENIE_STATUS_NOT_FOUND, "%s: cannot be opened: %s", archive->path, strerror(errno));
  }
  if (!S_ISREG(info.st_mode)) {
    return genie_status_make(GENIE_STATUS_INVALID_ARGUMENT, "%s: is no regular file", archive->path);
  }
  archive->file_bytes = (uint64_t)info.st_size;
  GENIE_RETURN_IF_ERROR(identify_foreign(archive));
  GENIE_RETURN_IF_ERROR(directory_read(archive));
  int error;
  archive->zip = zip_open(archive->path, ZIP_RDONLY, &error);
  if (archive->zip == NULL) {
    zip_error_t text;
    zip_error_init_with_code(&text, error);
    const genie_status_t status = damaged(archive, zip_error_strerror(&text));
    zip_error_fini(&text);
    return status;
  }
  GENIE_RETURN_IF_ERROR(identify_archive(archive));
  return check_byte_order(archive);
}

genie_status_t genie_pt2_archive_open(const char *path, genie_pt2_archive_t **out_archive) {
  genie_pt2_archive_t *archive = calloc(1, sizeof *archive);
  if (archive == NULL) {
    return genie_status_make(GENIE_STATUS_RESOURCE_EXHAUSTED, "%s: no memory", path);
  }
  archive->descriptor = -1;
  genie_arena_init(genie_allocator_heap(), 256u << 20, &archive->arena);
  char *path_copy = NULL;
  genie_status_t status = genie_arena_copy_string(&archive->arena, path, strlen(path), &path_copy);
  archive->path = path_copy;
  if (status == GENIE_OK) {
    status = archive_load(archive);
  }
  if (status != GENIE_OK) {
    genie_pt2_archive_close(archive);
    return status;
  }
  *out_archive = archive;
  return GENIE_OK;
}

void genie_pt2_archive_close(genie_pt2_archive_t *archive) {
  if (archive == NULL) {
    return;
  }
  if (archive->zip != NULL) {
    zip_discard(archive->zip);
  }
  if (archive->descriptor >= 0) {
    close(archive->descriptor);
  }
  genie_arena_deinit(&archive->arena);
  free(archive);
}

genie_status_t genie_pt2_archive_model_name(const genie_pt2_archive_t *archive, genie_arena_t *arena,
                                            const char **out_name) {
  static const char folder[] = "models/", suffix[] = ".json";
  enum { FOLDER_BYTES = sizeof folder - 1, SUFFIX_BYTES = sizeof suffix - 1 };
  const char *found = NULL;
  for (size_t i = 0; i < archive->entry_count; ++i) {
    const char *name = archive->entries[i].name;
    const size_t length = strlen(name);
    if (length <= FOLDER_BYTES + SUFFIX_BYTES || length > MAX_MODEL_NAME_BYTES ||
        memcmp(name, folder, FOLDER_BYTES) != 0 || strcmp(name + length - SUFFIX_BYTES, suffix) != 0) {
      continue;
    }
    if (found != NULL) {
      return genie_status_make(
          GENIE_STATUS_UNIMPLEMENTED,
          "%s: holds several models; save each in an archive of its own and give --entry=NAME=FILE", archive->path);
    }
    found = name;
  }
  if (found == NULL) {
    return genie_status_make(GENIE_STATUS_INVALID_ARGUMENT,
                             "%s: holds no graph (models/*.json); an AOTInductor package "
                             "cannot be read back, save the export itself",
                             archive->path);
  }
  char *name;
  GENIE_RETURN_IF_ERROR(
      genie_arena_copy_string(arena, found + FOLDER_BYTES, strlen(found) - FOLDER_BYTES - SUFFIX_BYTES, &name));
  *out_name = name;
  return GENIE_OK;
}

genie_status_t genie_pt2_archive_locate(const genie_pt2_archive_t *archive, const char *name,
                                        genie_pt2_member_t *out_member) {
  const entry_t *entry = entry_find(archive, name);
  if (entry == NULL) {
    return genie_status_make(GENIE_STATUS_NOT_FOUND, "%s: member '%.120s' is missing; export the model again",
                             archive->path, name);
  }
  if (entry->method != ZIP_CM_STORE) {
    return genie_status_make(GENIE_STATUS_UNIMPLEMENTED,
                             "%s: member '%.120s' is compressed; keep the archive as torch.export.save wrote it",
                             archive->path, name);
  }
  uint8_t header[LOCAL_BYTES];
  GENIE_RETURN_IF_ERROR(genie_pt2_archive_read_at(archive, entry->header_offset, sizeof header, header));
  if (load32(header) != 0x04034b50) {
    return damaged(archive, "a member's header is broken");
  }
  const uint64_t offset = entry->header_offset + LOCAL_BYTES + load16(header + 26) + load16(header + 28);
  if (offset > archive->file_bytes || entry->size_bytes > archive->file_bytes - offset) {
    return damaged(archive, "a member reaches beyond its end");
  }
  *out_member = (genie_pt2_member_t){.name = entry->name, .size_bytes = entry->size_bytes, .offset = offset};
  return GENIE_OK;
}

genie_status_t genie_pt2_archive_read(genie_pt2_archive_t *archive, const char *name, uint64_t limit_bytes,
                                      genie_arena_t *arena, char **out_bytes, size_t *out_length) {
  char full_name[PATH_MAX];
  snprintf(full_name, sizeof full_name, "%s%s", archive->root, name);
  zip_stat_t info;
  if (!genie_pt2_archive_has(archive, name) || zip_stat(archive->zip, full_name, 0, &info) != 0 ||
      !(info.valid & ZIP_STAT_SIZE)) {
    return genie_status_make(GENIE_STATUS_NOT_FOUND, "%s: member '%.120s' is missing; export the model again",
                             archive->path, name);
  }
  if (info.size > limit_bytes) {
    return genie_status_make(GENIE_STATUS_OUT_OF_RANGE,
                             "%s: member '%.120s' has %llu bytes, more than the %llu that are read", archive->path,
                             name, (unsigned long long)info.size, (unsigned long long)limit_bytes);
  }
  void *bytes;
  GENIE_RETURN_IF_ERROR(genie_arena_allocate(arena, info.size + 1, 1, &bytes));
  zip_file_t *file = zip_fopen(archive->zip, full_name, 0);
  const zip_int64_t got = file != NULL ? zip_fread(file, bytes, info.size) : -1;
  // The sum of a member is compared when its end is reached, which takes a read beyond it.
  char beyond;
  const bool is_whole = got == (zip_int64_t)info.size && zip_fread(file, &beyond, 1) == 0;
  if (file != NULL) {
    zip_fclose(file);
  }
  if (!is_whole) {
    return damaged(archive, "a member's content does not match its checksum");
  }
  *out_bytes = bytes;
  *out_length = info.size;
  return GENIE_OK;
}
