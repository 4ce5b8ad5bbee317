// The graph that the order pass schedules: run-time ops of an entry, who waits for whom, and the memory between them.
#ifndef GENIE_PASSES_ORDER_ORDER_GRAPH_H_
#define GENIE_PASSES_ORDER_ORDER_GRAPH_H_

#include "passes/graph/pointer_map.h"
#include "passes/graph/rewrite.h"

// A run-time op, with the memory that it reads (each once) and makes: indices of values.
typedef struct genie_order_node {
  MlirOperation op;
  int read_count, make_count;
  int *reads, *makes;
  bool *is_reusable;  // [read_count]: a result may take over this memory when nothing reads it later
} genie_order_node_t;

// A result of a kernel or the old value of a state, with the reshapes of it.
typedef struct genie_order_value {
  int64_t bytes;  // 0 where it is not a temporary: what the entry returns or keeps as state
  int reader_count;
} genie_order_value_t;

typedef struct genie_order_edge {
  int from, to;
} genie_order_edge_t;

typedef struct genie_order_graph {
  genie_arena_t arena;
  MlirOperation function;
  genie_op_list_t list;
  genie_pointer_map_t node_of;   // of an op
  genie_pointer_map_t value_of;  // of an MlirValue
  genie_order_node_t *nodes;
  int node_count;
  genie_order_value_t *values;
  int value_count;
  genie_order_edge_t *edges;
  int edge_count, edge_capacity;
  int *next_start, *next;          // [node_count + 1], [edge_count]: who follows a node
  int *previous_start, *previous;  // whom it follows
} genie_order_graph_t;

// Reads the body of `function`. Nodes are numbered in its order; every edge goes to a greater number. Release with
// genie_order_graph_deinit(), also after a failure.
genie_status_t genie_order_graph_init(MlirOperation function, genie_order_graph_t *out_graph) GENIE_MUST_USE;
void genie_order_graph_deinit(genie_order_graph_t *graph);

// Zeroed memory of the graph for `count` elements, at least one.
genie_status_t genie_order_graph_allocate(genie_order_graph_t *graph, size_t count, size_t element_bytes,
                                          void *out_memory) GENIE_MUST_USE;

#endif  // GENIE_PASSES_ORDER_ORDER_GRAPH_H_
