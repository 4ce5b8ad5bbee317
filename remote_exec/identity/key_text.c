#include "remote_exec/identity/key_text.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { kOthersMayWrite = 022 };

static bool is_blank(char c) {
  return c == ' ' || c == '\t' || c == '\r';
}

void genie_key_lines_init(const char *text, size_t bytes, genie_key_lines_t *out_lines) {
  *out_lines = (genie_key_lines_t){.cursor = text, .end = bytes > 0 ? text + bytes : text};
}

static genie_key_word_t strip(const char *begin, const char *end) {
  for (const char *c = begin; c < end; ++c) {
    if (*c == '#') {
      end = c;
    }
  }
  while (begin < end && is_blank(*begin)) {
    ++begin;
  }
  while (begin < end && is_blank(end[-1])) {
    --end;
  }
  return (genie_key_word_t){.text = begin, .length = (size_t)(end - begin)};
}

bool genie_key_lines_next(genie_key_lines_t *lines, genie_key_word_t *out_line) {
  while (lines->cursor < lines->end) {
    const char *end = memchr(lines->cursor, '\n', (size_t)(lines->end - lines->cursor));
    end = end != NULL ? end : lines->end;
    *out_line = strip(lines->cursor, end);
    lines->cursor = end < lines->end ? end + 1 : end;
    ++lines->number;
    if (out_line->length > 0) {
      return true;
    }
  }
  return false;
}

genie_key_word_t genie_key_word_take(genie_key_word_t *line) {
  genie_key_word_t word = {.text = line->text};
  while (word.length < line->length && !is_blank(line->text[word.length])) {
    ++word.length;
  }
  size_t next = word.length;
  while (next < line->length && is_blank(line->text[next])) {
    ++next;
  }
  line->text += next;
  line->length -= next;
  return word;
}

bool genie_key_word_is(genie_key_word_t word, const char *text) {
  return strlen(text) == word.length && memcmp(word.text, text, word.length) == 0;
}

static genie_status_t check_file(int file, const char *path, size_t max_bytes, size_t *out_bytes) {
  struct stat info;
  if (fstat(file, &info) != 0 || !S_ISREG(info.st_mode)) {
    return genie_status_make(GENIE_STATUS_INVALID_ARGUMENT, "%s: is no regular file", path);
  }
  if ((info.st_mode & kOthersMayWrite) != 0) {
    return genie_status_make(GENIE_STATUS_PERMISSION_DENIED, "%s: others may write it: chmod go-w it", path);
  }
  if ((uint64_t)info.st_size > max_bytes) {
    return genie_status_make(GENIE_STATUS_OUT_OF_RANGE, "%s: has more than %zu bytes", path, max_bytes);
  }
  *out_bytes = (size_t)info.st_size;
  return GENIE_OK;
}

static genie_status_t read_all(int file, const char *path, genie_allocator_t allocator, size_t size_bytes,
                               char **out_text, size_t *out_bytes) {
  void *memory = NULL;
  GENIE_RETURN_IF_ERROR(genie_allocator_allocate_array(allocator, size_bytes + 1, 1, &memory));
  size_t have = 0;
  while (have < size_bytes) {
    const ssize_t got = read(file, (char *)memory + have, size_bytes - have);
    if (got < 0 && errno == EINTR) {
      continue;
    }
    if (got < 0) {
      genie_allocator_free(allocator, memory);
      return genie_status_make(GENIE_STATUS_UNAVAILABLE, "%s: cannot read it: %s", path, strerror(errno));
    }
    if (got == 0) {
      break;
    }
    have += (size_t)got;
  }
  *out_text = memory;
  *out_bytes = have;
  return GENIE_OK;
}

genie_status_t genie_key_file_read(const char *path, size_t max_bytes, genie_allocator_t allocator, char **out_text,
                                   size_t *out_bytes) {
  *out_text = NULL;
  *out_bytes = 0;
  // A pipe in the file's place must not hold us up.
  const int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (file < 0) {
    return genie_status_make(errno == EACCES ? GENIE_STATUS_PERMISSION_DENIED : GENIE_STATUS_NOT_FOUND,
                             "%s: cannot read it: %s", path, strerror(errno));
  }
  size_t size_bytes = 0;
  genie_status_t status = check_file(file, path, max_bytes, &size_bytes);
  if (status == GENIE_OK && size_bytes > 0) {
    status = read_all(file, path, allocator, size_bytes, out_text, out_bytes);
  }
  close(file);
  return status;
}
