#include "compiler/import/findings.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

void genie_findings_init(genie_findings_t *out_findings) {
  *out_findings = (genie_findings_t){0};
  genie_arena_init(genie_allocator_heap(), 0, &out_findings->arena);
}

void genie_findings_deinit(genie_findings_t *findings) {
  genie_allocator_free(findings->arena.allocator, findings->items);
  genie_arena_deinit(&findings->arena);
}

static bool finding_equals(const genie_finding_t *a, const genie_finding_t *b) {
  return strcmp(a->subject, b->subject) == 0 && strcmp(a->problem, b->problem) == 0 &&
         strcmp(a->module, b->module) == 0 && strcmp(a->source, b->source) == 0;
}

static genie_status_t findings_grow(genie_findings_t *findings) {
  const int capacity = findings->capacity == 0 ? 16 : 2 * findings->capacity;
  void *items;
  GENIE_RETURN_IF_ERROR(
      genie_allocator_allocate_array(findings->arena.allocator, (size_t)capacity, sizeof(genie_finding_t), &items));
  if (findings->count > 0) {
    memcpy(items, findings->items, (size_t)findings->count * sizeof(genie_finding_t));
  }
  genie_allocator_free(findings->arena.allocator, findings->items);
  findings->items = items;
  findings->capacity = capacity;
  return GENIE_OK;
}

genie_status_t genie_findings_add(genie_findings_t *findings, const genie_finding_t *finding) {
  for (int i = 0; i < findings->count; ++i) {
    if (finding_equals(&findings->items[i], finding)) {
      ++findings->items[i].count;
      return GENIE_OK;
    }
  }
  if (findings->count == findings->capacity) {
    GENIE_RETURN_IF_ERROR(findings_grow(findings));
  }
  genie_finding_t copy = {.count = 1};
  const struct {
    const char *from;
    const char **to;
  } strings[] = {{finding->kind, &copy.kind},     {finding->subject, &copy.subject}, {finding->problem, &copy.problem},
                 {finding->module, &copy.module}, {finding->source, &copy.source},   {finding->hint, &copy.hint}};
  for (size_t i = 0; i < sizeof strings / sizeof strings[0]; ++i) {
    const char *from = strings[i].from != NULL ? strings[i].from : "";
    char *text;
    GENIE_RETURN_IF_ERROR(genie_arena_copy_string(&findings->arena, from, strlen(from), &text));
    *strings[i].to = text;
  }
  findings->items[findings->count++] = copy;
  return GENIE_OK;
}

genie_status_t genie_findings_status(const genie_findings_t *findings, const char *path) {
  if (findings->count == 0) {
    return GENIE_OK;
  }
  const genie_finding_t *first = &findings->items[0];
  char others[80] = "";
  if (findings->count > 1) {
    snprintf(others, sizeof others, " (and %d more: geniec --check lists them)", findings->count - 1);
  }
  return genie_status_make(GENIE_STATUS_UNIMPLEMENTED, "%s: %s%s%s: %s; %s%s", path,
                           first->source[0] != '\0' ? first->source : "", first->source[0] != '\0' ? ": " : "",
                           first->subject, first->problem, first->hint, others);
}

void genie_findings_print(const genie_findings_t *findings, FILE *file) {
  for (int i = 0; i < findings->count; ++i) {
    const genie_finding_t *f = &findings->items[i];
    fprintf(file, "%s: %s (%s, %d time%s in %s): %s\n", f->source[0] != '\0' ? f->source : "(no source line)",
            f->subject, f->problem, f->count, f->count == 1 ? "" : "s", f->module[0] != '\0' ? f->module : "the model",
            f->hint);
  }
}

genie_status_t genie_findings_print_json(const genie_findings_t *findings, FILE *file) {
  json_t *array = json_array();
  for (int i = 0; i < findings->count; ++i) {
    const genie_finding_t *f = &findings->items[i];
    json_array_append_new(
        array, json_pack("{s:s, s:s, s:s, s:i, s:s, s:s, s:s}", "kind", f->kind, "subject", f->subject, "problem",
                         f->problem, "count", f->count, "module", f->module, "source", f->source, "hint", f->hint));
  }
  const int result = json_dumpf(array, file, JSON_INDENT(2));
  json_decref(array);
  fputc('\n', file);
  return result == 0 ? GENIE_OK : genie_status_make(GENIE_STATUS_DATA_LOSS, "--json: the report cannot be written");
}
