#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "runtime/base/output_file.h"
#include "runtime/pool/pool.h"

// The shortest decimal that reads back as the same double; whole numbers without an exponent.
static void append_number(genie_string_builder_t *builder, double value) {
  enum { kMostDigits = 17 };
  static const double kMostWhole = 1e15;
  char text[40];
  if (value < kMostWhole && value == (double)(uint64_t)value) {
    genie_string_builder_format(builder, "%llu", (unsigned long long)value);
    return;
  }
  for (int digits = 1; digits <= kMostDigits; ++digits) {
    snprintf(text, sizeof(text), "%.*g", digits, value);
    if (strtod(text, NULL) == value) {
      break;
    }
  }
  genie_string_builder_format(builder, "%s", text);
}

static void append_rate(genie_string_builder_t *builder, const char *name, double value) {
  if (value > 0) {
    genie_string_builder_format(builder, ", \"%s\": ", name);
    append_number(builder, value);
  }
}

static void append_device(const genie_pool_device_t *device, genie_string_builder_t *builder) {
  genie_string_builder_format(builder, "{\"name\": \"%s\", \"kind\": \"%s\"", device->name, device->kind);
  if (device->memory_bytes > 0) {
    genie_string_builder_format(builder, ", \"memory_bytes\": %llu", (unsigned long long)device->memory_bytes);
  }
  bool has_flops = false;
  for (int dtype = 0; dtype < GENIE_POOL_DTYPE_COUNT; ++dtype) {
    if (device->flops_per_s[dtype] > 0) {
      genie_string_builder_format(builder, "%s\"%s\": ", has_flops ? ", " : ", \"flops_per_s\": {",
                                  genie_dtype_name((genie_dtype_t)dtype));
      append_number(builder, device->flops_per_s[dtype]);
      has_flops = true;
    }
  }
  genie_string_builder_format(builder, "%s", has_flops ? "}" : "");
  append_rate(builder, "memory_bytes_per_s", device->memory_bytes_per_s);
  append_rate(builder, "launch_ns", device->launch_ns);
  genie_string_builder_format(builder, "}");
}

static void append_node(const genie_pool_node_t *node, genie_string_builder_t *builder) {
  genie_string_builder_format(builder, "    {\n      \"name\": \"%s\"", node->name);
  if (node->address != NULL) {
    genie_string_builder_format(builder, ",\n      \"address\": \"%s\"", node->address);
  }
  if (node->has_key) {
    genie_string_builder_format(builder, ",\n      \"key\": \"sha256:");
    for (int i = 0; i < GENIE_POOL_KEY_BYTES; ++i) {
      genie_string_builder_format(builder, "%02x", node->key[i]);
    }
    genie_string_builder_format(builder, "\"");
  }
  for (uint32_t i = 0; i < node->device_count; ++i) {
    genie_string_builder_format(builder, "%s\n        ", i == 0 ? ",\n      \"devices\": [" : ",");
    append_device(&node->devices[i], builder);
  }
  genie_string_builder_format(builder, "%s\n    }", node->device_count > 0 ? "\n      ]" : "");
}

static void append_link(const genie_pool_t *pool, const genie_pool_link_t *link, genie_string_builder_t *builder) {
  genie_string_builder_format(builder, "    {\"from\": \"%s\", \"to\": \"%s\"", pool->nodes[link->from].name,
                              pool->nodes[link->to].name);
  append_rate(builder, "bytes_per_s", link->bytes_per_s);
  append_rate(builder, "latency_ns", link->latency_ns);
  if (link->carrier != GENIE_POOL_CARRIER_STREAM) {
    genie_string_builder_format(builder, ", \"carrier\": \"%s\"", genie_pool_carrier_name(link->carrier));
  }
  genie_string_builder_format(builder, "%s}", link->is_trusted ? ", \"trusted\": true" : "");
}

void genie_pool_format(const genie_pool_t *pool, genie_string_builder_t *builder) {
  const char *separator = "\n";
  genie_string_builder_format(builder, "{\n  \"version\": %d,\n  \"nodes\": [", GENIE_POOL_VERSION);
  for (uint32_t i = 0; i < pool->node_count; ++i) {
    if (!pool->nodes[i].is_implied) {
      genie_string_builder_format(builder, "%s", separator);
      append_node(&pool->nodes[i], builder);
      separator = ",\n";
    }
  }
  genie_string_builder_format(builder, "%s]", separator[0] == ',' ? "\n  " : "");
  for (uint32_t i = 0; i < pool->link_count; ++i) {
    genie_string_builder_format(builder, "%s\n", i == 0 ? ",\n  \"links\": [" : ",");
    append_link(pool, &pool->links[i], builder);
  }
  genie_string_builder_format(builder, "%s\n}\n", pool->link_count > 0 ? "\n  ]" : "");
}

static genie_status_t write_text(const char *text, size_t length, const char *path) {
  genie_output_file_t file;
  GENIE_RETURN_IF_ERROR(genie_output_file_init(path, &file));
  genie_status_t status = genie_output_file_write(&file, text, length);
  if (status == GENIE_OK) {
    (void)fdatasync(file.file);  // a pipe or device has nothing to sync
    status = genie_output_file_commit(&file);
  }
  genie_output_file_deinit(&file);
  return status;
}

genie_status_t genie_pool_write(const genie_pool_t *pool, const char *path) {
  genie_string_builder_t text;
  genie_string_builder_init(pool->arena.allocator, &text);
  genie_pool_format(pool, &text);
  genie_status_t status = genie_string_builder_status(&text);
  if (status == GENIE_OK) {
    status = write_text(genie_string_builder_get(&text), text.length, path);
  }
  genie_string_builder_deinit(&text);
  return status;
}
