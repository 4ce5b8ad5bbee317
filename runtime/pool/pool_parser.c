// From JSON to a pool: one table of fields for each kind of object. A field that no table names is an error, so that a
// misspelled one is never ignored.
#include <errno.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/pool/json_line.h"
#include "runtime/pool/pool.h"
#include "runtime/pool/pool_names.h"

enum { kMostSteps = 8, kMostPathBytes = 512, kMostMessageBytes = 512, kMostKeyBytes = 64 };
static const double kMostRate = 1e24;
static const json_int_t kMostBytes = (json_int_t)1 << 60;

// The text, and where in it the reader is.
typedef struct reader {
  const char *text;
  size_t size_bytes;
  const char *name;
  genie_pool_t *pool;
  uint8_t *linked;  // a bit for each pair of nodes that has a link
  genie_json_step_t steps[kMostSteps];
  size_t step_count;
} reader_t;

typedef struct field {
  const char *name;
  genie_status_t (*read)(reader_t *reader, const json_t *value, void *out);
  size_t offset;  // of what `read` fills, in the object's struct
  bool is_required;
} field_t;

// ---- Errors ----

static void make_printable(char *text) {
  for (; *text != '\0'; ++text) {
    if ((unsigned char)*text < ' ' || *text == 0x7f) {
      *text = '?';
    }
  }
}

static void format_path(const reader_t *reader, char out_path[kMostPathBytes]) {
  size_t length = 0;
  out_path[0] = '\0';
  for (size_t i = 0; i < reader->step_count; ++i) {
    const genie_json_step_t *step = &reader->steps[i];
    const size_t room = kMostPathBytes - length;
    const int written = step->key != NULL
                            ? snprintf(out_path + length, room, "%s%.*s", i == 0 ? "" : ".", kMostKeyBytes, step->key)
                            : snprintf(out_path + length, room, "[%u]", step->index);
    length += written < 0 ? 0 : (size_t)written < room ? (size_t)written : room - 1;
  }
  make_printable(out_path);
}

static genie_status_t fail_with(const reader_t *reader, genie_status_code_t code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static genie_status_t fail_with(const reader_t *reader, genie_status_code_t code, const char *format, ...) {
  char message[kMostMessageBytes], path[kMostPathBytes];
  va_list args;
  va_start(args, format);
  vsnprintf(message, sizeof(message), format, args);
  va_end(args);
  make_printable(message);
  format_path(reader, path);
  const uint32_t line = genie_json_line(reader->text, reader->size_bytes, reader->steps, reader->step_count);
  return genie_status_make(code, "%s:%u: %s%s%s", reader->name, line, path, path[0] == '\0' ? "" : ": ", message);
}

#define FAIL(reader, ...) fail_with(reader, GENIE_STATUS_INVALID_ARGUMENT, __VA_ARGS__)

// ---- Objects and arrays ----

static void enter(reader_t *reader, const char *key, size_t index) {
  reader->steps[reader->step_count++] = (genie_json_step_t){.key = key, .index = (uint32_t)index};
}

static void leave(reader_t *reader) {
  --reader->step_count;
}

static const field_t *find_field(const field_t *fields, size_t count, const char *name) {
  for (size_t i = 0; i < count; ++i) {
    if (strcmp(fields[i].name, name) == 0) {
      return &fields[i];
    }
  }
  return NULL;
}

static genie_status_t refuse_unknown(reader_t *reader, const json_t *object, const field_t *fields, size_t count) {
  const char *key;
  json_t *value;
  json_object_foreach((json_t *)object, key, value) {
    if (find_field(fields, count, key) == NULL) {
      enter(reader, key, 0);
      return FAIL(reader, "there is no such field");
    }
  }
  return GENIE_OK;
}

// Fields are read in the table's order, whatever the file's.
static genie_status_t read_object(reader_t *reader, const json_t *value, const field_t *fields, size_t count,
                                  void *out) {
  if (!json_is_object(value)) {
    return FAIL(reader, "must be an object");
  }
  GENIE_RETURN_IF_ERROR(refuse_unknown(reader, value, fields, count));
  for (size_t i = 0; i < count; ++i) {
    const json_t *member = json_object_get(value, fields[i].name);
    if (member == NULL && fields[i].is_required) {
      return FAIL(reader, "has no field '%s'", fields[i].name);
    }
    if (member != NULL) {
      enter(reader, fields[i].name, 0);
      GENIE_RETURN_IF_ERROR(fields[i].read(reader, member, (char *)out + fields[i].offset));
      leave(reader);
    }
  }
  return GENIE_OK;
}

// Allocates the elements, and `spare` more after them.
static genie_status_t begin_array(reader_t *reader, const json_t *value, size_t limit, size_t element_bytes,
                                  size_t spare, void **out_elements, uint32_t *out_count) {
  if (!json_is_array(value)) {
    return FAIL(reader, "must be an array");
  }
  const size_t count = json_array_size(value);
  if (count > limit) {
    return fail_with(reader, GENIE_STATUS_OUT_OF_RANGE, "has %zu elements, more than %zu", count, limit);
  }
  *out_count = (uint32_t)count;
  return genie_arena_allocate(&reader->pool->arena, count + spare, element_bytes, out_elements);
}

// ---- Values ----

static genie_status_t read_text(reader_t *reader, const json_t *value, const char **out_text) {
  char *copy = NULL;
  if (!json_is_string(value)) {
    return FAIL(reader, "must be a string");
  }
  GENIE_RETURN_IF_ERROR(
      genie_arena_copy_string(&reader->pool->arena, json_string_value(value), json_string_length(value), &copy));
  *out_text = copy;
  return GENIE_OK;
}

static genie_status_t read_name(reader_t *reader, const json_t *value, void *out) {
  const char *name = NULL;
  GENIE_RETURN_IF_ERROR(read_text(reader, value, &name));
  if (!genie_pool_is_name(name)) {
    return FAIL(reader, "'%.64s' is no name: at most %d letters, digits, '.', '_', '-', the first a letter or digit",
                name, GENIE_POOL_MAX_NAME_BYTES);
  }
  *(const char **)out = name;
  return GENIE_OK;
}

static genie_status_t read_bytes(reader_t *reader, const json_t *value, void *out) {
  if (!json_is_integer(value) || json_integer_value(value) < 0 || json_integer_value(value) > kMostBytes) {
    return FAIL(reader, "must be a whole number of bytes, at most 2^60");
  }
  *(uint64_t *)out = (uint64_t)json_integer_value(value);
  return GENIE_OK;
}

static genie_status_t read_rate(reader_t *reader, const json_t *value, void *out) {
  const double rate = json_number_value(value);
  if (!json_is_number(value) || !(rate >= 0 && rate <= kMostRate)) {
    return FAIL(reader, "must be a number from 0 to %g", kMostRate);
  }
  *(double *)out = rate;
  return GENIE_OK;
}

static genie_status_t read_flag(reader_t *reader, const json_t *value, void *out) {
  if (!json_is_boolean(value)) {
    return FAIL(reader, "must be true or false");
  }
  *(bool *)out = json_is_true(value);
  return GENIE_OK;
}

static genie_status_t read_version(reader_t *reader, const json_t *value, void *out) {
  (void)out;
  if (!json_is_integer(value) || json_integer_value(value) < 1) {
    return FAIL(reader, "must be %d", GENIE_POOL_VERSION);
  }
  return json_integer_value(value) == GENIE_POOL_VERSION
             ? GENIE_OK
             : fail_with(reader, GENIE_STATUS_UNIMPLEMENTED, "this Genie reads version %d only", GENIE_POOL_VERSION);
}

// ---- Devices ----

static genie_status_t read_flops(reader_t *reader, const json_t *value, void *out) {
  double *flops_per_s = out;
  const char *key;
  json_t *rate;
  if (!json_is_object(value)) {
    return FAIL(reader, "must be an object of numbers by dtype");
  }
  json_object_foreach((json_t *)value, key, rate) {
    const genie_dtype_t dtype = genie_dtype_parse(key, strlen(key));
    enter(reader, key, 0);
    if (dtype == GENIE_DTYPE_INVALID) {
      return FAIL(reader, "there is no such dtype");
    }
    GENIE_RETURN_IF_ERROR(read_rate(reader, rate, &flops_per_s[dtype]));
    leave(reader);
  }
  return GENIE_OK;
}

static const field_t kDeviceFields[] = {
    {.name = "name", .read = read_name, .offset = offsetof(genie_pool_device_t, name), .is_required = true},
    {.name = "kind", .read = read_name, .offset = offsetof(genie_pool_device_t, kind), .is_required = true},
    {.name = "memory_bytes", .read = read_bytes, .offset = offsetof(genie_pool_device_t, memory_bytes)},
    {.name = "flops_per_s", .read = read_flops, .offset = offsetof(genie_pool_device_t, flops_per_s)},
    {.name = "memory_bytes_per_s", .read = read_rate, .offset = offsetof(genie_pool_device_t, memory_bytes_per_s)},
    {.name = "launch_ns", .read = read_rate, .offset = offsetof(genie_pool_device_t, launch_ns)},
};

static genie_status_t refuse_same_device(reader_t *reader, const genie_pool_device_t *devices, size_t index) {
  for (size_t i = 0; i < index; ++i) {
    if (strcmp(devices[i].name, devices[index].name) == 0) {
      return FAIL(reader, "has the name '%s', as [%zu] has", devices[index].name, i);
    }
  }
  return GENIE_OK;
}

static genie_status_t read_devices(reader_t *reader, const json_t *value, void *out) {
  genie_pool_node_t *node = out;
  void *elements = NULL;
  GENIE_RETURN_IF_ERROR(begin_array(reader, value, GENIE_POOL_MAX_DEVICES, sizeof(genie_pool_device_t), 0, &elements,
                                    &node->device_count));
  node->devices = elements;
  for (size_t i = 0; i < node->device_count; ++i) {
    enter(reader, NULL, i);
    GENIE_RETURN_IF_ERROR(read_object(reader, json_array_get(value, i), kDeviceFields,
                                      sizeof(kDeviceFields) / sizeof(kDeviceFields[0]), &node->devices[i]));
    GENIE_RETURN_IF_ERROR(refuse_same_device(reader, node->devices, i));
    leave(reader);
  }
  return GENIE_OK;
}

// ---- Nodes ----

static genie_status_t read_address(reader_t *reader, const json_t *value, void *out) {
  genie_pool_node_t *node = out;
  char host[GENIE_POOL_MAX_HOST_BYTES + 1];
  char *copy = NULL;
  GENIE_RETURN_IF_ERROR(read_text(reader, value, &node->address));
  if (!genie_pool_split_address(node->address, host, &node->port)) {
    return FAIL(reader, "'%.64s' is no address: write \"HOST:PORT\", or \"[IPV6]:PORT\"", node->address);
  }
  GENIE_RETURN_IF_ERROR(genie_arena_copy_string(&reader->pool->arena, host, strlen(host), &copy));
  node->host = copy;
  return GENIE_OK;
}

static genie_status_t read_key(reader_t *reader, const json_t *value, void *out) {
  genie_pool_node_t *node = out;
  const char *text = json_string_value(value);
  if (text == NULL || !genie_pool_read_key(text, node->key)) {
    return FAIL(reader, "must be \"sha256:\" and 64 lower-case hexadecimal digits");
  }
  node->has_key = true;
  return GENIE_OK;
}

static const field_t kNodeFields[] = {
    {.name = "name", .read = read_name, .offset = offsetof(genie_pool_node_t, name), .is_required = true},
    {.name = "address", .read = read_address},
    {.name = "key", .read = read_key},
    {.name = "devices", .read = read_devices},
};

static genie_status_t check_node(reader_t *reader, const genie_pool_node_t *nodes, size_t index) {
  const genie_pool_node_t *node = &nodes[index];
  const bool is_local = strcmp(node->name, GENIE_POOL_LOCAL_NODE) == 0;
  for (size_t i = 0; i < index; ++i) {
    if (strcmp(nodes[i].name, node->name) == 0) {
      return FAIL(reader, "has the name '%s', as [%zu] has", node->name, i);
    }
  }
  if (is_local && (node->address != NULL || node->has_key)) {
    return FAIL(reader, "'%s' is the embedded node of the calling process: it has no address and no key", node->name);
  }
  return is_local || node->address != NULL ? GENIE_OK : FAIL(reader, "has no field 'address'");
}

// The embedded node is there in every pool.
static genie_status_t imply_local_node(genie_pool_t *pool) {
  for (uint32_t i = 0; i < pool->node_count; ++i) {
    if (strcmp(pool->nodes[i].name, GENIE_POOL_LOCAL_NODE) == 0) {
      return GENIE_OK;
    }
  }
  void *device = NULL;
  GENIE_RETURN_IF_ERROR(genie_arena_allocate(&pool->arena, 1, sizeof(genie_pool_device_t), &device));
  *(genie_pool_device_t *)device = (genie_pool_device_t){.name = "cpu0", .kind = "cpu"};
  pool->nodes[pool->node_count++] =
      (genie_pool_node_t){.name = GENIE_POOL_LOCAL_NODE, .devices = device, .device_count = 1, .is_implied = true};
  return GENIE_OK;
}

static genie_status_t read_nodes(reader_t *reader, const json_t *value, void *out) {
  genie_pool_t *pool = out;
  void *elements = NULL;
  GENIE_RETURN_IF_ERROR(
      begin_array(reader, value, GENIE_POOL_MAX_NODES, sizeof(genie_pool_node_t), 1, &elements, &pool->node_count));
  pool->nodes = elements;
  for (size_t i = 0; i < pool->node_count; ++i) {
    enter(reader, NULL, i);
    GENIE_RETURN_IF_ERROR(read_object(reader, json_array_get(value, i), kNodeFields,
                                      sizeof(kNodeFields) / sizeof(kNodeFields[0]), &pool->nodes[i]));
    GENIE_RETURN_IF_ERROR(check_node(reader, pool->nodes, i));
    leave(reader);
  }
  return imply_local_node(pool);
}

// ---- Links ----

static genie_status_t read_link_end(reader_t *reader, const json_t *value, void *out) {
  const char *name = NULL;
  GENIE_RETURN_IF_ERROR(read_name(reader, value, &name));
  const genie_status_t found = genie_pool_find_node(reader->pool, name, out);
  if (found != GENIE_OK) {
    genie_status_free(found);
    return FAIL(reader, "there is no node '%s'", name);
  }
  return GENIE_OK;
}

static genie_status_t read_carrier(reader_t *reader, const json_t *value, void *out) {
  for (genie_pool_carrier_t carrier = GENIE_POOL_CARRIER_STREAM; carrier <= GENIE_POOL_CARRIER_UCX; ++carrier) {
    if (json_is_string(value) && strcmp(json_string_value(value), genie_pool_carrier_name(carrier)) == 0) {
      *(genie_pool_carrier_t *)out = carrier;
      return GENIE_OK;
    }
  }
  return FAIL(reader, "must be \"stream\" or \"ucx\"");
}

static const field_t kLinkFields[] = {
    {.name = "from", .read = read_link_end, .offset = offsetof(genie_pool_link_t, from), .is_required = true},
    {.name = "to", .read = read_link_end, .offset = offsetof(genie_pool_link_t, to), .is_required = true},
    {.name = "bytes_per_s", .read = read_rate, .offset = offsetof(genie_pool_link_t, bytes_per_s)},
    {.name = "latency_ns", .read = read_rate, .offset = offsetof(genie_pool_link_t, latency_ns)},
    {.name = "carrier", .read = read_carrier, .offset = offsetof(genie_pool_link_t, carrier)},
    {.name = "trusted", .read = read_flag, .offset = offsetof(genie_pool_link_t, is_trusted)},
};

static genie_status_t check_link(reader_t *reader, const genie_pool_link_t *link) {
  const uint32_t pair = link->from * reader->pool->node_count + link->to;
  const uint8_t bit = (uint8_t)(1u << (pair % 8));
  if (link->from == link->to) {
    return FAIL(reader, "leads from a node to itself");
  }
  if ((reader->linked[pair / 8] & bit) != 0) {
    return FAIL(reader, "is a second link from '%s' to '%s'", reader->pool->nodes[link->from].name,
                reader->pool->nodes[link->to].name);
  }
  reader->linked[pair / 8] |= bit;
  return link->carrier == GENIE_POOL_CARRIER_UCX && !link->is_trusted
             ? FAIL(reader, "carrier \"ucx\" neither encrypts nor authenticates: it needs \"trusted\": true")
             : GENIE_OK;
}

static genie_status_t read_links(reader_t *reader, const json_t *value, void *out) {
  genie_pool_t *pool = out;
  void *elements = NULL, *linked = NULL;
  GENIE_RETURN_IF_ERROR(
      begin_array(reader, value, GENIE_POOL_MAX_LINKS, sizeof(genie_pool_link_t), 0, &elements, &pool->link_count));
  GENIE_RETURN_IF_ERROR(
      genie_arena_allocate(&pool->arena, (size_t)pool->node_count * pool->node_count / 8 + 1, 1, &linked));
  pool->links = elements;
  reader->linked = linked;
  for (size_t i = 0; i < pool->link_count; ++i) {
    enter(reader, NULL, i);
    GENIE_RETURN_IF_ERROR(read_object(reader, json_array_get(value, i), kLinkFields,
                                      sizeof(kLinkFields) / sizeof(kLinkFields[0]), &pool->links[i]));
    GENIE_RETURN_IF_ERROR(check_link(reader, &pool->links[i]));
    leave(reader);
  }
  return GENIE_OK;
}

// ---- The file ----

static const field_t kPoolFields[] = {
    {.name = "version", .read = read_version, .is_required = true},
    {.name = "nodes", .read = read_nodes, .is_required = true},
    {.name = "links", .read = read_links},
};

static genie_status_t parse_into(reader_t *reader) {
  json_error_t error;
  json_t *root = json_loadb(reader->text, reader->size_bytes, JSON_REJECT_DUPLICATES, &error);
  if (root == NULL) {
    make_printable(error.text);
    return genie_status_make(GENIE_STATUS_INVALID_ARGUMENT, "%s:%d: %s", reader->name, error.line > 0 ? error.line : 1,
                             error.text);
  }
  const genie_status_t status =
      read_object(reader, root, kPoolFields, sizeof(kPoolFields) / sizeof(kPoolFields[0]), reader->pool);
  json_decref(root);
  return status;
}

genie_status_t genie_pool_parse(const char *text, size_t size_bytes, const char *name, genie_allocator_t allocator,
                                genie_pool_t **out_pool) {
  void *memory = NULL;
  if (size_bytes > GENIE_POOL_MAX_FILE_BYTES) {
    return genie_status_make(GENIE_STATUS_OUT_OF_RANGE, "%s: a pool descriptor has at most %d bytes", name,
                             GENIE_POOL_MAX_FILE_BYTES);
  }
  GENIE_RETURN_IF_ERROR(genie_allocator_allocate_array(allocator, 1, sizeof(genie_pool_t), &memory));
  genie_pool_t *pool = memory;
  genie_arena_init(allocator, 0, &pool->arena);
  reader_t reader = {.text = text, .size_bytes = size_bytes, .name = name, .pool = pool};
  const genie_status_t status = parse_into(&reader);
  if (status != GENIE_OK) {
    genie_pool_close(pool);
    return status;
  }
  *out_pool = pool;
  return GENIE_OK;
}

static genie_status_t open_error(const char *path, int error) {
  const genie_status_code_t code = error == ENOENT || error == ENOTDIR ? GENIE_STATUS_NOT_FOUND
                                   : error == EACCES                   ? GENIE_STATUS_PERMISSION_DENIED
                                                                       : GENIE_STATUS_INVALID_ARGUMENT;
  return genie_status_make(code, "cannot read %s: %s", path, strerror(error));
}

genie_status_t genie_pool_open(const char *path, genie_allocator_t allocator, genie_pool_t **out_pool) {
  void *text = NULL;
  FILE *file = fopen(path, "rbe");
  if (file == NULL) {
    return open_error(path, errno);
  }
  genie_status_t status = genie_allocator_allocate_array(allocator, GENIE_POOL_MAX_FILE_BYTES + 1, 1, &text);
  if (status == GENIE_OK) {
    errno = 0;
    const size_t size_bytes = fread(text, 1, GENIE_POOL_MAX_FILE_BYTES + 1, file);
    status = ferror(file) ? open_error(path, errno) : genie_pool_parse(text, size_bytes, path, allocator, out_pool);
  }
  genie_allocator_free(allocator, text);
  fclose(file);
  return status;
}
