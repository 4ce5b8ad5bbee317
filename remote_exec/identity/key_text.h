// Lines of the files of keys.
#ifndef GENIE_REMOTE_EXEC_IDENTITY_KEY_TEXT_H_
#define GENIE_REMOTE_EXEC_IDENTITY_KEY_TEXT_H_

#include "runtime/base/allocator.h"

// A part of a text, not zero-terminated.
typedef struct genie_key_word {
  const char *text;
  size_t length;
} genie_key_word_t;

// Walks the lines of `text[0 .. bytes)`; in the caller's memory.
typedef struct genie_key_lines {
  const char *cursor, *end;
  int number;  // of the line that next gave, from 1
} genie_key_lines_t;

void genie_key_lines_init(const char *text, size_t bytes, genie_key_lines_t *out_lines);

// The next line that has more than blanks and a comment, without its comment, its end and the blanks around it. False
// at the end.
bool genie_key_lines_next(genie_key_lines_t *lines, genie_key_word_t *out_line);

// Cuts the first word off `line`, which then starts at the next word. Empty when there is none.
genie_key_word_t genie_key_word_take(genie_key_word_t *line);

bool genie_key_word_is(genie_key_word_t word, const char *text);

// Reads a regular file of at most `max_bytes`, which nobody but its owner may write. `*out_text` is the caller's to
// free, NULL when the file is empty. NOT_FOUND, OUT_OF_RANGE, PERMISSION_DENIED.
genie_status_t genie_key_file_read(const char *path, size_t max_bytes, genie_allocator_t allocator, char **out_text,
                                   size_t *out_bytes) GENIE_MUST_USE;

#endif  // GENIE_REMOTE_EXEC_IDENTITY_KEY_TEXT_H_
