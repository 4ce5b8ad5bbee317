// The pool descriptor: which nodes, devices and links there are, as pool.json says it. docs/pool.md is its manual.
//
// A pool owns all that it points to. It is read by any thread once it was opened; the functions that set something need
// it alone. A pool always has a node "local", the embedded one of the calling process, which has no address: where the
// file names none, it has one device "cpu0".
#ifndef GENIE_RUNTIME_POOL_POOL_H_
#define GENIE_RUNTIME_POOL_POOL_H_

#include "genie/dtype.h"
#include "runtime/base/arena.h"
#include "runtime/base/string_builder.h"

#define GENIE_POOL_LOCAL_NODE "local"

enum {
  GENIE_POOL_VERSION = 1,
  GENIE_POOL_MAX_FILE_BYTES = 4 * 1024 * 1024,
  GENIE_POOL_MAX_NODES = 1024,
  GENIE_POOL_MAX_DEVICES = 64,  // of a node
  GENIE_POOL_MAX_LINKS = 65536,
  GENIE_POOL_MAX_NAME_BYTES = 63,
  GENIE_POOL_MAX_HOST_BYTES = 255,
  GENIE_POOL_KEY_BYTES = 32,
  GENIE_POOL_DTYPE_COUNT = GENIE_DTYPE_BOOL + 1,
};

// What a device can do. Figures that nobody measured are 0.
typedef struct genie_pool_device {
  const char *name;  // "cpu0", unique in its node
  const char *kind;  // as a plan's places have it: "cpu", "cuda"
  uint64_t memory_bytes;
  double flops_per_s[GENIE_POOL_DTYPE_COUNT];  // by genie_dtype_t: the peak of a large matmul
  double memory_bytes_per_s;                   // read plus written, of a large copy
  double launch_ns;                            // of an empty kernel
} genie_pool_device_t;

typedef struct genie_pool_node {
  const char *name;
  const char *address;  // as written, "10.0.0.1:7447" or "[fd00::1]:7447"; NULL for the local node
  const char *host;     // of the address, without brackets
  uint16_t port;
  bool has_key;                       // the SHA-256 fingerprint that the node must prove; without it, first use pins
  uint8_t key[GENIE_POOL_KEY_BYTES];  // "sha256:<hex>" in the file
  genie_pool_device_t *devices;
  uint32_t device_count;
  bool is_implied;  // the file does not name it, and a writer leaves it out
} genie_pool_node_t;

typedef enum genie_pool_carrier {
  GENIE_POOL_CARRIER_STREAM,  // TLS over TCP
  GENIE_POOL_CARRIER_UCX,     // only on a link that is declared trusted
} genie_pool_carrier_t;

// One direction between two nodes.
typedef struct genie_pool_link {
  uint32_t from, to;   // nodes
  double bytes_per_s;  // 0: not measured
  double latency_ns;   // of one small message, one way
  genie_pool_carrier_t carrier;
  bool is_trusted;  // nobody but these nodes can read, write or join this network
} genie_pool_link_t;

typedef struct genie_pool {
  genie_arena_t arena;
  genie_pool_node_t *nodes;
  uint32_t node_count;
  genie_pool_link_t *links;
  uint32_t link_count;
} genie_pool_t;

// Reads and checks a file. NOT_FOUND, PERMISSION_DENIED: the file. INVALID_ARGUMENT: what is wrong, with its line and
// JSON path, as in "pool.json:7: nodes[1].address: ...". OUT_OF_RANGE: it is larger than a pool may be. UNIMPLEMENTED:
// its version is newer.
genie_status_t genie_pool_open(const char *path, genie_allocator_t allocator, genie_pool_t **out_pool) GENIE_MUST_USE;

// Reads a descriptor in memory, any bytes; errors name it `name`.
genie_status_t genie_pool_parse(const char *text, size_t size_bytes, const char *name, genie_allocator_t allocator,
                                genie_pool_t **out_pool) GENIE_MUST_USE;

// Accepts NULL.
void genie_pool_close(genie_pool_t *pool);

// ---- Looking up ----

// NOT_FOUND lists the nodes.
genie_status_t genie_pool_find_node(const genie_pool_t *pool, const char *name, uint32_t *out_node) GENIE_MUST_USE;

// Finds "NODE:DEVICE", as in "node1:cpu0". INVALID_ARGUMENT: it has no colon; NOT_FOUND lists the nodes or devices.
genie_status_t genie_pool_find_place(const genie_pool_t *pool, const char *place, uint32_t *out_node,
                                     uint32_t *out_device) GENIE_MUST_USE;

// NULL when the pool says nothing about that direction.
const genie_pool_link_t *genie_pool_find_link(const genie_pool_t *pool, uint32_t from, uint32_t to);

// "stream", "ucx".
const char *genie_pool_carrier_name(genie_pool_carrier_t carrier);

// ---- Changing and writing ----

// Replaces a node's devices by copies; an implied node becomes one that the file names. INVALID_ARGUMENT: a name or
// kind that no file could have.
genie_status_t genie_pool_set_devices(genie_pool_t *pool, uint32_t node, const genie_pool_device_t *devices,
                                      uint32_t device_count) GENIE_MUST_USE;

// Replaces the link of the same direction, or adds one.
genie_status_t genie_pool_set_link(genie_pool_t *pool, const genie_pool_link_t *link) GENIE_MUST_USE;

// Appends the descriptor as JSON: the same pool gives the same bytes, and figures are written so that they read back
// exactly. What is zero or the default is left out.
void genie_pool_format(const genie_pool_t *pool, genie_string_builder_t *builder);

// Replaces the file at `path` as a whole or not at all. RESOURCE_EXHAUSTED, PERMISSION_DENIED, NOT_FOUND: the disk, the
// folder.
genie_status_t genie_pool_write(const genie_pool_t *pool, const char *path) GENIE_MUST_USE;

#endif  // GENIE_RUNTIME_POOL_POOL_H_
