// The tensors of a graph under import: which IR value each name has now, and who shares storage with whom.
//
// A name leads to a tensor; several names may lead to one (aliases, results of in-place ops). A tensor that is a view
// has a `parent`, whose storage it reads, and the `base` that owns the storage. In-place ops replace a tensor's value,
// and then those of its parents and of all other views that are read later: in_place.c does so.
#ifndef GENIE_COMPILER_IMPORT_PT2_VALUE_TABLE_H_
#define GENIE_COMPILER_IMPORT_PT2_VALUE_TABLE_H_

#include "ir/genie_ir.h"
#include "runtime/base/arena.h"

typedef struct genie_pt2_tensor {
  MlirValue value;     // null: it could not be imported
  int base;            // index of the tensor that owns the storage; its own where it does
  int parent;          // index of the tensor that this is a view of; -1 if none
  MlirValue origin;    // the parent's value from which `view` was computed; null: whether it is a view is not known
  MlirValue view;      // this tensor's value then
  int last_use;        // position of the last reader of any of its names; -1 if none
  bool is_weight;      // a parameter or constant: never written
  bool is_persistent;  // a buffer or user input: writes are seen after the call
  bool is_written;
} genie_pt2_tensor_t;

typedef struct genie_pt2_name genie_pt2_name_t;

// In the caller's memory; names are borrowed and outlive it.
typedef struct genie_pt2_value_table {
  genie_arena_t *arena;
  genie_pt2_name_t *names;  // open addressing
  size_t name_capacity, name_count;
  genie_pt2_tensor_t *tensors;
  int tensor_capacity, tensor_count;
} genie_pt2_value_table_t;

// Room for `capacity` names, which is all there will be.
genie_status_t genie_pt2_value_table_init(genie_arena_t *arena, size_t capacity,
                                          genie_pt2_value_table_t *out_table) GENIE_MUST_USE;

// Notes that `name`, bound or not, is read at `position`; later positions win.
void genie_pt2_value_table_note_use(genie_pt2_value_table_t *table, const char *name, int position);
// The last position noted for the name itself; -1 if none.
int genie_pt2_value_table_last_use(const genie_pt2_value_table_t *table, const char *name);

// Binds `name` to a new tensor. `parent` is -1 or the tensor whose storage it shares.
genie_pt2_tensor_t *genie_pt2_value_table_bind(genie_pt2_value_table_t *table, const char *name, MlirValue value,
                                               int parent);
// Binds `name` to an existing tensor.
void genie_pt2_value_table_alias(genie_pt2_value_table_t *table, const char *name, int tensor);
// The tensor's index, -1 when the name is unbound.
int genie_pt2_value_table_find(const genie_pt2_value_table_t *table, const char *name);

#endif  // GENIE_COMPILER_IMPORT_PT2_VALUE_TABLE_H_
