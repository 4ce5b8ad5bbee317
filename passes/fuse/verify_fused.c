// verify-fused: nothing that must be computed is left outside kernels.
#include "passes/fuse/fuse_graph.h"

static bool is_settled(const genie_fuse_node_t *node) {
  return node->info == NULL || node->is_compile_time || genie_op_is(node->op, "genie.kernel") ||
         genie_op_is(node->op, "genie.state_update") || genie_op_is(node->op, "genie.transfer");
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
    }
  }
  genie_fuse_graph_deinit(&graph);
  return status;
}

genie_status_t genie_pass_verify_fused(const genie_pass_context_t *context, MlirModule module) {
  return genie_rewrite_each_function(context, module, check);
}
