// Source line, module and annotations of a node from its metadata.
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "compiler/import/pt2/bounded_json.h"
#include "compiler/import/pt2/importer_state.h"

// Paths of the machine that exported stay out of the module: what follows site-packages, or else the file's own name.
static void shorten_path(const char **path, size_t *length) {
  static const char marker[] = "site-packages/";
  const char *end = *path + *length;
  const char *found = memmem(*path, *length, marker, sizeof marker - 1);
  if (found != NULL) {
    *path = found + sizeof marker - 1;
  } else {
    const char *slash = memrchr(*path, '/', *length);
    *path = slash != NULL ? slash + 1 : *path;
  }
  *length = (size_t)(end - *path);
}

// The last frame `File "PATH", line N, in NAME` that lies outside PyTorch, or the last one at all.
static genie_status_t read_source(genie_arena_t *arena, const char *trace, pt2_provenance_t *provenance) {
  static const char opening[] = "File \"", middle[] = "\", line ";
  const char *best = NULL;
  size_t best_length = 0;
  int best_line = 0;
  bool is_best_foreign = false;
  for (const char *at = strstr(trace, opening); at != NULL; at = strstr(at, opening)) {
    at += sizeof opening - 1;
    const char *end = strstr(at, middle);
    if (end == NULL) {
      break;
    }
    const size_t length = (size_t)(end - at);
    const bool is_foreign = memmem(at, length, "/torch/", 7) == NULL;
    if (best == NULL || is_foreign || !is_best_foreign) {
      best = at;
      best_length = length;
      best_line = atoi(end + sizeof middle - 1);
      is_best_foreign = is_foreign;
    }
    at = end;
  }
  if (best == NULL || best_length > 1024) {
    return GENIE_OK;
  }
  shorten_path(&best, &best_length);
  char *file, *source, text[1200];
  GENIE_RETURN_IF_ERROR(genie_arena_copy_string(arena, best, best_length, &file));
  const int length = snprintf(text, sizeof text, "%s:%d", file, best_line);
  GENIE_RETURN_IF_ERROR(genie_arena_copy_string(arena, text, (size_t)length, &source));
  provenance->file = file;
  provenance->line = best_line > 0 ? best_line : 0;
  provenance->source = source;
  return GENIE_OK;
}

// nn_module_stack is "key,path,class;key,path,class": the innermost module's path and the last part of its class.
static genie_status_t read_module(genie_arena_t *arena, const char *stack, pt2_provenance_t *provenance) {
  const char *entry = strrchr(stack, ';');
  entry = entry != NULL ? entry + 1 : stack;
  const char *path = strchr(entry, ',');
  const char *class_name = strrchr(entry, ',');
  if (path == NULL || path == class_name) {
    return GENIE_OK;
  }
  ++path;
  size_t path_length = (size_t)(class_name - path);
  const char *dot = strrchr(class_name, '.');
  class_name = dot != NULL ? dot + 1 : class_name + 1;
  static const char self[] = "L['self']";
  if (path_length >= sizeof self - 1 && memcmp(path, self, sizeof self - 1) == 0) {
    path += sizeof self - 1;
    path_length -= sizeof self - 1;
    if (path_length > 0 && *path == '.') {
      ++path;
      --path_length;
    }
  }
  char text[1024], *module;
  const int length =
      snprintf(text, sizeof text, "%.*s:%s", (int)(path_length < 800 ? path_length : 800), path, class_name);
  GENIE_RETURN_IF_ERROR(
      genie_arena_copy_string(arena, text, (size_t)length < sizeof text ? (size_t)length : sizeof text - 1, &module));
  provenance->module = module;
  return GENIE_OK;
}

const char *const pt2_note_names[PT2_NOTE_COUNT] = {"genie.phase", "genie.modality", "genie.role"};

static genie_status_t read_notes(genie_arena_t *arena, const char *annotations, pt2_provenance_t *provenance) {
  if (strstr(annotations, "\"genie.") == NULL) {
    return GENIE_OK;
  }
  json_t *root;
  GENIE_RETURN_IF_ERROR(genie_json_parse("metadata.custom", annotations, strlen(annotations), &root));
  genie_status_t status = GENIE_OK;
  for (int i = 0; status == GENIE_OK && i < PT2_NOTE_COUNT; ++i) {
    const char *note = json_string_value(json_object_get(root, pt2_note_names[i]));
    char *copy = NULL;
    if (note != NULL && note[0] != '\0') {
      status = genie_arena_copy_string(arena, note, strlen(note), &copy);
    }
    provenance->notes[i] = copy;
  }
  json_decref(root);
  return status;
}

genie_status_t pt2_provenance_of(genie_arena_t *arena, const genie_pt2_node_t *node, pt2_provenance_t *out_provenance) {
  *out_provenance = (pt2_provenance_t){.source = "", .file = "", .module = ""};
  GENIE_RETURN_IF_ERROR(read_source(arena, node->stack_trace, out_provenance));
  GENIE_RETURN_IF_ERROR(read_module(arena, node->module_stack, out_provenance));
  return read_notes(arena, node->annotations, out_provenance);
}
