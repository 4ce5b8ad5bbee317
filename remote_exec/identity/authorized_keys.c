#include "remote_exec/identity/authorized_keys.h"

#include <string.h>

#include "remote_exec/identity/key_text.h"

struct genie_authorized_keys {
  genie_allocator_t allocator;
  genie_fingerprint_t *keys;
  size_t count;
  char name[256];  // what messages call the file
};

static bool is_pem_frame(genie_key_word_t line) {
  return genie_key_word_is(line, "-----BEGIN PUBLIC KEY-----") || genie_key_word_is(line, "-----END PUBLIC KEY-----");
}

static size_t count_lines(const char *text, size_t bytes) {
  genie_key_lines_t lines;
  genie_key_word_t line;
  size_t count = 0;
  for (genie_key_lines_init(text, bytes, &lines); genie_key_lines_next(&lines, &line);) {
    count += is_pem_frame(line) ? 0 : 1;
  }
  return count;
}

static genie_status_t fill(genie_authorized_keys_t *keys, const char *text, size_t bytes) {
  genie_key_lines_t lines;
  genie_key_word_t line;
  for (genie_key_lines_init(text, bytes, &lines); genie_key_lines_next(&lines, &line);) {
    if (is_pem_frame(line)) {
      continue;
    }
    const genie_key_word_t key = genie_key_word_take(&line);
    const genie_status_t status = genie_fingerprint_parse_key(key.text, key.length, &keys->keys[keys->count]);
    if (status != GENIE_OK) {
      return genie_status_annotate(status, "%s:%d", keys->name, lines.number);
    }
    ++keys->count;
  }
  return GENIE_OK;
}

genie_status_t genie_authorized_keys_parse(const char *name, const char *text, size_t bytes,
                                           genie_allocator_t allocator, genie_authorized_keys_t **out_keys) {
  const size_t count = bytes <= GENIE_AUTHORIZED_KEYS_MAX_BYTES ? count_lines(text, bytes) : SIZE_MAX;
  if (count > GENIE_AUTHORIZED_KEYS_MAX_COUNT) {
    return genie_status_make(GENIE_STATUS_OUT_OF_RANGE, "%s: has more than %d keys or %d bytes", name,
                             GENIE_AUTHORIZED_KEYS_MAX_COUNT, GENIE_AUTHORIZED_KEYS_MAX_BYTES);
  }
  void *memory = NULL;
  GENIE_RETURN_IF_ERROR(genie_allocator_allocate_array(allocator, 1, sizeof(genie_authorized_keys_t), &memory));
  genie_authorized_keys_t *keys = memory;
  keys->allocator = allocator;
  strncpy(keys->name, name, sizeof(keys->name) - 1);
  genie_status_t status = genie_allocator_allocate_array(allocator, count + 1, sizeof(*keys->keys), &memory);
  if (status == GENIE_OK) {
    keys->keys = memory;
    status = fill(keys, text, bytes);
  }
  if (status != GENIE_OK) {
    genie_authorized_keys_destroy(keys);
    return status;
  }
  *out_keys = keys;
  return GENIE_OK;
}

genie_status_t genie_authorized_keys_load(const char *path, genie_allocator_t allocator,
                                          genie_authorized_keys_t **out_keys) {
  char *text = NULL;
  size_t bytes = 0;
  GENIE_RETURN_IF_ERROR(genie_key_file_read(path, GENIE_AUTHORIZED_KEYS_MAX_BYTES, allocator, &text, &bytes));
  const genie_status_t status = genie_authorized_keys_parse(path, text, bytes, allocator, out_keys);
  genie_allocator_free(allocator, text);
  return status;
}

void genie_authorized_keys_destroy(genie_authorized_keys_t *keys) {
  if (keys != NULL) {
    genie_allocator_free(keys->allocator, keys->keys);
    genie_allocator_free(keys->allocator, keys);
  }
}

size_t genie_authorized_keys_count(const genie_authorized_keys_t *keys) {
  return keys->count;
}

static genie_status_t judge_authorized(void *self, const char *peer, const genie_fingerprint_t *key) {
  const genie_authorized_keys_t *keys = self;
  for (size_t i = 0; i < keys->count; ++i) {
    if (genie_fingerprint_is_equal(&keys->keys[i], key)) {
      return GENIE_OK;
    }
  }
  char text[GENIE_FINGERPRINT_TEXT_BYTES];
  genie_fingerprint_format(key, text);
  return genie_status_make(GENIE_STATUS_PERMISSION_DENIED, "%s: its key %s is not in %s", peer, text, keys->name);
}

genie_trust_t genie_authorized_keys_trust(const genie_authorized_keys_t *keys) {
  return (genie_trust_t){.self = (void *)keys, .judge = judge_authorized};
}
