// Names of an entry's outputs from the pytree of what the model returned.
#include <jansson.h>
#include <string.h>

#include "compiler/import/pt2/bounded_json.h"
#include "compiler/import/pt2/importer_state.h"

enum { NAME_BYTES = 128, MAX_NAME_DEPTH = 32 };

typedef struct walk {
  genie_arena_t *arena;
  int capacity, count;
  const char **names;
} walk_t;

static genie_status_t append(walk_t *walk, const char *name) {
  if (walk->count < walk->capacity) {
    char *copy;
    GENIE_RETURN_IF_ERROR(genie_arena_copy_string(walk->arena, name, strlen(name), &copy));
    walk->names[walk->count] = copy;
  }
  ++walk->count;
  return GENIE_OK;
}

// The keys of a container: its context is JSON text, which holds a list of them for dictionaries and model outputs.
static json_t *keys_of(const json_t *spec, size_t child_count) {
  const char *context = json_string_value(json_object_get(spec, "context"));
  json_t *keys = NULL;
  if (context == NULL) {
    return NULL;
  }
  const genie_status_t status = genie_json_parse("context", context, strlen(context), &keys);
  if (status != GENIE_OK) {
    genie_status_free(status);
    return NULL;
  }
  bool is_usable = json_is_array(keys) && json_array_size(keys) == child_count;
  for (size_t i = 0; is_usable && i < child_count; ++i) {
    is_usable = json_is_string(json_array_get(keys, i));
  }
  if (!is_usable) {
    json_decref(keys);
    return NULL;
  }
  return keys;
}

static genie_status_t visit(walk_t *walk, const json_t *spec, const char *prefix, int depth) {
  const json_t *children = json_object_get(spec, "children_spec");
  const size_t count = json_array_size(children);
  if (json_is_null(json_object_get(spec, "type")) || depth == MAX_NAME_DEPTH) {
    return append(walk, prefix[0] != '\0' ? prefix : "output0");
  }
  json_t *keys = keys_of(spec, count);
  genie_status_t status = GENIE_OK;
  for (size_t i = 0; i < count && status == GENIE_OK; ++i) {
    char name[NAME_BYTES];
    const char *key = keys != NULL ? json_string_value(json_array_get(keys, i)) : NULL;
    if (key != NULL) {
      snprintf(name, sizeof name, "%s%s%s", prefix, prefix[0] != '\0' ? "." : "", key);
    } else {
      snprintf(name, sizeof name, "%s%s%zu", prefix[0] != '\0' ? prefix : "output", prefix[0] != '\0' ? "." : "", i);
    }
    status = visit(walk, json_array_get(children, i), name, depth + 1);
  }
  json_decref(keys);
  return status;
}

static bool has_duplicates(int count, const char **names) {
  for (int i = 0; i < count; ++i) {
    for (int j = 0; j < i; ++j) {
      if (strcmp(names[i], names[j]) == 0) {
        return true;
      }
    }
  }
  return false;
}

genie_status_t pt2_output_names(genie_arena_t *arena, const char *out_spec, int count, const char **out_names) {
  walk_t walk = {.arena = arena, .capacity = count, .names = out_names};
  json_t *root = NULL;
  genie_status_t status = genie_json_parse("out_spec", out_spec, strlen(out_spec), &root);
  if (status == GENIE_OK) {
    GENIE_GOTO_IF_ERROR(visit(&walk, json_array_get(root, 1), "", 0));
  } else {
    genie_status_free(status);
    status = GENIE_OK;
  }
  if (walk.count != count || has_duplicates(count, out_names)) {
    walk.count = 0;
    for (int i = 0; i < count; ++i) {
      char name[NAME_BYTES];
      snprintf(name, sizeof name, "output%d", i);
      GENIE_GOTO_IF_ERROR(append(&walk, name));
    }
  }
cleanup:
  json_decref(root);
  return status;
}
