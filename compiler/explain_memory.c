#include "compiler/explain_memory.h"

#include "compiler/explain_text.h"
#include "runtime/base/arena.h"

// A range of a slab from the instruction that writes it to the last that reads it.
typedef struct lifetime {
  int64_t place, offset, end;
  int first, last;
} lifetime_t;

typedef struct memory {
  genie_arena_t arena;
  lifetime_t *lifetimes;
  int lifetime_count;
  int *open;  // those that nothing has overwritten yet
  int open_count;
  int *places;  // [instruction_count]
  int instruction_count;
} memory_t;

static MlirOperation first_of(MlirOperation plan_entry) {
  return mlirBlockGetFirstOperation(mlirRegionGetFirstBlock(mlirOperationGetRegion(plan_entry, 0)));
}

static genie_status_t allocate(memory_t *memory, MlirOperation plan_entry) {
  size_t instruction_count = 0;
  size_t operand_count = 0;
  for (MlirOperation op = first_of(plan_entry); !mlirOperationIsNull(op); op = mlirOperationGetNextInBlock(op)) {
    if (genie_explain_instruction_kind(op) != NULL) {
      ++instruction_count;
      operand_count += (size_t)mlirOperationGetNumOperands(op);
    }
  }
  GENIE_RETURN_IF_ERROR(
      genie_arena_allocate(&memory->arena, operand_count + 1, sizeof(lifetime_t), (void **)&memory->lifetimes));
  GENIE_RETURN_IF_ERROR(genie_arena_allocate(&memory->arena, operand_count + 1, sizeof(int), (void **)&memory->open));
  return genie_arena_allocate(&memory->arena, instruction_count + 1, sizeof(int), (void **)&memory->places);
}

//===-- Lifetimes -------------------------------------------------------------------------------------------------===//

static bool overlaps(const lifetime_t *a, const lifetime_t *b) {
  return a->place == b->place && a->offset < b->end && b->offset < a->end;
}

static void note_read(memory_t *memory, const lifetime_t *range) {
  for (int i = 0; i < memory->open_count; ++i) {
    lifetime_t *lifetime = &memory->lifetimes[memory->open[i]];
    if (overlaps(lifetime, range)) {
      lifetime->last = range->last;
    }
  }
}

// A result that takes over the memory of an operand goes on in its lifetime; what else was there is over.
static void note_write(memory_t *memory, const lifetime_t *range) {
  int kept = 0;
  bool is_taken_over = false;
  for (int i = 0; i < memory->open_count; ++i) {
    const lifetime_t *lifetime = &memory->lifetimes[memory->open[i]];
    const bool is_same =
        overlaps(lifetime, range) && lifetime->offset == range->offset && lifetime->last == range->last;
    is_taken_over = is_taken_over || is_same;
    if (is_same || !overlaps(lifetime, range)) {
      memory->open[kept++] = memory->open[i];
    }
  }
  memory->open_count = kept;
  if (!is_taken_over) {
    memory->open[memory->open_count++] = memory->lifetime_count;
    memory->lifetimes[memory->lifetime_count++] = *range;
  }
}

static void note_operands(memory_t *memory, MlirOperation instruction, int index, bool is_writing) {
  for (intptr_t i = 0; i < mlirOperationGetNumOperands(instruction); ++i) {
    const MlirValue value = mlirOperationGetOperand(instruction, i);
    if (!mlirValueIsAOpResult(value) || !genie_op_is(mlirOpResultGetOwner(value), "gplan.slab")) {
      continue;
    }
    const MlirOperation slab = mlirOpResultGetOwner(value);
    const MlirStringRef access = genie_ir_string(slab, "access");
    const int64_t offset = genie_ir_i64(slab, "offset");
    const lifetime_t range = {.place = genie_ir_i64(slab, "place"),
                              .offset = offset,
                              .end = offset + genie_ir_i64(slab, "maximum"),
                              .first = index,
                              .last = index};
    const bool is_read_only = mlirStringRefEqual(access, mlirStringRefCreateFromCString("read"));
    const bool is_write_only = mlirStringRefEqual(access, mlirStringRefCreateFromCString("write"));
    if (is_writing && !is_read_only) {
      note_write(memory, &range);
    } else if (!is_writing && !is_write_only) {
      note_read(memory, &range);
    }
  }
}

static void find_lifetimes(memory_t *memory, MlirOperation plan_entry) {
  for (MlirOperation op = first_of(plan_entry); !mlirOperationIsNull(op); op = mlirOperationGetNextInBlock(op)) {
    if (genie_explain_instruction_kind(op) == NULL) {
      continue;
    }
    const int index = memory->instruction_count++;
    memory->places[index] = (int)genie_ir_i64(op, "place");
    note_operands(memory, op, index, false);
    note_operands(memory, op, index, true);
  }
}

//===-- The curve -------------------------------------------------------------------------------------------------===//

static genie_status_t make_curve(memory_t *memory, int place, json_t *curve) {
  int64_t *changes = NULL;
  GENIE_RETURN_IF_ERROR(
      genie_arena_allocate(&memory->arena, (size_t)memory->instruction_count + 1, sizeof(int64_t), (void **)&changes));
  for (int i = 0; i < memory->lifetime_count; ++i) {
    const lifetime_t *lifetime = &memory->lifetimes[i];
    if (lifetime->place == place) {
      changes[lifetime->first] += lifetime->end - lifetime->offset;
      changes[lifetime->last + 1] -= lifetime->end - lifetime->offset;
    }
  }
  int64_t live_bytes = 0;
  for (int i = 0; i < memory->instruction_count; ++i) {
    live_bytes += changes[i];
    if (memory->places[i] == place) {
      json_array_append_new(curve, json_pack("[i, I]", i, (json_int_t)live_bytes));
    }
  }
  return GENIE_OK;
}

genie_status_t genie_explain_memory_make(MlirOperation plan_entry, int place_count, json_t *out_entry) {
  memory_t memory = {.lifetimes = NULL};
  genie_arena_init(genie_allocator_heap(), 0, &memory.arena);
  json_t *curves = json_array();
  json_object_set_new(out_entry, "memory", curves);
  genie_status_t status = allocate(&memory, plan_entry);
  if (status == GENIE_OK) {
    find_lifetimes(&memory, plan_entry);
  }
  for (int place = 0; status == GENIE_OK && place < place_count; ++place) {
    json_t *curve = json_array();
    json_array_append_new(curves, curve);
    status = make_curve(&memory, place, curve);
  }
  genie_arena_deinit(&memory.arena);
  return status;
}
