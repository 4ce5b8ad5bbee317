#include "passes/place/policy_plugin.h"

#include <stdio.h>
#include <string.h>

#include "passes/place/placement_model.h"

// Op `i` is node `i + 1` of the problem: the call comes before, the return after.
struct genie_plugin_placement {
  genie_place_problem_t *problem;
  const char **device_names;  // [client]
};

static const genie_place_problem_t *problem_of(const genie_plugin_placement_t *placement) {
  return placement->problem;
}

static bool is_device(const genie_plugin_placement_t *placement, int device) {
  return device >= 0 && (uint32_t)device < problem_of(placement)->client;
}

static int op_count(const genie_plugin_placement_t *placement) {
  return (int)problem_of(placement)->placement.node_count - 2;
}

static bool is_op(const genie_plugin_placement_t *placement, int op) {
  return op >= 0 && op < op_count(placement);
}

static uint32_t node_of(int op) {
  return (uint32_t)op + 1;
}

static MlirOperation mlir_of(const genie_plugin_placement_t *placement, int op) {
  return problem_of(placement)->ops[node_of(op)];
}

static int64_t *time_of(const genie_place_problem_t *problem, uint32_t node, uint32_t device) {
  return &problem->time_ns[(size_t)node * (problem->client + 1) + device];
}

//===-- Devices ---------------------------------------------------------------------------------------------------===//

static int device_count(const genie_plugin_placement_t *placement) {
  return (int)problem_of(placement)->client;
}

static const char *device_name(const genie_plugin_placement_t *placement, int device) {
  return is_device(placement, device) ? placement->device_names[device] : "";
}

static const genie_cost_place_t *figures_of(const genie_plugin_placement_t *placement, int device) {
  return is_device(placement, device) ? &problem_of(placement)->machine->places[device] : NULL;
}

static const char *device_kind(const genie_plugin_placement_t *placement, int device) {
  const genie_cost_place_t *figures = figures_of(placement, device);
  return figures == NULL ? "" : figures->is_cuda ? "cuda" : "cpu";
}

static double device_flops_per_s(const genie_plugin_placement_t *placement, int device, const char *dtype) {
  const genie_cost_place_t *figures = figures_of(placement, device);
  for (int i = 1; figures != NULL && dtype != NULL && i <= GENIE_DTYPE_BOOL; ++i) {
    if (strcmp(genie_dtype_name((genie_dtype_t)i), dtype) == 0) {
      return figures->flops_per_s[i];
    }
  }
  return 0;
}

static double device_bytes_per_s(const genie_plugin_placement_t *placement, int device) {
  const genie_cost_place_t *figures = figures_of(placement, device);
  return figures == NULL ? 0 : figures->memory_bytes_per_s;
}

static uint64_t device_memory_bytes(const genie_plugin_placement_t *placement, int device) {
  const genie_cost_place_t *figures = figures_of(placement, device);
  return figures == NULL ? 0 : figures->memory_bytes;
}

static bool link(const genie_plugin_placement_t *placement, int from, int to, double *out_bytes_per_s,
                 int64_t *out_latency_ns) {
  const genie_place_problem_t *problem = problem_of(placement);
  const bool has_from = from == GENIE_PLUGIN_CALLER || is_device(placement, from);
  const bool has_to = to == GENIE_PLUGIN_CALLER || is_device(placement, to);
  if (!has_from || !has_to || from == to) {
    return false;
  }
  const uint32_t a = from < 0 ? problem->client : (uint32_t)from;
  const uint32_t b = to < 0 ? problem->client : (uint32_t)to;
  const genie_placement_link_t *found = &problem->placement.links[a * (problem->client + 1) + b];
  *out_bytes_per_s = found->bytes_per_s;
  *out_latency_ns = found->latency_ns;
  return true;
}

//===-- Ops -------------------------------------------------------------------------------------------------------===//

static const char *op_kind(const genie_plugin_placement_t *placement, int op) {
  return is_op(placement, op) ? mlirIdentifierStr(mlirOperationGetName(mlir_of(placement, op))).data : "";
}

// Where an op comes from, and what is said of it, has a function of its own.
static MlirAttribute attribute(const genie_plugin_placement_t *placement, int op, const char *name) {
  return !is_op(placement, op) || strncmp(name, "genie.", 6) == 0
             ? (MlirAttribute){NULL}
             : mlirOperationGetAttributeByName(mlir_of(placement, op), mlirStringRefCreateFromCString(name));
}

static bool copy_text(MlirAttribute value, int capacity, char *out_text) {
  if (mlirAttributeIsNull(value) || !mlirAttributeIsAString(value) || capacity <= 0) {
    return false;
  }
  const MlirStringRef text = mlirStringAttrGetValue(value);
  snprintf(out_text, (size_t)capacity, "%.*s", (int)text.length, text.data);
  return true;
}

static bool op_attribute_i64(const genie_plugin_placement_t *placement, int op, const char *name, int64_t *out_number) {
  const MlirAttribute value = attribute(placement, op, name);
  const bool is_there = !mlirAttributeIsNull(value) && mlirAttributeIsAInteger(value);
  if (is_there) {
    *out_number = mlirIntegerAttrGetValueInt(value);
  }
  return is_there;
}

static bool op_attribute_f64(const genie_plugin_placement_t *placement, int op, const char *name, double *out_number) {
  const MlirAttribute value = attribute(placement, op, name);
  const bool is_there = !mlirAttributeIsNull(value) && mlirAttributeIsAFloat(value);
  if (is_there) {
    *out_number = mlirFloatAttrGetValueDouble(value);
  }
  return is_there;
}

static bool op_attribute_string(const genie_plugin_placement_t *placement, int op, const char *name, int capacity,
                                char *out_text) {
  return copy_text(attribute(placement, op, name), capacity, out_text);
}

static bool said_of(MlirOperation op, const char *what, int capacity, char *out_text) {
  static const char *const ATTRIBUTES[] = {"genie.phase", "genie.modality", "genie.role", "genie.attention",
                                           "genie.module"};
  for (size_t i = 0; i < sizeof ATTRIBUTES / sizeof ATTRIBUTES[0]; ++i) {
    if (strcmp(ATTRIBUTES[i] + strlen("genie."), what) == 0) {
      const MlirStringRef name = mlirStringRefCreateFromCString(ATTRIBUTES[i]);
      const bool is_said = copy_text(mlirOperationGetAttributeByName(op, name), capacity, out_text);
      if (is_said && strcmp(what, "module") == 0) {
        out_text[strcspn(out_text, ":")] = '\0';  // the class of the module follows
      }
      return is_said;
    }
  }
  return false;
}

static bool op_said(const genie_plugin_placement_t *placement, int op, const char *what, int capacity, char *out_text) {
  return is_op(placement, op) && said_of(mlir_of(placement, op), what, capacity, out_text);
}

static double op_flops(const genie_plugin_placement_t *placement, int op) {
  return is_op(placement, op) ? genie_cost_work_of(mlir_of(placement, op)).flops : 0;
}

static uint64_t op_resident_bytes(const genie_plugin_placement_t *placement, int op) {
  return is_op(placement, op) ? problem_of(placement)->resident_bytes[node_of(op)] : 0;
}

static bool op_reads_state(const genie_plugin_placement_t *placement, int op) {
  bool is_read = false;
  for (intptr_t i = 0; is_op(placement, op) && i < mlirOperationGetNumOperands(mlir_of(placement, op)); ++i) {
    const MlirValue root = genie_rewrite_view_root(mlirOperationGetOperand(mlir_of(placement, op), i));
    is_read = is_read || genie_place_problem_is_state(problem_of(placement), root);
  }
  return is_read;
}

static int64_t op_time_ns(const genie_plugin_placement_t *placement, int op, int device) {
  if (!is_op(placement, op) || !is_device(placement, device)) {
    return -1;
  }
  const int64_t time = *time_of(problem_of(placement), node_of(op), (uint32_t)device);
  return time == GENIE_PLACEMENT_NEVER ? -1 : time;
}

static int op_pin(const genie_plugin_placement_t *placement, int op) {
  const uint32_t pin = is_op(placement, op) ? problem_of(placement)->pin[node_of(op)] : GENIE_PLACEMENT_NONE;
  return pin == GENIE_PLACEMENT_NONE ? -1 : (int)pin;
}

//===-- Edges -----------------------------------------------------------------------------------------------------===//

static int edge_count(const genie_plugin_placement_t *placement) {
  const genie_placement_problem_t *problem = &problem_of(placement)->placement;
  return (int)problem->first_input[problem->node_count];
}

static int op_of_node(const genie_placement_problem_t *problem, uint32_t node) {
  return node == 0 || node + 1 == problem->node_count ? GENIE_PLUGIN_CALLER : (int)node - 1;
}

static bool edge(const genie_plugin_placement_t *placement, int number, int *out_from, int *out_to,
                 uint64_t *out_bytes) {
  const genie_placement_problem_t *problem = &problem_of(placement)->placement;
  if (number < 0 || number >= edge_count(placement)) {
    return false;
  }
  uint32_t reader = 0;  // the last node whose inputs begin at or before the edge
  for (uint32_t above = problem->node_count; above - reader > 1;) {
    const uint32_t middle = reader + (above - reader) / 2;
    *(problem->first_input[middle] <= (uint32_t)number ? &reader : &above) = middle;
  }
  const genie_placement_value_t *value = &problem->values[problem->inputs[number]];
  *out_from = op_of_node(problem, value->producer);
  *out_to = op_of_node(problem, reader);
  *out_bytes = value->size_bytes;
  return true;
}

//===-- Answers ---------------------------------------------------------------------------------------------------===//

// The devices on which `node` may run, as bits.
static uint64_t allowed_devices(const genie_place_problem_t *problem, uint32_t node) {
  uint64_t allowed = 0;
  for (uint32_t d = 0; d < problem->client; ++d) {
    allowed |= (uint64_t)genie_placement_allows(&problem->placement, node, d) << d;
  }
  return allowed;
}

// The devices on which all that must be together with `node` may run, as bits.
static uint64_t devices_left(const genie_place_problem_t *problem, uint32_t node) {
  const uint32_t group = problem->group[node];
  uint64_t left = allowed_devices(problem, node);
  for (uint32_t other = 1; group != GENIE_PLACEMENT_NONE && other + 1 < problem->placement.node_count; ++other) {
    if (problem->group[other] == group) {
      left &= allowed_devices(problem, other);
    }
  }
  return left;
}

static bool keep_together(genie_plugin_placement_t *placement, int op, int other) {
  genie_place_problem_t *problem = placement->problem;
  if (!is_op(placement, op) || !is_op(placement, other) ||
      (devices_left(problem, node_of(op)) & devices_left(problem, node_of(other))) == 0) {
    return false;
  }
  genie_place_problem_join(problem, node_of(op), node_of(other));
  return true;
}

static bool pin(genie_plugin_placement_t *placement, int op, int device) {
  genie_place_problem_t *problem = placement->problem;
  if (!is_op(placement, op) || !is_device(placement, device) ||
      (devices_left(problem, node_of(op)) >> device & 1) == 0) {
    return false;
  }
  problem->pin[node_of(op)] = (uint32_t)device;
  return true;
}

static bool forbid(genie_plugin_placement_t *placement, int op, int device) {
  if (!is_op(placement, op) || !is_device(placement, device) || op_pin(placement, op) == device) {
    return false;
  }
  *time_of(placement->problem, node_of(op), (uint32_t)device) = GENIE_PLACEMENT_NEVER;
  return true;
}

static bool add_cost(genie_plugin_placement_t *placement, int op, int device, int64_t ns) {
  if (op_time_ns(placement, op, device) < 0) {
    return false;
  }
  int64_t *time = time_of(placement->problem, node_of(op), (uint32_t)device);
  int64_t sum;
  if (__builtin_add_overflow(*time, ns, &sum) || sum > GENIE_PLACEMENT_MAX_NS) {
    sum = ns > 0 ? GENIE_PLACEMENT_MAX_NS : 0;
  }
  sum = sum < 0 ? 0 : sum;
  placement->problem->added_ns[time - placement->problem->time_ns] += sum - *time;
  *time = sum;
  return true;
}

static const genie_plugin_placement_host_t HOST = {
    .abi = GENIE_PLUGIN_ABI,
    .struct_bytes = sizeof(genie_plugin_placement_host_t),
    .device_count = device_count,
    .device_name = device_name,
    .device_kind = device_kind,
    .device_flops_per_s = device_flops_per_s,
    .device_bytes_per_s = device_bytes_per_s,
    .device_memory_bytes = device_memory_bytes,
    .link = link,
    .op_count = op_count,
    .op_kind = op_kind,
    .op_attribute_i64 = op_attribute_i64,
    .op_attribute_f64 = op_attribute_f64,
    .op_attribute_string = op_attribute_string,
    .op_said = op_said,
    .op_flops = op_flops,
    .op_resident_bytes = op_resident_bytes,
    .op_reads_state = op_reads_state,
    .op_time_ns = op_time_ns,
    .op_pin = op_pin,
    .edge_count = edge_count,
    .edge = edge,
    .keep_together = keep_together,
    .pin = pin,
    .forbid = forbid,
    .add_cost = add_cost,
};

//===-- Checking and running --------------------------------------------------------------------------------------===//

genie_status_t genie_policy_plugin_check(const genie_plugin_t *plugin) {
  for (int i = 0; i < plugin->policy_count; ++i) {
    if (plugin->policies[i].name == NULL || plugin->policies[i].run == NULL) {
      return genie_status_make(GENIE_STATUS_INVALID_ARGUMENT, "--plugin=%s: policy %d has no name or no function",
                               plugin->path, i);
    }
  }
  return GENIE_OK;
}

// INVALID_ARGUMENT names an op that may run nowhere.
static genie_status_t check_choices(const genie_place_problem_t *problem) {
  genie_status_t status = GENIE_OK;
  const uint32_t count = problem->placement.node_count;
  uint64_t *forbidden;  // [group] the devices that some member must not run on
  GENIE_RETURN_IF_ERROR(
      genie_arena_allocate(problem->arena, (size_t)count + 1, sizeof(*forbidden), (void **)&forbidden));
  for (uint32_t node = 1; node + 1 < count && status == GENIE_OK; ++node) {
    uint64_t allowed = allowed_devices(problem, node);
    if (problem->group[node] != GENIE_PLACEMENT_NONE) {
      forbidden[problem->group[node]] |= ~allowed;
      allowed = ~forbidden[problem->group[node]];
    }
    if (allowed == 0) {
      char module[256] = "";
      (void)said_of(problem->ops[node], "module", sizeof module, module);
      status = genie_status_make(GENIE_STATUS_INVALID_ARGUMENT, "leaves no device for %s of module '%s'",
                                 mlirIdentifierStr(mlirOperationGetName(problem->ops[node])).data, module);
    }
  }
  return status;
}

static genie_status_t run_policy(const genie_plugin_t *plugin, const genie_plugin_policy_t *policy,
                                 genie_plugin_placement_t *placement) {
  const int result = policy->run(&HOST, placement);
  const genie_status_t status = result == 0 ? check_choices(placement->problem)
                                            : genie_status_make(GENIE_STATUS_INVALID_ARGUMENT, "fails with %d", result);
  return genie_status_annotate(status, "plugin %s: policy %s", plugin->path, policy->name);
}

static genie_status_t name_devices(genie_plugin_placement_t *placement) {
  genie_place_problem_t *problem = placement->problem;
  const MlirOperation module = mlirOperationGetParentOperation(problem->function);
  const MlirAttribute places = mlirOperationGetAttributeByName(module, mlirStringRefCreateFromCString("genie.places"));
  GENIE_RETURN_IF_ERROR(genie_arena_allocate(problem->arena, (size_t)problem->client + 1, sizeof(char *),
                                             (void **)&placement->device_names));
  for (uint32_t d = 0; d < problem->client; ++d) {
    const MlirAttribute name = mlirAttributeIsNull(places)
                                   ? (MlirAttribute){NULL}
                                   : mlirDictionaryAttrGetElementByName(mlirArrayAttrGetElement(places, (intptr_t)d),
                                                                        mlirStringRefCreateFromCString("name"));
    const bool has_name = !mlirAttributeIsNull(name) && mlirAttributeIsAString(name);
    const MlirStringRef text = has_name ? mlirStringAttrGetValue(name) : mlirStringRefCreateFromCString("local:cpu0");
    char *copy;
    GENIE_RETURN_IF_ERROR(genie_arena_copy_string(problem->arena, text.data, text.length, &copy));
    placement->device_names[d] = copy;
  }
  return GENIE_OK;
}

genie_status_t genie_policy_plugins_run(const genie_plugins_t *plugins, genie_place_problem_t *problem) {
  genie_plugin_placement_t placement = {.problem = problem};
  if (plugins == NULL) {
    return GENIE_OK;
  }
  GENIE_RETURN_IF_ERROR(name_devices(&placement));
  for (int i = 0; i < plugins->count; ++i) {
    for (int k = 0; k < plugins->plugins[i].policy_count; ++k) {
      GENIE_RETURN_IF_ERROR(run_policy(&plugins->plugins[i], &plugins->plugins[i].policies[k], &placement));
    }
  }
  return GENIE_OK;
}
