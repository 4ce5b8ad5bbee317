#include "passes/place/place_rules.h"

#include <fnmatch.h>
#include <string.h>

#include "ir/place.h"
#include "passes/graph/rewrite.h"
#include "runtime/base/string_builder.h"

enum { MAX_NEIGHBOURS = 5, MAX_PATH_BYTES = 1024 };

static MlirStringRef text_of(const char *text) {
  return mlirStringRefCreateFromCString(text);
}

//===-- Patterns --------------------------------------------------------------------------------------------------===//

static MlirStringRef path_of(MlirOperation op) {
  const MlirAttribute module = mlirOperationGetAttributeByName(op, text_of("genie.module"));
  if (mlirAttributeIsNull(module) || !mlirAttributeIsAString(module)) {
    return text_of("");
  }
  const MlirStringRef text = mlirStringAttrGetValue(module);
  const char *colon = memchr(text.data, ':', text.length);
  return (MlirStringRef){text.data, colon != NULL ? (size_t)(colon - text.data) : text.length};
}

// Names are short: one that does not fit is matched by no pattern.
static bool matches_glob(const char *pattern, MlirStringRef path) {
  char text[MAX_PATH_BYTES];
  if (path.length >= sizeof(text)) {
    return false;
  }
  memcpy(text, path.data, path.length);
  text[path.length] = '\0';
  return fnmatch(pattern, text, FNM_NOESCAPE) == 0;
}

static bool matches(const genie_place_rule_t *rule, MlirStringRef path) {
  return matches_glob(rule->pattern, path) || (rule->parent[0] != '\0' && matches_glob(rule->parent, path));
}

//===-- Rules -----------------------------------------------------------------------------------------------------===//

// "encoder" for "encoder.*", "" for a pattern without that end.
static genie_status_t set_pattern(MlirStringRef text, genie_arena_t *arena, genie_place_rule_t *rule) {
  char *pattern = NULL;
  char *parent = NULL;
  const bool has_tail = text.length > 2 && memcmp(text.data + text.length - 2, ".*", 2) == 0;
  GENIE_RETURN_IF_ERROR(genie_arena_copy_string(arena, text.data, text.length, &pattern));
  GENIE_RETURN_IF_ERROR(genie_arena_copy_string(arena, text.data, has_tail ? text.length - 2 : 0, &parent));
  rule->pattern = pattern;
  rule->parent = parent;
  return GENIE_OK;
}

static genie_status_t read_rule(MlirModule module, MlirAttribute row, genie_arena_t *arena,
                                genie_place_rule_t *out_rule) {
  const bool is_row = mlirAttributeIsADictionary(row);
  const MlirAttribute pattern =
      is_row ? mlirDictionaryAttrGetElementByName(row, text_of("pattern")) : mlirAttributeGetNull();
  const MlirAttribute place =
      is_row ? mlirDictionaryAttrGetElementByName(row, text_of("place")) : mlirAttributeGetNull();
  if (mlirAttributeIsNull(pattern) || !mlirAttributeIsAString(pattern) || mlirAttributeIsNull(place) ||
      !mlirAttributeIsAInteger(place)) {
    return genie_status_make(GENIE_STATUS_INVALID_ARGUMENT, "'genie.place_rules' must hold {pattern, place}");
  }
  *out_rule = (genie_place_rule_t){.place = (int)mlirIntegerAttrGetValueInt(place)};
  GENIE_RETURN_IF_ERROR(set_pattern(mlirStringAttrGetValue(pattern), arena, out_rule));
  if (out_rule->place < 0 || out_rule->place >= genie_ir_place_count(module)) {
    return genie_status_make(GENIE_STATUS_INVALID_ARGUMENT, "rule '%s' names place %d of %d", out_rule->pattern,
                             out_rule->place, genie_ir_place_count(module));
  }
  return GENIE_OK;
}

genie_status_t genie_place_rules_read(MlirModule module, genie_arena_t *arena, genie_place_rules_t *out_rules) {
  *out_rules = (genie_place_rules_t){0};
  const MlirAttribute rules =
      mlirOperationGetAttributeByName(mlirModuleGetOperation(module), text_of("genie.place_rules"));
  if (mlirAttributeIsNull(rules)) {
    return GENIE_OK;
  }
  if (!mlirAttributeIsAArray(rules)) {
    return genie_status_make(GENIE_STATUS_INVALID_ARGUMENT, "'genie.place_rules' must be an array");
  }
  const intptr_t count = mlirArrayAttrGetNumElements(rules);
  void *memory = NULL;
  GENIE_RETURN_IF_ERROR(genie_arena_allocate(arena, (size_t)count, sizeof(genie_place_rule_t), &memory));
  out_rules->rules = memory;
  for (intptr_t i = 0; i < count; ++i) {
    GENIE_RETURN_IF_ERROR(read_rule(module, mlirArrayAttrGetElement(rules, i), arena, &out_rules->rules[i]));
    ++out_rules->count;
  }
  return GENIE_OK;
}

int genie_place_rules_match(genie_place_rules_t *rules, MlirOperation op) {
  int place = -1;
  const MlirStringRef path = path_of(op);
  for (int i = 0; path.length > 0 && i < rules->count; ++i) {
    if (matches(&rules->rules[i], path)) {
      ++rules->rules[i].match_count;
      place = rules->rules[i].place;
    }
  }
  return place;
}

//===-- A rule that matches nothing -------------------------------------------------------------------------------===//

typedef struct neighbours {
  MlirStringRef paths[MAX_NEIGHBOURS];
  size_t likeness[MAX_NEIGHBOURS];  // descending
  int count;
} neighbours_t;

// How many characters of the pattern, stars left out, appear in the path in their order.
static size_t likeness_of(const char *pattern, MlirStringRef path) {
  size_t found = 0, t = 0;
  for (const char *c = pattern; *c != '\0'; ++c) {
    const char *at = *c == '*' || t >= path.length ? NULL : memchr(path.data + t, *c, path.length - t);
    if (at != NULL) {
      ++found;
      t = (size_t)(at - path.data) + 1;
    }
  }
  return found;
}

static void add_neighbour(neighbours_t *neighbours, MlirStringRef path, size_t likeness) {
  int at = neighbours->count;
  for (int i = 0; i < neighbours->count; ++i) {
    if (mlirStringRefEqual(neighbours->paths[i], path)) {
      return;
    }
  }
  while (at > 0 && neighbours->likeness[at - 1] < likeness) {
    --at;
  }
  if (at == MAX_NEIGHBOURS) {
    return;
  }
  const int moved = (neighbours->count < MAX_NEIGHBOURS ? neighbours->count : MAX_NEIGHBOURS - 1) - at;
  memmove(&neighbours->paths[at + 1], &neighbours->paths[at], (size_t)moved * sizeof(neighbours->paths[0]));
  memmove(&neighbours->likeness[at + 1], &neighbours->likeness[at], (size_t)moved * sizeof(neighbours->likeness[0]));
  neighbours->paths[at] = path;
  neighbours->likeness[at] = likeness;
  neighbours->count += neighbours->count < MAX_NEIGHBOURS;
}

static void find_neighbours(MlirModule module, const char *pattern, neighbours_t *out_neighbours) {
  *out_neighbours = (neighbours_t){0};
  MlirOperation function = mlirBlockGetFirstOperation(mlirModuleGetBody(module));
  for (; !mlirOperationIsNull(function); function = mlirOperationGetNextInBlock(function)) {
    if (!genie_op_is(function, "func.func")) {
      continue;
    }
    MlirOperation op = mlirBlockGetFirstOperation(genie_rewrite_body(function));
    for (; !mlirOperationIsNull(op); op = mlirOperationGetNextInBlock(op)) {
      const MlirStringRef path = path_of(op);
      if (path.length > 0) {
        add_neighbour(out_neighbours, path, likeness_of(pattern, path));
      }
    }
  }
}

static genie_status_t fail_unmatched(MlirModule module, const char *pattern) {
  neighbours_t neighbours;
  find_neighbours(module, pattern, &neighbours);
  genie_string_builder_t text;
  genie_string_builder_init(genie_allocator_heap(), &text);
  for (int i = 0; i < neighbours.count; ++i) {
    genie_string_builder_format(&text, " %.*s", (int)neighbours.paths[i].length, neighbours.paths[i].data);
  }
  const genie_status_t status =
      genie_status_make(GENIE_STATUS_INVALID_ARGUMENT, "no op is of a module '%s'; the model has%s", pattern,
                        neighbours.count == 0 ? " no module paths" : genie_string_builder_get(&text));
  genie_string_builder_deinit(&text);
  return status;
}

genie_status_t genie_place_rules_check(const genie_place_rules_t *rules, MlirModule module) {
  for (int i = 0; i < rules->count; ++i) {
    if (rules->rules[i].match_count == 0) {
      return fail_unmatched(module, rules->rules[i].pattern);
    }
  }
  return GENIE_OK;
}
