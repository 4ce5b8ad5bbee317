// Reading and editing the block of an entry function: what all passes share.
//
// Passes edit in place. An op that a rewrite made useless may stay until the pass calls genie_rewrite_erase_dead();
// until then it may refer to values that do not dominate it.
#ifndef GENIE_PASSES_GRAPH_REWRITE_H_
#define GENIE_PASSES_GRAPH_REWRITE_H_

#include "passes/pass.h"
#include "runtime/base/arena.h"

typedef genie_status_t (*genie_function_fn_t)(const genie_pass_context_t *context, MlirOperation function);

// Runs `rewrite` on every func.func of `module`.
genie_status_t genie_rewrite_each_function(const genie_pass_context_t *context, MlirModule module,
                                           genie_function_fn_t rewrite) GENIE_MUST_USE;

MlirBlock genie_rewrite_body(MlirOperation function);

// The ops of `block` in order, terminator included, in the arena's memory.
typedef struct genie_op_list {
  MlirOperation *ops;
  int count;
} genie_op_list_t;
genie_status_t genie_rewrite_list_ops(MlirBlock block, genie_arena_t *arena, genie_op_list_t *out_list) GENIE_MUST_USE;

// The op that computes `value`; null for a block argument.
MlirOperation genie_rewrite_definer(MlirValue value);
// The op that computes `value` if its name is `name`; null otherwise.
MlirOperation genie_rewrite_definer_if(MlirValue value, const char *name);
MlirValue genie_rewrite_result(MlirOperation op);

bool genie_rewrite_is_unused(MlirOperation op);
bool genie_rewrite_has_one_use(MlirValue value);
// True for the four ops that only rearrange addresses: reshape, permute, expand, slice.
bool genie_rewrite_is_view(MlirOperation op);
// True for an op whose result follows element by element from its operands, which broadcast: add, relu, where, cast.
bool genie_rewrite_is_elementwise(MlirOperation op);
// The value of which `value` is a view, through any number of them; `value` itself where it is none.
MlirValue genie_rewrite_view_root(MlirValue value);
// True for an op that is gone when nobody reads it (all of the dialect but state, weights and structure).
bool genie_rewrite_is_pure(MlirOperation op);
bool genie_rewrite_same_type(MlirValue a, MlirValue b);
bool genie_rewrite_same_dims(MlirValue a, MlirValue b);

// Inserts before `op`, with its location.
genie_ir_builder_t genie_rewrite_before(MlirOperation op);

// As genie_ir_build(), with the one result as a value, and the discardable attributes of `origin`, the op it stands
// for.
genie_status_t genie_rewrite_make(MlirOperation origin, const char *name, int operand_count, const MlirValue *operands,
                                  int attribute_count, const genie_ir_attribute_t *attributes,
                                  MlirValue *out_value) GENIE_MUST_USE;
// As genie_rewrite_make(), of a stated type.
genie_status_t genie_rewrite_make_typed(MlirOperation origin, const char *name, int operand_count,
                                        const MlirValue *operands, int attribute_count,
                                        const genie_ir_attribute_t *attributes, MlirType type,
                                        MlirValue *out_value) GENIE_MUST_USE;
// `x` itself where the view would change nothing.
genie_status_t genie_rewrite_make_reshape(MlirOperation origin, MlirValue x, int rank, const MlirAffineExpr *dims,
                                          MlirValue *out_value) GENIE_MUST_USE;
genie_status_t genie_rewrite_make_permute(MlirOperation origin, MlirValue x, int rank, const int64_t *permutation,
                                          MlirValue *out_value) GENIE_MUST_USE;

// Copies `genie.module`, `genie.phase` and their like from one op to another.
void genie_rewrite_copy_annotations(MlirOperation from, MlirOperation to);

// Replaces the one result of `op` by `value` everywhere and erases `op`.
void genie_rewrite_replace(MlirOperation op, MlirValue value);

// Replaces the one result of each of `ops` by a slice of `whole`, which has them one after the other along `axis`. The
// slices stand before `origin` and have its annotations; the ops stay, unread.
genie_status_t genie_rewrite_replace_by_slices(MlirOperation origin, MlirValue whole, int axis, int op_count,
                                               const MlirOperation *ops) GENIE_MUST_USE;

// Erases the ops of `block` that nobody reads, last first.
genie_status_t genie_rewrite_erase_dead(MlirBlock block) GENIE_MUST_USE;

// Restores dominance order in `block`; ops that may stay where they are keep their order. Asserts an acyclic graph.
genie_status_t genie_rewrite_sort(MlirBlock block) GENIE_MUST_USE;

#endif  // GENIE_PASSES_GRAPH_REWRITE_H_
