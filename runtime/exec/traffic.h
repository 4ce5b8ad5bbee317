// The edges of an entry's traffic contract: its inputs, its transfers, its outputs, in this order.
#ifndef GENIE_RUNTIME_EXEC_TRAFFIC_H_
#define GENIE_RUNTIME_EXEC_TRAFFIC_H_

#include "genie/genie.h"
#include "runtime/plan/reader.h"

// A transfer, or an input or output by its binding: inputs first, then outputs.
typedef struct genie_traffic_edge {
  bool is_transfer;
  uint32_t transfer;
  uint32_t binding;
} genie_traffic_edge_t;

uint32_t genie_traffic_count(const genie_plan_t *plan, uint32_t entry);
genie_traffic_edge_t genie_traffic_edge_at(const genie_plan_t *plan, uint32_t entry, uint32_t index);

// Names, places and bound of an edge; the counts are zero.
void genie_traffic_describe(const genie_plan_t *plan, uint32_t entry, uint32_t index,
                            genie_session_traffic_t *out_edge);

#endif  // GENIE_RUNTIME_EXEC_TRAFFIC_H_
