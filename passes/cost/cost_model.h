// What an op, a kernel or a transfer costs on the devices of a pool, in ns.
//
// A device's figures and the links come with the module: `genie.places = [{name = "node1:cpu0", kind = "cpu", flops =
// {f32 = 1.0e11, ..}, memory_bytes_per_s = .., cache_bytes_per_s = .., cache_bytes = .., launch_ns = .., memory_bytes =
// ..}, ..]`, `genie.links = [{from = 0, to = 1, bytes_per_s = .., latency_ns = ..}, ..]`, numbers of places. What is
// not there has the typical value of its kind (work_class.def), and `is_measured` is false.
//
// The model is a roofline with an efficiency for each class of work: time = launch + max(operations / (the device's
// matmul peak * efficiency), bytes of weights / rate of reading memory, other bytes / rate of the cache). A GPU has
// most of its time for little work in the chain that a block walks alone: its least is a fill and a step for each term
// of a sum.
#ifndef GENIE_PASSES_COST_COST_MODEL_H_
#define GENIE_PASSES_COST_COST_MODEL_H_

#include "ir/genie_ir.h"

enum { GENIE_COST_MAX_PLACES = 32 };

typedef enum genie_cost_class {
#define GENIE_COST_CLASS(enumerator, cpu, cuda, fill, summary) GENIE_COST_CLASS_##enumerator,
#include "passes/cost/work_class.def"
#undef GENIE_COST_CLASS
  GENIE_COST_CLASS_COUNT,
} genie_cost_class_t;

typedef struct genie_cost_place {
  bool is_cuda;
  bool is_measured;                          // at least the peak and the rate of memory are
  double flops_per_s[GENIE_DTYPE_BOOL + 1];  // by genie_dtype_t
  double memory_bytes_per_s;                 // of a copy, read plus written
  double cache_bytes_per_s;
  double cache_bytes;  // weights that are smaller together stay in it
  double launch_ns;
  uint64_t memory_bytes;  // UINT64_MAX: unknown
} genie_cost_place_t;

typedef struct genie_cost_link {
  double bytes_per_s;
  double latency_ns;
  bool is_measured;
} genie_cost_link_t;

typedef struct genie_cost_machine {
  int place_count;  // at least one
  genie_cost_place_t places[GENIE_COST_MAX_PLACES];
  genie_cost_link_t links[GENIE_COST_MAX_PLACES][GENIE_COST_MAX_PLACES];  // from, to
  genie_cost_link_t from_client[GENIE_COST_MAX_PLACES];                   // inputs of a call
  genie_cost_link_t to_client[GENIE_COST_MAX_PLACES];                     // its outputs
} genie_cost_machine_t;

// INVALID_ARGUMENT: more places than the model takes, or a number that is none.
genie_status_t genie_cost_machine_read(MlirModule module, genie_cost_machine_t *out_machine) GENIE_MUST_USE;

// The work of one execution of an op or genie.kernel, at the upper bound of all symbols.
typedef struct genie_cost_work {
  genie_cost_class_t class;
  genie_dtype_t dtype;  // that it computes with
  double flops;
  double depth;         // terms of the longest sum of products
  double weight_bytes;  // read from weights, as much of them as is used
  double other_bytes;   // read and written besides
} genie_cost_work_t;
genie_cost_work_t genie_cost_work_of(MlirOperation op);

// `resident_bytes` are all weights of the place, which decides whether they stay in its cache.
double genie_cost_work_ns(const genie_cost_place_t *place, const genie_cost_work_t *work, double resident_bytes);

double genie_cost_transfer_ns(const genie_cost_machine_t *machine, int from, int to, double size_bytes);

#endif  // GENIE_PASSES_COST_COST_MODEL_H_
