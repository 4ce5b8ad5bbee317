// fuse-singletons: whatever is computed and in no kernel yet gets a kernel of its own.
#include "passes/fuse/fuse_graph.h"

static genie_status_t make_groups(const genie_pass_context_t *context, MlirOperation function) {
  (void)context;
  genie_fuse_graph_t graph;
  genie_status_t status = genie_fuse_graph_init(function, &graph);
  if (status == GENIE_OK) {
    for (int i = 0; i < graph.node_count; ++i) {
      if (graph.nodes[i].is_computed) {
        const int group = genie_fuse_graph_add_group(&graph, genie_fuse_family(graph.nodes[i].info), i);
        graph.groups[group].is_without_views = true;
      }
    }
    status = genie_fuse_graph_build(&graph);
  }
  genie_fuse_graph_deinit(&graph);
  return status;
}

genie_status_t genie_pass_fuse_singletons(const genie_pass_context_t *context, MlirModule module) {
  return genie_rewrite_each_function(context, module, make_groups);
}
