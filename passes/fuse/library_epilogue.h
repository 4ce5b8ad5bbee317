// What may follow a product or convolution that is to be a call of a vendor's library.
#ifndef GENIE_PASSES_FUSE_LIBRARY_EPILOGUE_H_
#define GENIE_PASSES_FUSE_LIBRARY_EPILOGUE_H_

#include "passes/fuse/fuse_graph.h"

// True where the anchor of `group` becomes no library call, or `node` keeps it one: the call adds a bias, a tensor of
// its result's shape, and applies relu or (a product) tanh's gelu, in this order, each at most once.
bool genie_fuse_library_admits(const genie_fuse_graph_t *graph, int group, int node);

#endif  // GENIE_PASSES_FUSE_LIBRARY_EPILOGUE_H_
