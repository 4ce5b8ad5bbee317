#include "runtime/exec/expr_text.h"

// Expressions share nodes, so the text of a small table can be exponentially long.
enum { kMaxTextBytes = 240, kMaxDepth = 32 };

typedef struct operator_text {
  const char *infix;  // NULL: a function
  const char *function;
  int precedence;  // of the result; operands of less are put in parentheses
} operator_text_t;

static const operator_text_t kOperators[] = {
    [GENIE_PLAN_EXPR_ADD] = {.infix = " + ", .precedence = 1},
    [GENIE_PLAN_EXPR_MUL] = {.infix = "*", .precedence = 2},
    [GENIE_PLAN_EXPR_FLOORDIV] = {.infix = "//", .precedence = 2},
    [GENIE_PLAN_EXPR_MOD] = {.infix = "%", .precedence = 2},
    [GENIE_PLAN_EXPR_CEILDIV] = {.function = "ceildiv", .precedence = 3},
    [GENIE_PLAN_EXPR_MIN] = {.function = "min", .precedence = 3},
    [GENIE_PLAN_EXPR_MAX] = {.function = "max", .precedence = 3},
};

static void append_node(const genie_plan_t *plan, uint32_t index, int outer, int depth, size_t limit,
                        genie_string_builder_t *builder);

static void append_operation(const genie_plan_t *plan, const genie_plan_expr_t *node, int outer, int depth,
                             size_t limit, genie_string_builder_t *builder) {
  const operator_text_t *text = &kOperators[node->op];
  const bool is_function = text->infix == NULL;
  const bool has_parentheses = is_function || text->precedence < outer;
  genie_string_builder_format(builder, "%s%s", is_function ? text->function : "", has_parentheses ? "(" : "");
  append_node(plan, node->lhs, is_function ? 0 : text->precedence, depth + 1, limit, builder);
  genie_string_builder_format(builder, "%s", is_function ? ", " : text->infix);
  append_node(plan, node->rhs, is_function ? 0 : text->precedence + 1, depth + 1, limit, builder);
  genie_string_builder_format(builder, "%s", has_parentheses ? ")" : "");
}

static void append_node(const genie_plan_t *plan, uint32_t index, int outer, int depth, size_t limit,
                        genie_string_builder_t *builder) {
  const genie_plan_expr_t *node = &plan->exprs[index];
  if (depth > kMaxDepth || builder->length > limit) {
    genie_string_builder_format(builder, "...");
  } else if (node->op == GENIE_PLAN_EXPR_CONSTANT) {
    genie_string_builder_format(builder, "%lld", (long long)node->constant);
  } else if (node->op == GENIE_PLAN_EXPR_SYMBOL) {
    genie_string_builder_format(builder, "%s", genie_plan_string(plan, plan->symbols[node->lhs].name));
  } else {
    append_operation(plan, node, outer, depth, limit, builder);
  }
}

void genie_expr_text_append(const genie_plan_t *plan, uint32_t expr, genie_string_builder_t *builder) {
  append_node(plan, expr, 0, 0, builder->length + kMaxTextBytes, builder);
}
