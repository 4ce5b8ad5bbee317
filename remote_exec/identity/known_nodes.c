#include "remote_exec/identity/known_nodes.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "remote_exec/identity/key_text.h"

enum { kMaxAddressBytes = 256, kMaxPathBytes = 4096, kFileMode = 0600 };

typedef struct known_node {
  char address[kMaxAddressBytes];
  genie_fingerprint_t key;
  int line;
} known_node_t;

struct genie_known_nodes {
  genie_allocator_t allocator;
  pthread_mutex_t lock;  // guards what follows it
  known_node_t *nodes;
  size_t count;
  bool may_pin;
  char path[kMaxPathBytes];
};

static genie_status_t parse_line(genie_known_nodes_t *nodes, genie_key_word_t line, int number) {
  const genie_key_word_t address = genie_key_word_take(&line);
  const genie_key_word_t key = genie_key_word_take(&line);
  known_node_t *node = &nodes->nodes[nodes->count];
  if (address.length >= kMaxAddressBytes) {
    return genie_status_make(GENIE_STATUS_OUT_OF_RANGE, "%s:%d: an address has at most %d bytes", nodes->path, number,
                             kMaxAddressBytes - 1);
  }
  *node = (known_node_t){.line = number};
  const genie_status_t status = genie_fingerprint_parse(key.text, key.length, &node->key);
  if (status != GENIE_OK || line.length > 0) {
    genie_status_free(status);
    return genie_status_make(GENIE_STATUS_INVALID_ARGUMENT, "%s:%d: a line is \"HOST:PORT sha256:<64 hex digits>\"",
                             nodes->path, number);
  }
  memcpy(node->address, address.text, address.length);
  ++nodes->count;
  return GENIE_OK;
}

static genie_status_t parse(genie_known_nodes_t *nodes, const char *text, size_t bytes) {
  genie_key_lines_t lines;
  genie_key_word_t line;
  size_t count = 0;
  for (genie_key_lines_init(text, bytes, &lines); genie_key_lines_next(&lines, &line);) {
    ++count;
  }
  if (count > GENIE_KNOWN_NODES_MAX_COUNT) {
    return genie_status_make(GENIE_STATUS_OUT_OF_RANGE, "%s: has more than %d nodes", nodes->path,
                             GENIE_KNOWN_NODES_MAX_COUNT);
  }
  void *memory = NULL;
  GENIE_RETURN_IF_ERROR(genie_allocator_allocate_array(nodes->allocator, count + 1, sizeof(known_node_t), &memory));
  genie_allocator_free(nodes->allocator, nodes->nodes);
  nodes->nodes = memory;
  nodes->count = 0;
  for (genie_key_lines_init(text, bytes, &lines); genie_key_lines_next(&lines, &line);) {
    GENIE_RETURN_IF_ERROR(parse_line(nodes, line, lines.number));
  }
  return GENIE_OK;
}

// Another process may have pinned a node since: the file is read again before each judgement.
static genie_status_t reload(genie_known_nodes_t *nodes) {
  char *text = NULL;
  size_t bytes = 0;
  genie_status_t status =
      genie_key_file_read(nodes->path, GENIE_KNOWN_NODES_MAX_BYTES, nodes->allocator, &text, &bytes);
  if (genie_status_code(status) == GENIE_STATUS_NOT_FOUND) {
    genie_status_free(status);
    nodes->count = 0;
    return GENIE_OK;
  }
  if (status == GENIE_OK) {
    status = parse(nodes, text, bytes);
  }
  genie_allocator_free(nodes->allocator, text);
  return status;
}

genie_status_t genie_known_nodes_load(const char *path, bool may_pin, genie_allocator_t allocator,
                                      genie_known_nodes_t **out_nodes) {
  if (strlen(path) >= kMaxPathBytes) {
    return genie_status_make(GENIE_STATUS_INVALID_ARGUMENT, "the path of known_nodes is longer than %d bytes",
                             kMaxPathBytes - 1);
  }
  void *memory = NULL;
  GENIE_RETURN_IF_ERROR(genie_allocator_allocate_array(allocator, 1, sizeof(genie_known_nodes_t), &memory));
  genie_known_nodes_t *nodes = memory;
  nodes->allocator = allocator;
  nodes->may_pin = may_pin;
  strcpy(nodes->path, path);
  pthread_mutex_init(&nodes->lock, NULL);
  const genie_status_t status = reload(nodes);
  if (status != GENIE_OK) {
    genie_known_nodes_destroy(nodes);
    return status;
  }
  *out_nodes = nodes;
  return GENIE_OK;
}

void genie_known_nodes_destroy(genie_known_nodes_t *nodes) {
  if (nodes != NULL) {
    pthread_mutex_destroy(&nodes->lock);
    genie_allocator_free(nodes->allocator, nodes->nodes);
    genie_allocator_free(nodes->allocator, nodes);
  }
}

static genie_status_t cannot_write(const genie_known_nodes_t *nodes, int error) {
  return genie_status_make(GENIE_STATUS_FAILED_PRECONDITION, "%s: cannot pin a node's key: %s", nodes->path,
                           strerror(error));
}

// One write to a file opened for appending: whole lines, whoever else writes.
static genie_status_t append(const genie_known_nodes_t *nodes, const char *line, size_t length) {
  const int file = open(nodes->path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, kFileMode);
  if (file < 0) {
    return cannot_write(nodes, errno);
  }
  const ssize_t written = write(file, line, length);
  const int error = written < 0 ? errno : ENOSPC;
  const bool is_synced = fdatasync(file) == 0 || errno == EINVAL;
  return close(file) == 0 && is_synced && written == (ssize_t)length ? GENIE_OK : cannot_write(nodes, error);
}

static genie_status_t pin(const genie_known_nodes_t *nodes, const char *peer, const char *key) {
  char line[kMaxAddressBytes + GENIE_FINGERPRINT_TEXT_BYTES + 2];
  if (strlen(peer) >= kMaxAddressBytes || strpbrk(peer, " \t\r\n#") != NULL) {
    return genie_status_make(GENIE_STATUS_INVALID_ARGUMENT, "%s: no address that known_nodes could hold", peer);
  }
  if (!nodes->may_pin) {
    return genie_status_make(GENIE_STATUS_PERMISSION_DENIED,
                             "%s: its key is not known; if it is this node's, add the line \"%s %s\" to %s", peer, peer,
                             key, nodes->path);
  }
  const int length = snprintf(line, sizeof(line), "%s %s\n", peer, key);
  return append(nodes, line, (size_t)length);
}

static genie_status_t judge_listed(const genie_known_nodes_t *nodes, const char *peer, const char *key_text,
                                   const genie_fingerprint_t *key) {
  const known_node_t *other = NULL;
  for (size_t i = 0; i < nodes->count; ++i) {
    const known_node_t *node = &nodes->nodes[i];
    if (strcmp(node->address, peer) == 0) {
      if (genie_fingerprint_is_equal(&node->key, key)) {
        return GENIE_OK;
      }
      other = node;
    }
  }
  if (other == NULL) {
    return pin(nodes, peer, key_text);
  }
  char expected[GENIE_FINGERPRINT_TEXT_BYTES];
  genie_fingerprint_format(&other->key, expected);
  return genie_status_make(GENIE_STATUS_PERMISSION_DENIED,
                           "%s: THE NODE'S KEY HAS CHANGED to %s from %s: somebody may be in between; if the node has "
                           "a new key, remove %s:%d",
                           peer, key_text, expected, nodes->path, other->line);
}

static genie_status_t judge_known(void *self, const char *peer, const genie_fingerprint_t *key) {
  genie_known_nodes_t *nodes = self;
  char key_text[GENIE_FINGERPRINT_TEXT_BYTES];
  genie_fingerprint_format(key, key_text);
  pthread_mutex_lock(&nodes->lock);
  genie_status_t status = reload(nodes);
  if (status == GENIE_OK) {
    status = judge_listed(nodes, peer, key_text, key);
  }
  pthread_mutex_unlock(&nodes->lock);
  return status;
}

genie_trust_t genie_known_nodes_trust(genie_known_nodes_t *nodes) {
  return (genie_trust_t){.self = nodes, .judge = judge_known};
}
