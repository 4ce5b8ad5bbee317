#include "passes/recognise/recogniser_plugin.h"

#include <stdio.h>
#include <string.h>

#include "passes/recognise/recogniser.h"

// A plugin's graph is the semantic graph itself.
static const genie_semantic_graph_t *graph_of(const genie_plugin_graph_t *graph) {
  return (const genie_semantic_graph_t *)graph;
}

static const genie_semantic_node_t *node_of(const genie_plugin_graph_t *graph, int node) {
  return node >= 0 && node < graph_of(graph)->node_count ? &graph_of(graph)->nodes[node] : NULL;
}

static const genie_semantic_node_t *op_of(const genie_plugin_graph_t *graph, int node) {
  const genie_semantic_node_t *n = node_of(graph, node);
  return n != NULL && !n->is_argument ? n : NULL;
}

//===-- The host --------------------------------------------------------------------------------------------------===//

static int node_count(const genie_plugin_graph_t *graph) {
  return graph_of(graph)->node_count;
}

static const char *kind(const genie_plugin_graph_t *graph, int node) {
  static const char *const ARGUMENTS[] = {"input", "weight", "state"};
  const genie_semantic_node_t *n = node_of(graph, node);
  if (n == NULL) {
    return "";
  }
  return n->is_argument ? ARGUMENTS[n->argument_role] : mlirIdentifierStr(mlirOperationGetName(n->op)).data;
}

static bool is_fixed(const genie_plugin_graph_t *graph, int node) {
  const genie_semantic_node_t *n = node_of(graph, node);
  return n != NULL && n->is_fixed;
}

static int operand_count(const genie_plugin_graph_t *graph, int node) {
  const genie_semantic_node_t *n = node_of(graph, node);
  return n == NULL ? 0 : n->operand_count;
}

static int operand(const genie_plugin_graph_t *graph, int node, int index) {
  return index >= 0 && index < operand_count(graph, node) ? genie_semantic_operand(graph_of(graph), node, index) : -1;
}

static int reader_count(const genie_plugin_graph_t *graph, int node) {
  const genie_semantic_node_t *n = node_of(graph, node);
  return n == NULL ? 0 : n->reader_count;
}

static int reader(const genie_plugin_graph_t *graph, int node, int index) {
  return index >= 0 && index < reader_count(graph, node) ? genie_semantic_reader(graph_of(graph), node, index) : -1;
}

static int rank(const genie_plugin_graph_t *graph, int node) {
  const bool has_type = node_of(graph, node) != NULL && genie_semantic_has_type(graph_of(graph), node);
  return has_type ? genie_semantic_type(graph_of(graph), node).rank : -1;
}

static int64_t size(const genie_plugin_graph_t *graph, int node, int axis) {
  const int count = rank(graph, node);
  return axis >= 0 && axis < count ? genie_semantic_size_from_end(graph_of(graph), node, count - axis) : -1;
}

static const char *dtype(const genie_plugin_graph_t *graph, int node) {
  return rank(graph, node) < 0 ? "" : genie_dtype_name(genie_semantic_type(graph_of(graph), node).dtype);
}

static MlirAttribute attribute(const genie_plugin_graph_t *graph, int node, const char *name) {
  const genie_semantic_node_t *n = op_of(graph, node);
  // Where the op comes from is not for recognisers.
  return n == NULL || strncmp(name, "genie.", 6) == 0
             ? (MlirAttribute){NULL}
             : mlirOperationGetAttributeByName(n->op, mlirStringRefCreateFromCString(name));
}

static bool attribute_i64(const genie_plugin_graph_t *graph, int node, const char *name, int64_t *out_number) {
  const MlirAttribute value = attribute(graph, node, name);
  const bool is_there = !mlirAttributeIsNull(value) && mlirAttributeIsAInteger(value);
  if (is_there) {
    *out_number = mlirIntegerAttrGetValueInt(value);
  }
  return is_there;
}

static bool attribute_f64(const genie_plugin_graph_t *graph, int node, const char *name, double *out_number) {
  const MlirAttribute value = attribute(graph, node, name);
  const bool is_there = !mlirAttributeIsNull(value) && mlirAttributeIsAFloat(value);
  if (is_there) {
    *out_number = mlirFloatAttrGetValueDouble(value);
  }
  return is_there;
}

static bool attribute_string(const genie_plugin_graph_t *graph, int node, const char *name, int capacity,
                             char *out_text) {
  const MlirAttribute value = attribute(graph, node, name);
  const bool is_there = !mlirAttributeIsNull(value) && mlirAttributeIsAString(value) && capacity > 0;
  if (is_there) {
    const MlirStringRef text = mlirStringAttrGetValue(value);
    snprintf(out_text, (size_t)capacity, "%.*s", (int)text.length, text.data);
  }
  return is_there;
}

// The semantic whose attribute is "genie.<what>"; GENIE_SEMANTIC_COUNT if there is none.
static genie_semantic_t semantic_of(const char *what) {
  int semantic = 0;
  while (semantic < GENIE_SEMANTIC_COUNT &&
         strcmp(genie_semantic_attribute((genie_semantic_t)semantic) + strlen("genie."), what) != 0) {
    ++semantic;
  }
  return (genie_semantic_t)semantic;
}

static const char *said(const genie_plugin_graph_t *graph, int node, const char *what) {
  const genie_semantic_node_t *n = op_of(graph, node);
  const genie_semantic_t semantic = semantic_of(what);
  return n == NULL || semantic == GENIE_SEMANTIC_COUNT ? NULL : n->notes[semantic].word;
}

static double clamped(double confidence) {
  return confidence >= 0 && confidence <= 1 ? confidence : 0;
}

static bool say(genie_plugin_graph_t *graph, int node, const char *what, const char *word, double confidence,
                const char *reason) {
  genie_semantic_graph_t *semantics = (genie_semantic_graph_t *)graph;
  const genie_semantic_t semantic = semantic_of(what);
  if (op_of(graph, node) == NULL || semantic == GENIE_SEMANTIC_COUNT || word == NULL || word[0] == '\0') {
    return false;
  }
  return genie_semantic_say(semantics, node, semantic, genie_semantic_format(semantics, "%s", word),
                            clamped(confidence), genie_semantic_format(semantics, "%s", reason != NULL ? reason : ""));
}

static void vote(genie_plugin_graph_t *graph, const char *workload, double confidence, const char *reason) {
  genie_semantic_graph_t *semantics = (genie_semantic_graph_t *)graph;
  genie_semantic_vote(semantics, genie_semantic_format(semantics, "%s", workload), clamped(confidence),
                      genie_semantic_format(semantics, "%s", reason != NULL ? reason : ""));
}

static const genie_plugin_host_t HOST = {
    .abi = GENIE_PLUGIN_ABI,
    .struct_bytes = sizeof(genie_plugin_host_t),
    .node_count = node_count,
    .kind = kind,
    .is_fixed = is_fixed,
    .operand_count = operand_count,
    .operand = operand,
    .reader_count = reader_count,
    .reader = reader,
    .rank = rank,
    .size = size,
    .dtype = dtype,
    .attribute_i64 = attribute_i64,
    .attribute_f64 = attribute_f64,
    .attribute_string = attribute_string,
    .said = said,
    .say = say,
    .vote = vote,
};

//===-- Checking and running --------------------------------------------------------------------------------------===//

static bool is_builtin(const char *name) {
  for (int i = 0; i < genie_recogniser_count; ++i) {
    if (strcmp(genie_recogniser_table[i].name, name) == 0) {
      return true;
    }
  }
  return false;
}

genie_status_t genie_recogniser_plugin_check(const genie_plugin_t *plugin) {
  for (int i = 0; i < plugin->recogniser_count; ++i) {
    const genie_plugin_recogniser_t *recogniser = &plugin->recognisers[i];
    if (recogniser->name == NULL || recogniser->run == NULL) {
      return genie_status_make(GENIE_STATUS_INVALID_ARGUMENT, "--plugin=%s: recogniser %d has no name or no function",
                               plugin->path, i);
    }
    if (recogniser->before != NULL && !is_builtin(recogniser->before)) {
      return genie_status_make(GENIE_STATUS_INVALID_ARGUMENT,
                               "--plugin=%s: %s wants to run before '%s', which is no recogniser", plugin->path,
                               recogniser->name, recogniser->before);
    }
  }
  return GENIE_OK;
}

static bool runs_here(const genie_plugin_recogniser_t *recogniser, const char *before) {
  return recogniser->before == NULL || before == NULL ? recogniser->before == before
                                                      : strcmp(recogniser->before, before) == 0;
}

genie_status_t genie_recogniser_plugins_run(const genie_plugins_t *plugins, const char *before,
                                            genie_semantic_graph_t *graph) {
  for (int i = 0; plugins != NULL && i < plugins->count; ++i) {
    const genie_plugin_t *plugin = &plugins->plugins[i];
    for (int k = 0; k < plugin->recogniser_count; ++k) {
      const genie_plugin_recogniser_t *recogniser = &plugin->recognisers[k];
      const int result = runs_here(recogniser, before) ? recogniser->run(&HOST, (genie_plugin_graph_t *)graph) : 0;
      if (result != 0) {
        return genie_status_make(GENIE_STATUS_INVALID_ARGUMENT, "plugin %s: recogniser %s fails with %d", plugin->path,
                                 recogniser->name, result);
      }
    }
  }
  return GENIE_OK;
}
