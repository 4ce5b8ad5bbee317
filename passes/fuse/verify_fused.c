// verify-fused: nothing that must be computed is left outside kernels.
#include "ir/place.h"
#include "passes/fuse/fuse_graph.h"

static bool is_settled(const genie_fuse_node_t *node) {
  return node->info == NULL || node->is_compile_time || genie_op_is(node->op, "genie.kernel") ||
         genie_op_is(node->op, "genie.state_update") || genie_op_is(node->op, "genie.transfer");
}

// All that a kernel reads and computes is at its place.
static genie_status_t check_place(MlirOperation kernel) {
  const int place = genie_ir_place(kernel);
  bool is_one = true;
  for (intptr_t i = 0; i < mlirOperationGetNumOperands(kernel); ++i) {
    const MlirValue operand = mlirOperationGetOperand(kernel, i);
    is_one = is_one && (genie_ir_value_place(operand) == place || genie_ir_is_compile_time(operand));
  }
  const MlirBlock body = mlirRegionGetFirstBlock(mlirOperationGetRegion(kernel, 0));
  MlirOperation op = mlirBlockGetFirstOperation(body);
  for (; !mlirOperationIsNull(op); op = mlirOperationGetNextInBlock(op)) {
    is_one = is_one && (!genie_ir_has_place(op) || genie_ir_place(op) == place ||
                        genie_ir_is_compile_time(mlirOperationGetResult(op, 0)));
  }
  if (is_one) {
    return GENIE_OK;
  }
  char location[256];
  genie_ir_describe_location(mlirOperationGetLocation(kernel), sizeof(location), location);
  return genie_status_make(GENIE_STATUS_INTERNAL, "%s: a kernel reaches over places", location);
}

static genie_status_t check(const genie_pass_context_t *context, MlirOperation function) {
  (void)context;
  genie_fuse_graph_t graph;
  genie_status_t status = genie_fuse_graph_init(function, &graph);
  for (int i = 0; status == GENIE_OK && i < graph.node_count; ++i) {
    if (!is_settled(&graph.nodes[i])) {
      char location[256];
      genie_ir_describe_location(mlirOperationGetLocation(graph.nodes[i].op), sizeof(location), location);
      status = genie_status_make(GENIE_STATUS_UNIMPLEMENTED, "%s: no kernel family computes %s here", location,
                                 graph.nodes[i].info->name);
    } else if (genie_op_is(graph.nodes[i].op, "genie.kernel")) {
      status = check_place(graph.nodes[i].op);
    }
  }
  genie_fuse_graph_deinit(&graph);
  return status;
}

genie_status_t genie_pass_verify_fused(const genie_pass_context_t *context, MlirModule module) {
  return genie_rewrite_each_function(context, module, check);
}
