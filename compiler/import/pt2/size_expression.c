#include "compiler/import/pt2/size_expression.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

// Recursive descent: call := name '(' argument {',' argument} ')', argument := call | quoted | keyword '=' word |
// number.
enum { MAX_DEPTH = 64, MAX_NAME_BYTES = 32 };
#define MAX_CONSTANT ((int64_t)1 << 40)

typedef struct parser {
  MlirContext context;
  const char *text, *at;
  bool can_add;
  genie_pt2_symbols_t *symbols;
  int depth;
} parser_t;

static genie_status_t malformed(const parser_t *parser) {
  return genie_status_make(GENIE_STATUS_INVALID_ARGUMENT, "size expression '%.80s' is malformed at byte %d",
                           parser->text, (int)(parser->at - parser->text));
}

static genie_status_t not_affine(const parser_t *parser, const char *what) {
  return genie_status_make(GENIE_STATUS_UNIMPLEMENTED,
                           "size expression '%.80s' has %s, which a tensor's type cannot hold", parser->text, what);
}

static void skip_space(parser_t *parser) {
  while (*parser->at == ' ') {
    ++parser->at;
  }
}

static bool accept(parser_t *parser, char c) {
  skip_space(parser);
  if (*parser->at != c) {
    return false;
  }
  ++parser->at;
  return true;
}

static genie_status_t parse_name(parser_t *parser, char out_name[MAX_NAME_BYTES]) {
  skip_space(parser);
  int length = 0;
  while (isalnum((unsigned char)parser->at[length]) || parser->at[length] == '_') {
    if (++length == MAX_NAME_BYTES) {
      return malformed(parser);
    }
  }
  if (length == 0) {
    return malformed(parser);
  }
  memcpy(out_name, parser->at, (size_t)length);
  out_name[length] = '\0';
  parser->at += length;
  return GENIE_OK;
}

static genie_status_t parse_integer(parser_t *parser, MlirAffineExpr *out_size) {
  skip_space(parser);
  char *end;
  errno = 0;
  const long long value = strtoll(parser->at, &end, 10);
  if (end == parser->at || errno != 0 || value > MAX_CONSTANT || value < -MAX_CONSTANT) {
    return malformed(parser);
  }
  parser->at = end;
  *out_size = genie_dim_constant(parser->context, value);
  return accept(parser, ')') ? GENIE_OK : malformed(parser);
}

// 'NAME', keyword=True, ...)
static genie_status_t parse_symbol(parser_t *parser, MlirAffineExpr *out_size) {
  char name[MAX_NAME_BYTES], ignored[MAX_NAME_BYTES];
  if (!accept(parser, '\'')) {
    return malformed(parser);
  }
  GENIE_RETURN_IF_ERROR(parse_name(parser, name));
  if (!accept(parser, '\'')) {
    return malformed(parser);
  }
  while (accept(parser, ',')) {
    GENIE_RETURN_IF_ERROR(parse_name(parser, ignored));
    if (!accept(parser, '=')) {
      return malformed(parser);
    }
    GENIE_RETURN_IF_ERROR(parse_name(parser, ignored));
  }
  if (!accept(parser, ')')) {
    return malformed(parser);
  }
  genie_pt2_symbols_t *symbols = parser->symbols;
  int index = 0;
  while (index < symbols->count && strcmp(symbols->items[index].name, name) != 0) {
    ++index;
  }
  if (index == symbols->count) {
    if (!parser->can_add) {
      return genie_status_make(GENIE_STATUS_UNIMPLEMENTED,
                               "size '%s' depends on data and not on the inputs' sizes, which no plan can bound", name);
    }
    if (index == GENIE_IR_MAX_SYMBOLS) {
      return genie_status_make(GENIE_STATUS_UNIMPLEMENTED, "more than %d dynamic sizes", GENIE_IR_MAX_SYMBOLS);
    }
    memcpy(symbols->items[index].name, name, sizeof name);
    symbols->items[index].minimum = 1;
    symbols->items[index].multiple = 1;
    ++symbols->count;
  }
  *out_size = genie_dim_symbol(parser->context, index);
  return GENIE_OK;
}

static genie_status_t apply_power(const parser_t *parser, MlirAffineExpr base, MlirAffineExpr exponent,
                                  MlirAffineExpr *out_size) {
  int64_t power;
  if (!genie_dim_is_constant(exponent, &power) || power < 1 || power > 8) {
    return not_affine(parser, "a power");
  }
  *out_size = base;
  for (int64_t i = 1; i < power; ++i) {
    *out_size = genie_dim_mul(*out_size, base);
  }
  return GENIE_OK;
}

static genie_status_t apply(const parser_t *parser, const char *name, MlirAffineExpr lhs, MlirAffineExpr rhs,
                            MlirAffineExpr *out_size) {
  int64_t divisor;
  if (strcmp(name, "Add") == 0) {
    *out_size = genie_dim_add(lhs, rhs);
  } else if (strcmp(name, "Mul") == 0) {
    *out_size = genie_dim_mul(lhs, rhs);
  } else if (strcmp(name, "Pow") == 0) {
    return apply_power(parser, lhs, rhs, out_size);
  } else if (!genie_dim_is_constant(rhs, &divisor) || divisor <= 0) {
    return not_affine(parser, "a quotient of sizes");
  } else if (strcmp(name, "FloorDiv") == 0 || strcmp(name, "CleanDiv") == 0) {
    *out_size = genie_dim_floor_div(lhs, divisor);
  } else {
    *out_size = genie_dim_simplify(mlirAffineModExprGet(lhs, rhs));
  }
  return GENIE_OK;
}

static bool is_operator(const char *name) {
  static const char *const names[] = {"Add", "Mul", "Pow", "FloorDiv", "CleanDiv", "Mod", "PythonMod"};
  for (size_t i = 0; i < sizeof names / sizeof names[0]; ++i) {
    if (strcmp(names[i], name) == 0) {
      return true;
    }
  }
  return false;
}

static genie_status_t parse_call(parser_t *parser, MlirAffineExpr *out_size) {
  char name[MAX_NAME_BYTES];
  GENIE_RETURN_IF_ERROR(parse_name(parser, name));
  if (!accept(parser, '(') || parser->depth == MAX_DEPTH) {
    return malformed(parser);
  }
  if (strcmp(name, "Integer") == 0) {
    return parse_integer(parser, out_size);
  }
  if (strcmp(name, "Symbol") == 0) {
    return parse_symbol(parser, out_size);
  }
  if (!is_operator(name)) {
    return not_affine(parser, name);
  }
  ++parser->depth;
  GENIE_RETURN_IF_ERROR(parse_call(parser, out_size));
  while (accept(parser, ',')) {
    MlirAffineExpr rhs;
    GENIE_RETURN_IF_ERROR(parse_call(parser, &rhs));
    GENIE_RETURN_IF_ERROR(apply(parser, name, *out_size, rhs, out_size));
  }
  --parser->depth;
  return accept(parser, ')') ? GENIE_OK : malformed(parser);
}

genie_status_t genie_pt2_size_parse(MlirContext context, const char *text, bool can_add, genie_pt2_symbols_t *symbols,
                                    MlirAffineExpr *out_size) {
  parser_t parser = {.context = context, .text = text, .at = text, .can_add = can_add, .symbols = symbols};
  GENIE_RETURN_IF_ERROR(parse_call(&parser, out_size));
  skip_space(&parser);
  return *parser.at == '\0' ? GENIE_OK : malformed(&parser);
}
