// Groups become kernels: clones of their ops, and of what they read through, in an isolated region.
#include <assert.h>

#include "passes/fuse/fuse_graph.h"

typedef struct kernel_builder {
  genie_fuse_graph_t *graph;
  int group;
  MlirBlock body;
  genie_pointer_map_t clone_of;     // op outside -> index of its clone
  genie_pointer_map_t argument_of;  // value outside -> index of its block argument
  MlirOperation *clones;
  int clone_count;
  MlirValue *inputs;
  MlirValue *outputs;
  MlirValue *yields;
  int input_count, output_count;
} kernel_builder_t;

static genie_status_t builder_init(genie_fuse_graph_t *graph, kernel_builder_t *out_builder) {
  *out_builder = (kernel_builder_t){.graph = graph};
  size_t value_count = (size_t)mlirBlockGetNumArguments(graph->block);
  for (int i = 0; i < graph->node_count; ++i) {
    value_count += (size_t)mlirOperationGetNumResults(graph->nodes[i].op);
  }
  genie_arena_t *arena = &graph->arena;
  GENIE_RETURN_IF_ERROR(
      genie_arena_allocate(arena, (size_t)graph->node_count, sizeof(MlirOperation), (void **)&out_builder->clones));
  GENIE_RETURN_IF_ERROR(genie_arena_allocate(arena, value_count, sizeof(MlirValue), (void **)&out_builder->inputs));
  GENIE_RETURN_IF_ERROR(genie_arena_allocate(arena, value_count, sizeof(MlirValue), (void **)&out_builder->outputs));
  return genie_arena_allocate(arena, value_count, sizeof(MlirValue), (void **)&out_builder->yields);
}

// Values in map keys: MLIR values are pointers.
static genie_status_t import_argument(kernel_builder_t *builder, MlirValue value, MlirValue *out_inside) {
  const int known = genie_pointer_map_get(&builder->argument_of, value.ptr);
  if (known >= 0) {
    *out_inside = mlirBlockGetArgument(builder->body, known);
    return GENIE_OK;
  }
  GENIE_RETURN_IF_ERROR(genie_pointer_map_set(&builder->argument_of, value.ptr, builder->input_count));
  builder->inputs[builder->input_count++] = value;
  const MlirLocation location = mlirLocationUnknownGet(mlirValueGetContext(value));
  *out_inside = mlirBlockAddArgument(builder->body, mlirValueGetType(value), location);
  return GENIE_OK;
}

static bool is_inlined_here(const kernel_builder_t *builder, int node, genie_fuse_access_t access) {
  const genie_fuse_graph_t *graph = builder->graph;
  double number;
  if (graph->groups[builder->group].is_without_views) {
    return access == GENIE_FUSE_ACCESS_INDEXED && genie_op_is(graph->nodes[node].op, "genie.constant") &&
           genie_ir_splat_value(genie_rewrite_result(graph->nodes[node].op), &number);
  }
  return genie_fuse_graph_is_inlined(graph, node, access);
}

static genie_status_t clone_node(kernel_builder_t *builder, int node, genie_fuse_access_t access);

static genie_status_t import_value(kernel_builder_t *builder, MlirValue value, genie_fuse_access_t access,
                                   MlirValue *out_inside) {
  const int node = genie_fuse_graph_definer(builder->graph, value);
  const bool is_member = node >= 0 && builder->graph->nodes[node].group == builder->group;
  if (node < 0 || (!is_member && !is_inlined_here(builder, node, access))) {
    return import_argument(builder, value, out_inside);
  }
  const MlirOperation op = builder->graph->nodes[node].op;
  if (genie_pointer_map_get(&builder->clone_of, op.ptr) < 0) {
    GENIE_RETURN_IF_ERROR(clone_node(builder, node, access));
  }
  const int clone = genie_pointer_map_get(&builder->clone_of, op.ptr);
  *out_inside = mlirOperationGetResult(builder->clones[clone], mlirOpResultGetResultNumber(value));
  return GENIE_OK;
}

// A view reads as its reader does; anything else reads as its own kind says.
static genie_status_t clone_node(kernel_builder_t *builder, int node, genie_fuse_access_t access) {
  const genie_fuse_node_t *n = &builder->graph->nodes[node];
  const bool is_member = n->group == builder->group;
  const MlirOperation clone = mlirOperationClone(n->op);
  for (intptr_t i = 0; i < mlirOperationGetNumOperands(n->op); ++i) {
    const genie_fuse_access_t operand_access = is_member ? genie_fuse_graph_access(n->op, i) : access;
    MlirValue inside;
    const genie_status_t status = import_value(builder, mlirOperationGetOperand(n->op, i), operand_access, &inside);
    if (status != GENIE_OK) {
      mlirOperationDestroy(clone);
      return status;
    }
    mlirOperationSetOperand(clone, i, inside);
  }
  mlirBlockAppendOwnedOperation(builder->body, clone);
  builder->clones[builder->clone_count] = clone;
  return genie_pointer_map_set(&builder->clone_of, n->op.ptr, builder->clone_count++);
}

static genie_status_t clone_members(kernel_builder_t *builder) {
  const genie_fuse_graph_t *graph = builder->graph;
  for (int i = graph->groups[builder->group].first; i >= 0; i = graph->nodes[i].next_member) {
    if (genie_pointer_map_get(&builder->clone_of, graph->nodes[i].op.ptr) < 0) {
      GENIE_RETURN_IF_ERROR(clone_node(builder, i, GENIE_FUSE_ACCESS_INDEXED));
    }
  }
  return GENIE_OK;
}

static void collect_outputs(kernel_builder_t *builder) {
  const genie_fuse_graph_t *graph = builder->graph;
  for (int i = graph->groups[builder->group].first; i >= 0; i = graph->nodes[i].next_member) {
    const MlirOperation op = graph->nodes[i].op;
    const MlirOperation clone = builder->clones[genie_pointer_map_get(&builder->clone_of, op.ptr)];
    for (intptr_t r = 0; r < mlirOperationGetNumResults(op); ++r) {
      // An op of several results is computed whole: its template stores them all.
      if (mlirOperationGetNumResults(op) > 1 ||
          genie_fuse_graph_escapes(graph, builder->group, mlirOperationGetResult(op, r))) {
        builder->outputs[builder->output_count] = mlirOperationGetResult(op, r);
        builder->yields[builder->output_count++] = mlirOperationGetResult(clone, r);
      }
    }
  }
}

static void append_yield(kernel_builder_t *builder, MlirLocation location) {
  MlirOperationState state = mlirOperationStateGet(mlirStringRefCreateFromCString("genie.yield"), location);
  mlirOperationStateAddOperands(&state, builder->output_count, builder->yields);
  mlirBlockAppendOwnedOperation(builder->body, mlirOperationCreate(&state));
}

static MlirOperation create_kernel(kernel_builder_t *builder, MlirRegion region) {
  const genie_fuse_graph_t *graph = builder->graph;
  const genie_fuse_group_t *group = &graph->groups[builder->group];
  const MlirOperation anchor = graph->nodes[group->anchor].op;
  const MlirContext context = mlirOperationGetContext(anchor);
  MlirOperationState state =
      mlirOperationStateGet(mlirStringRefCreateFromCString("genie.kernel"), mlirOperationGetLocation(anchor));
  mlirOperationStateAddOperands(&state, builder->input_count, builder->inputs);
  for (int i = 0; i < builder->output_count; ++i) {
    const MlirType type = mlirValueGetType(builder->outputs[i]);
    mlirOperationStateAddResults(&state, 1, &type);
  }
  const MlirNamedAttribute family =
      mlirNamedAttributeGet(mlirIdentifierGet(context, mlirStringRefCreateFromCString("family")),
                            genie_ir_string_attr(context, group->family));
  mlirOperationStateAddAttributes(&state, 1, &family);
  mlirOperationStateAddOwnedRegions(&state, 1, &region);
  const MlirOperation kernel = mlirOperationCreate(&state);
  genie_rewrite_copy_annotations(anchor, kernel);
  mlirBlockInsertOwnedOperationAfter(graph->block, graph->nodes[group->last].op, kernel);
  return kernel;
}

static genie_status_t build_group(kernel_builder_t *builder, int group) {
  builder->group = group;
  builder->clone_count = builder->input_count = builder->output_count = 0;
  builder->body = mlirBlockCreate(0, NULL, NULL);
  MlirRegion region = mlirRegionCreate();
  mlirRegionAppendOwnedBlock(region, builder->body);
  const genie_status_t status = clone_members(builder);
  if (status != GENIE_OK) {
    mlirRegionDestroy(region);
    return status;
  }
  collect_outputs(builder);
  append_yield(builder, mlirOperationGetLocation(builder->graph->nodes[builder->graph->groups[group].anchor].op));
  const MlirOperation kernel = create_kernel(builder, region);
  for (int i = 0; i < builder->output_count; ++i) {
    mlirValueReplaceAllUsesOfWith(builder->outputs[i], mlirOperationGetResult(kernel, i));
  }
  return GENIE_OK;
}

genie_status_t genie_fuse_graph_build(genie_fuse_graph_t *graph) {
  kernel_builder_t builder;
  GENIE_RETURN_IF_ERROR(builder_init(graph, &builder));
  for (int group = 0; group < graph->group_count; ++group) {
    if (graph->groups[group].first < 0) {
      continue;
    }
    genie_pointer_map_init(&builder.clone_of);
    genie_pointer_map_init(&builder.argument_of);
    const genie_status_t status = build_group(&builder, group);
    genie_pointer_map_deinit(&builder.clone_of);
    genie_pointer_map_deinit(&builder.argument_of);
    GENIE_RETURN_IF_ERROR(status);
  }
  GENIE_RETURN_IF_ERROR(genie_rewrite_erase_dead(graph->block));
  return genie_rewrite_sort(graph->block);
}
