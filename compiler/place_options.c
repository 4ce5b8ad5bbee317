#include "compiler/place_options.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ir/place.h"
#include "runtime/pool/pool.h"

enum {
  NAME_BYTES = 128,
  MAX_RULES = 1024,
  MAX_FIELDS = 16,
  MAX_LINKS = GENIE_IR_MAX_PLACES * (GENIE_IR_MAX_PLACES + 2)
};

// "@split=SEED/COUNT" instead of rules: the tests' way to cut a model anywhere.
static const char kSplit[] = "@split=";

typedef struct place {
  char name[NAME_BYTES];
  char kind[32];
  uint32_t node;                      // of the pool
  const genie_pool_device_t *device;  // NULL without a pool
} place_t;

typedef struct builder {
  const genie_compiler_options_t *options;
  MlirContext context;
  MlirOperation top;
  genie_pool_t *pool;  // or NULL
  place_t places[GENIE_IR_MAX_PLACES];
  int place_count;
  MlirAttribute rules[MAX_RULES];
  int rule_count;
} builder_t;

static MlirNamedAttribute named(MlirContext context, const char *name, MlirAttribute value) {
  return mlirNamedAttributeGet(mlirIdentifierGet(context, mlirStringRefCreateFromCString(name)), value);
}

static void set(const builder_t *builder, const char *name, MlirAttribute value) {
  mlirOperationSetAttributeByName(builder->top, mlirStringRefCreateFromCString(name), value);
}

//===-- Places ----------------------------------------------------------------------------------------------------===//

// Without a pool the device's name says its kind: "cpu0".
static genie_status_t kind_of_name(const char *name, size_t capacity, char *out_kind) {
  static const char *const kinds[] = {"cpu", "cuda", "null"};
  const char *colon = strchr(name, ':');
  const size_t length = colon != NULL && colon != name ? strcspn(colon + 1, "0123456789") : 0;
  for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; ++i) {
    if (strlen(kinds[i]) == length && strncmp(colon + 1, kinds[i], length) == 0 &&
        strspn(colon + 1 + length, "0123456789") == strlen(colon + 1 + length)) {
      snprintf(out_kind, capacity, "%s", kinds[i]);
      return GENIE_OK;
    }
  }
  return genie_status_make(GENIE_STATUS_INVALID_ARGUMENT,
                           "place '%.64s': give NODE:DEVICE as in node1:cpu0; devices are cpu, cuda and null", name);
}

static genie_status_t find_in_pool(const builder_t *builder, place_t *place) {
  uint32_t device = 0;
  GENIE_RETURN_IF_ERROR(genie_pool_find_place(builder->pool, place->name, &place->node, &device));
  place->device = &builder->pool->nodes[place->node].devices[device];
  snprintf(place->kind, sizeof place->kind, "%s", place->device->kind);
  return GENIE_OK;
}

// The number of the place, a new one where it is named for the first time.
static genie_status_t require_place(builder_t *builder, const char *name, int *out_place) {
  for (int i = 0; i < builder->place_count; ++i) {
    if (strcmp(builder->places[i].name, name) == 0) {
      *out_place = i;
      return GENIE_OK;
    }
  }
  if (builder->place_count == GENIE_IR_MAX_PLACES || strlen(name) >= NAME_BYTES) {
    return genie_status_make(GENIE_STATUS_INVALID_ARGUMENT,
                             "place '%.64s': a plan has at most %d places, and names of less than %d bytes", name,
                             GENIE_IR_MAX_PLACES, NAME_BYTES);
  }
  place_t *place = &builder->places[builder->place_count];
  *place = (place_t){0};
  snprintf(place->name, sizeof place->name, "%s", name);
  GENIE_RETURN_IF_ERROR(builder->pool != NULL ? find_in_pool(builder, place)
                                              : kind_of_name(name, sizeof place->kind, place->kind));
  *out_place = builder->place_count++;
  return GENIE_OK;
}

// The first devices of the pool, nodes that the file names before the implied one.
static genie_status_t require_pool_devices(builder_t *builder, int count) {
  const genie_pool_t *pool = builder->pool;
  for (int is_implied = 0; is_implied < 2; ++is_implied) {
    for (uint32_t node = 0; node < pool->node_count; ++node) {
      for (uint32_t i = 0; i < pool->nodes[node].device_count && builder->place_count < count; ++i) {
        char name[NAME_BYTES];
        int place = 0;
        snprintf(name, sizeof name, "%s:%s", pool->nodes[node].name, pool->nodes[node].devices[i].name);
        if (pool->nodes[node].is_implied == (is_implied != 0)) {
          GENIE_RETURN_IF_ERROR(require_place(builder, name, &place));
        }
      }
    }
  }
  return builder->place_count == count
             ? GENIE_OK
             : genie_status_make(GENIE_STATUS_INVALID_ARGUMENT, "--place: %d places of a pool of %d devices", count,
                                 builder->place_count);
}

//===-- Rules -----------------------------------------------------------------------------------------------------===//

static genie_status_t add_rule(builder_t *builder, const char *text) {
  const char *equals = strrchr(text, '=');
  if (equals == NULL || equals == text || builder->rule_count == MAX_RULES) {
    return genie_status_make(GENIE_STATUS_INVALID_ARGUMENT,
                             "--place=%.64s: give PATTERN=NODE:DEVICE as in encoder.*=node1:cpu0, at most %d times",
                             text, MAX_RULES);
  }
  int place = 0;
  GENIE_RETURN_IF_ERROR(genie_status_annotate(require_place(builder, equals + 1, &place), "--place=%.64s", text));
  const MlirNamedAttribute fields[] = {
      named(builder->context, "pattern",
            mlirStringAttrGet(builder->context, mlirStringRefCreate(text, (size_t)(equals - text)))),
      named(builder->context, "place", genie_ir_i64_attr(builder->context, place)),
  };
  builder->rules[builder->rule_count++] = mlirDictionaryAttrGet(builder->context, 2, fields);
  return GENIE_OK;
}

static genie_status_t split(builder_t *builder, const char *text) {
  char *end = NULL;
  const long long seed = strtoll(text + strlen(kSplit), &end, 10);
  const long long count = *end == '/' ? strtoll(end + 1, &end, 10) : 0;
  if (*end != '\0' || count < 1 || count > GENIE_IR_MAX_PLACES) {
    return genie_status_make(GENIE_STATUS_INVALID_ARGUMENT, "--place=%.64s: give @split=SEED/COUNT", text);
  }
  if (builder->pool != NULL) {
    GENIE_RETURN_IF_ERROR(require_pool_devices(builder, (int)count));
  }
  for (int i = 0; builder->pool == NULL && i < count; ++i) {
    char name[NAME_BYTES];
    int place = 0;
    snprintf(name, sizeof name, "local:cpu%d", i);
    GENIE_RETURN_IF_ERROR(require_place(builder, name, &place));
  }
  const int64_t numbers[] = {seed, count};
  set(builder, "genie.place_split", genie_ir_i64_array_attr(builder->context, 2, numbers));
  return GENIE_OK;
}

static genie_status_t read_rules(builder_t *builder) {
  const genie_config_list_t *list = &builder->options->places;
  for (int i = 0; i < (int)list->count; ++i) {
    const bool is_split = strncmp(list->values[i], kSplit, strlen(kSplit)) == 0;
    GENIE_RETURN_IF_ERROR(is_split ? split(builder, list->values[i]) : add_rule(builder, list->values[i]));
  }
  return GENIE_OK;
}

//===-- Attributes ------------------------------------------------------------------------------------------------===//

// A figure that nobody measured is 0 and left out.
static void add_figure(const builder_t *builder, const char *name, double value, MlirNamedAttribute *fields,
                       int *count) {
  if (value > 0) {
    fields[(*count)++] = named(builder->context, name, genie_ir_f64_attr(builder->context, value));
  }
}

static void add_device(const builder_t *builder, const genie_pool_device_t *device, MlirNamedAttribute *fields,
                       int *count) {
  MlirNamedAttribute flops[GENIE_POOL_DTYPE_COUNT];
  int flops_count = 0;
  for (int dtype = 1; dtype < GENIE_POOL_DTYPE_COUNT; ++dtype) {
    add_figure(builder, genie_dtype_name((genie_dtype_t)dtype), device->flops_per_s[dtype], flops, &flops_count);
  }
  if (flops_count > 0) {
    fields[(*count)++] = named(builder->context, "flops", mlirDictionaryAttrGet(builder->context, flops_count, flops));
  }
  add_figure(builder, "memory_bytes_per_s", device->memory_bytes_per_s, fields, count);
  add_figure(builder, "launch_ns", device->launch_ns, fields, count);
  add_figure(builder, "memory_bytes", (double)device->memory_bytes, fields, count);
}

static void set_places(const builder_t *builder) {
  MlirAttribute places[GENIE_IR_MAX_PLACES];
  for (int i = 0; i < builder->place_count; ++i) {
    const place_t *place = &builder->places[i];
    MlirNamedAttribute fields[MAX_FIELDS] = {
        named(builder->context, "name", genie_ir_string_attr(builder->context, place->name)),
        named(builder->context, "kind", genie_ir_string_attr(builder->context, place->kind)),
    };
    int count = 2;
    if (place->device != NULL) {
      add_device(builder, place->device, fields, &count);
    }
    places[i] = mlirDictionaryAttrGet(builder->context, count, fields);
  }
  set(builder, "genie.places", mlirArrayAttrGet(builder->context, builder->place_count, places));
}

// Between devices of one node bytes move through its memory.
static const genie_pool_link_t kInsideNode = {.bytes_per_s = 1e10, .latency_ns = 5000};

static const genie_pool_link_t *find_link(const builder_t *builder, uint32_t from, uint32_t to) {
  return from == to ? &kInsideNode : genie_pool_find_link(builder->pool, from, to);
}

// A link between places, -1 being the client, unless nobody measured it.
static void add_link(const builder_t *builder, int from, int to, const genie_pool_link_t *link, MlirAttribute *links,
                     int *link_count) {
  if (link == NULL || from == to || link->bytes_per_s <= 0) {
    return;
  }
  MlirNamedAttribute fields[MAX_FIELDS] = {
      named(builder->context, "from", genie_ir_i64_attr(builder->context, from)),
      named(builder->context, "to", genie_ir_i64_attr(builder->context, to)),
  };
  int count = 2;
  add_figure(builder, "bytes_per_s", link->bytes_per_s, fields, &count);
  add_figure(builder, "latency_ns", link->latency_ns, fields, &count);
  links[(*link_count)++] = mlirDictionaryAttrGet(builder->context, count, fields);
}

static genie_status_t set_links(const builder_t *builder) {
  MlirAttribute links[MAX_LINKS];
  int count = 0;
  uint32_t client = 0;
  GENIE_RETURN_IF_ERROR(genie_pool_find_node(builder->pool, GENIE_POOL_LOCAL_NODE, &client));
  for (int from = 0; from < builder->place_count; ++from) {
    const uint32_t node = builder->places[from].node;
    add_link(builder, -1, from, find_link(builder, client, node), links, &count);
    add_link(builder, from, -1, find_link(builder, node, client), links, &count);
    for (int to = 0; to < builder->place_count; ++to) {
      add_link(builder, from, to, find_link(builder, node, builder->places[to].node), links, &count);
    }
  }
  if (count > 0) {
    set(builder, "genie.links", mlirArrayAttrGet(builder->context, count, links));
  }
  return GENIE_OK;
}

//===-- Objective -------------------------------------------------------------------------------------------------===//

static bool is_measured(const genie_pool_t *pool) {
  for (uint32_t node = 0; node < pool->node_count; ++node) {
    for (uint32_t i = 0; i < pool->nodes[node].device_count && !pool->nodes[node].is_implied; ++i) {
      const genie_pool_device_t *device = &pool->nodes[node].devices[i];
      if (device->memory_bytes_per_s <= 0 || device->flops_per_s[GENIE_DTYPE_F32] <= 0) {
        return false;
      }
    }
  }
  return true;
}

// What the user asked for, or "latency" where the pool's figures are good enough to choose by.
static genie_status_t read_objective(builder_t *builder, const char **out_objective) {
  const char *objective = builder->options->objective;
  *out_objective = NULL;
  if (objective == NULL) {
    *out_objective = builder->pool != NULL && is_measured(builder->pool) ? "latency" : NULL;
    return GENIE_OK;
  }
  if (strcmp(objective, "latency") != 0 && strcmp(objective, "throughput") != 0 && strcmp(objective, "none") != 0) {
    return genie_status_make(GENIE_STATUS_INVALID_ARGUMENT, "--objective=%.64s: give latency, throughput or none",
                             objective);
  }
  if (strcmp(objective, "none") == 0) {
    return GENIE_OK;
  }
  if (builder->pool == NULL) {
    return genie_status_make(GENIE_STATUS_INVALID_ARGUMENT, "--objective=%s: needs a --pool to choose from", objective);
  }
  *out_objective = objective;
  return GENIE_OK;
}

static genie_status_t set_micro_batches(builder_t *builder, const char *objective) {
  const char *text = builder->options->micro_batches;
  if (text == NULL || strcmp(text, "auto") == 0) {
    return GENIE_OK;
  }
  char *end;
  const long count = strtol(text, &end, 10);
  if (*end != '\0' || end == text || count < 1 || count > 4096) {
    return genie_status_make(GENIE_STATUS_INVALID_ARGUMENT, "--micro-batches=%.64s: give auto or a number from 1 on",
                             text);
  }
  if (objective == NULL && count > 1) {
    return genie_status_make(GENIE_STATUS_INVALID_ARGUMENT,
                             "--micro-batches=%ld: needs a measured --pool and an objective", count);
  }
  set(builder, "genie.micro_batches", genie_ir_i64_attr(builder->context, count));
  return GENIE_OK;
}

// All devices of the nodes that the file names.
static genie_status_t require_all_devices(builder_t *builder) {
  int count = 0;
  for (uint32_t node = 0; node < builder->pool->node_count; ++node) {
    count += builder->pool->nodes[node].is_implied ? 0 : (int)builder->pool->nodes[node].device_count;
  }
  return require_pool_devices(builder, count > 0 ? count : 1);
}

// The devices of the pool and, last, the client.
static genie_status_t require_blind_places(builder_t *builder) {
  const char *mode = builder->options->semantics;
  if (strcmp(mode, "handle") != 0 && strcmp(mode, "delta") != 0 && strcmp(mode, "off") != 0) {
    return genie_status_make(GENIE_STATUS_INVALID_ARGUMENT, "--semantics=%.64s: give full, handle, delta or off", mode);
  }
  if (builder->pool == NULL || builder->options->places.count > 0) {
    return genie_status_make(GENIE_STATUS_INVALID_ARGUMENT,
                             "--semantics=%s: places by the memory of a --pool, and takes no --place", mode);
  }
  int place = 0;
  GENIE_RETURN_IF_ERROR(require_all_devices(builder));
  set(builder, "genie.semantics", genie_ir_string_attr(builder->context, mode));
  return require_place(builder, "local:cpu0", &place);
}

// What the user allows to travel narrower than it is.
static genie_status_t read_narrowing(const builder_t *builder) {
  const char *dtype = builder->options->allow_narrow;
  if (dtype == NULL) {
    return GENIE_OK;
  }
  if (strcmp(dtype, "bf16") != 0 && strcmp(dtype, "f16") != 0) {
    return genie_status_make(GENIE_STATUS_INVALID_ARGUMENT, "--allow-narrow=%.64s: give bf16 or f16", dtype);
  }
  if (builder->options->semantics != NULL && strcmp(builder->options->semantics, "full") != 0) {
    return genie_status_make(GENIE_STATUS_INVALID_ARGUMENT,
                             "--allow-narrow=%s: a semantics-blind system sends what it has, without it", dtype);
  }
  set(builder, "genie.allow_narrow", genie_ir_string_attr(builder->context, dtype));
  return GENIE_OK;
}

static bool is_blind(const genie_compiler_options_t *options) {
  return options->semantics != NULL && strcmp(options->semantics, "full") != 0;
}

static genie_status_t build(builder_t *builder) {
  const char *objective = NULL;
  if (builder->options->pool != NULL) {
    GENIE_RETURN_IF_ERROR(genie_pool_open(builder->options->pool, genie_allocator_heap(), &builder->pool));
  }
  GENIE_RETURN_IF_ERROR(read_objective(builder, &objective));
  if (is_blind(builder->options)) {
    objective = NULL;
    GENIE_RETURN_IF_ERROR(require_blind_places(builder));
  } else if (builder->pool != NULL) {
    GENIE_RETURN_IF_ERROR(objective != NULL ? require_all_devices(builder) : require_pool_devices(builder, 1));
  }
  if (objective != NULL) {
    set(builder, "genie.objective", genie_ir_string_attr(builder->context, objective));
  }
  GENIE_RETURN_IF_ERROR(read_narrowing(builder));
  GENIE_RETURN_IF_ERROR(set_micro_batches(builder, objective));
  GENIE_RETURN_IF_ERROR(read_rules(builder));
  set_places(builder);
  if (builder->rule_count > 0) {
    set(builder, "genie.place_rules", mlirArrayAttrGet(builder->context, builder->rule_count, builder->rules));
  }
  if (builder->pool != NULL) {
    GENIE_RETURN_IF_ERROR(set_links(builder));
  }
  return GENIE_OK;
}

genie_status_t genie_place_options_apply(const genie_compiler_options_t *options, MlirModule module) {
  if (options->pool == NULL && options->places.count == 0 && options->objective == NULL &&
      options->allow_narrow == NULL && options->micro_batches == NULL && !is_blind(options)) {
    return GENIE_OK;
  }
  builder_t *builder = NULL;
  GENIE_RETURN_IF_ERROR(genie_allocator_allocate_array(genie_allocator_heap(), 1, sizeof *builder, (void **)&builder));
  builder->options = options;
  builder->top = mlirModuleGetOperation(module);
  builder->context = mlirModuleGetContext(module);
  const genie_status_t status = build(builder);
  genie_pool_close(builder->pool);
  genie_allocator_free(genie_allocator_heap(), builder);
  return status;
}
