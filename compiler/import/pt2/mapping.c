// Which rule imports an overload: the op table's `aten` and `importRule` columns, and the composites.
#include <stdlib.h>
#include <string.h>

#include "compiler/import/pt2/importer_state.h"

// The rules that the op table's column importRule names.
const pt2_rule_row_t pt2_named_rules[] = {
    {"direct", pt2_rule_direct},
    {"unary", pt2_rule_unary},
    {"predicate", pt2_rule_predicate},
    {"binary", pt2_rule_binary},
    {"compare", pt2_rule_compare},
    {"clamp", pt2_rule_clamp},
    {"cast", pt2_rule_cast},
    {"where", pt2_rule_where},
    {"reshape", pt2_rule_reshape},
    {"permute", pt2_rule_permute},
    {"expand", pt2_rule_expand},
    {"slice", pt2_rule_slice},
    {"concat", pt2_rule_concat},
    {"pad", pt2_rule_pad},
    {"iota", pt2_rule_iota},
    {"reduce", pt2_rule_reduce},
    {"softmax", pt2_rule_softmax},
    {"scan", pt2_rule_scan},
    {"norm", pt2_rule_norm},
    {"batch_norm", pt2_rule_batch_norm},
    {"group_norm", pt2_rule_group_norm},
    {"matmul", pt2_rule_matmul},
    {"conv", pt2_rule_conv},
    {"pool", pt2_rule_pool},
    {"adaptive_pool", pt2_rule_adaptive_pool},
    {"upsample", pt2_rule_upsample},
    {"index", pt2_rule_index},
    {"index_put", pt2_rule_index_put},
    {"slice_scatter", pt2_rule_slice_scatter},
    {"attention", pt2_rule_attention},
    {"embedding_bag", pt2_rule_embedding_bag},
    {"recurrent", pt2_rule_recurrent},
    {NULL, NULL},
};

static const pt2_rule_row_t *const composite_families[] = {
    pt2_alias_composites,    pt2_pointwise_composites, pt2_view_composites,    pt2_factory_composites,
    pt2_reduce_composites,   pt2_norm_composites,      pt2_product_composites, pt2_window_composites,
    pt2_indexing_composites, pt2_attention_composites, pt2_region_composites,
};
enum { FAMILY_COUNT = sizeof composite_families / sizeof composite_families[0] };

static pt2_rule_fn_t named_rule(const char *name) {
  for (int i = 0; pt2_named_rules[i].name != NULL; ++i) {
    if (strcmp(pt2_named_rules[i].name, name) == 0) {
      return pt2_named_rules[i].rule;
    }
  }
  return NULL;
}

static int compare_mappings(const void *a, const void *b) {
  const pt2_mapping_t *x = a, *y = b;
  const size_t shorter = x->overload_length < y->overload_length ? x->overload_length : y->overload_length;
  const int order = memcmp(x->overload, y->overload, shorter);
  return order != 0 ? order : (x->overload_length > y->overload_length) - (x->overload_length < y->overload_length);
}

static int count_mappings(void) {
  int count = 0;
  for (int i = 0; i < genie_op_table_count; ++i) {
    for (int j = 0; genie_op_table[i].aten[j] != NULL; ++j) {
      ++count;
    }
  }
  for (int i = 0; i < FAMILY_COUNT; ++i) {
    for (int j = 0; composite_families[i][j].name != NULL; ++j) {
      ++count;
    }
  }
  return count;
}

genie_status_t pt2_mapping_table_init(genie_arena_t *arena, pt2_mapping_table_t *out_table) {
  void *memory;
  GENIE_RETURN_IF_ERROR(genie_arena_allocate(arena, (size_t)count_mappings(), sizeof(pt2_mapping_t), &memory));
  *out_table = (pt2_mapping_table_t){.rows = memory};
  for (int i = 0; i < genie_op_table_count; ++i) {
    const genie_op_info_t *op = &genie_op_table[i];
    for (int j = 0; op->aten[j] != NULL; ++j) {
      const char *arguments = strchr(op->aten[j], '(');
      const pt2_rule_fn_t rule = named_rule(op->import_rule);
      if (rule == NULL) {
        return genie_status_make(GENIE_STATUS_INTERNAL, "%s: there is no import rule '%s'", op->name, op->import_rule);
      }
      out_table->rows[out_table->count++] = (pt2_mapping_t){
          .overload = op->aten[j],
          .overload_length = arguments != NULL ? (size_t)(arguments - op->aten[j]) : strlen(op->aten[j]),
          .rule = rule,
          .op = op,
          .arguments = arguments != NULL ? arguments + 1 : ""};
    }
  }
  for (int i = 0; i < FAMILY_COUNT; ++i) {
    for (const pt2_rule_row_t *row = composite_families[i]; row->name != NULL; ++row) {
      out_table->rows[out_table->count++] = (pt2_mapping_t){
          .overload = row->name, .overload_length = strlen(row->name), .rule = row->rule, .arguments = ""};
    }
  }
  qsort(out_table->rows, (size_t)out_table->count, sizeof *out_table->rows, compare_mappings);
  return GENIE_OK;
}

const char *pt2_overload_of(const char *target) {
  static const char prefix[] = "torch.ops.aten.";
  return strncmp(target, prefix, sizeof prefix - 1) == 0 ? target + sizeof prefix - 1 : target;
}

bool pt2_overload_is_in_place(const char *overload) {
  const char *dot = strrchr(overload, '.');
  return dot != NULL && dot > overload + 1 && dot[-1] == '_' && dot[-2] != '_' && overload[0] != '_';
}

static const pt2_mapping_t *find(const pt2_mapping_table_t *table, const char *overload, size_t length) {
  const pt2_mapping_t key = {.overload = overload, .overload_length = length};
  return bsearch(&key, table->rows, (size_t)table->count, sizeof key, compare_mappings);
}

const pt2_mapping_t *pt2_mapping_find(const pt2_mapping_table_t *table, const char *target, bool *out_is_in_place) {
  const char *overload = pt2_overload_of(target);
  const size_t length = strlen(overload);
  *out_is_in_place = false;
  const pt2_mapping_t *found = find(table, overload, length);
  char functional[128];
  if (found != NULL || !pt2_overload_is_in_place(overload) || length >= sizeof functional) {
    return found;
  }
  const size_t stem = (size_t)(strrchr(overload, '.') - overload) - 1;
  memcpy(functional, overload, stem);
  memcpy(functional + stem, overload + stem + 1, length - stem);
  *out_is_in_place = true;
  return find(table, functional, length - 1);
}
