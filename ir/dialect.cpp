// The dialects as MLIR sees them: classes from the .td files, and verifiers that call C (verify.c).
#include "ir/dialect.h"

#include "mlir/Bytecode/BytecodeOpInterface.h"
#include "mlir/CAPI/IR.h"
#include "mlir/CAPI/Support.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/Dialect.h"
#include "mlir/IR/DialectImplementation.h"
#include "mlir/IR/OpDefinition.h"
#include "mlir/IR/OpImplementation.h"
#include "mlir/IR/SymbolTable.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

namespace genie {

static mlir::LogicalResult emit_status(mlir::Operation *op, genie_status_t status) {
  if (status == GENIE_OK) {
    return mlir::success();
  }
  const mlir::InFlightDiagnostic diagnostic = op->emitOpError(genie_status_message(status));
  genie_status_free(status);
  return mlir::failure();
}

template <typename ConcreteType>
class ShapeVerified : public mlir::OpTrait::TraitBase<ConcreteType, ShapeVerified> {
 public:
  static mlir::LogicalResult verifyTrait(mlir::Operation *op) { return emit_status(op, genie_verify_op(wrap(op))); }
};

}  // namespace genie

#include "ir/genie_dialect.h.inc"
#define GET_OP_CLASSES
#include "ir/genie_dialect.cpp.inc"
#include "ir/genie_ops.h.inc"
#define GET_OP_CLASSES
#include "ir/genie_ops.cpp.inc"

#ifdef GENIE_HAS_gplan
#include "ir/gplan_dialect.h.inc"
#define GET_OP_CLASSES
#include "ir/gplan_dialect.cpp.inc"
#include "ir/gplan_ops.h.inc"
#define GET_OP_CLASSES
#include "ir/gplan_ops.cpp.inc"

void gplan::GplanDialect::initialize() {
  addOperations<
#define GET_OP_LIST
#include "ir/gplan_ops.cpp.inc"
      >();
}
#endif

namespace genie {

void GenieDialect::initialize() {
  addOperations<
#define GET_OP_LIST
#include "ir/genie_ops.cpp.inc"
      >();
}

mlir::Operation *GenieDialect::materializeConstant(mlir::OpBuilder &builder, mlir::Attribute value, mlir::Type type,
                                                   mlir::Location location) {
  const auto elements = llvm::dyn_cast<mlir::ElementsAttr>(value);
  return elements && elements.getType() == type ? ConstantOp::create(builder, location, type, elements).getOperation()
                                                : nullptr;
}

mlir::LogicalResult GenieDialect::verifyOperationAttribute(mlir::Operation *op, mlir::NamedAttribute attribute) {
  return emit_status(
      op, genie_verify_attribute(wrap(op), wrap(attribute.getName().getValue()), wrap(attribute.getValue())));
}

mlir::LogicalResult GenieDialect::verifyRegionArgAttribute(mlir::Operation *op, unsigned, unsigned argument,
                                                           mlir::NamedAttribute attribute) {
  return emit_status(op, genie_verify_argument_attribute(wrap(op), argument, wrap(attribute.getName().getValue()),
                                                         wrap(attribute.getValue())));
}

mlir::LogicalResult GenieDialect::verifyRegionResultAttribute(mlir::Operation *op, unsigned, unsigned result,
                                                              mlir::NamedAttribute attribute) {
  return emit_status(op, genie_verify_result_attribute(wrap(op), result, wrap(attribute.getName().getValue()),
                                                       wrap(attribute.getValue())));
}

mlir::LogicalResult StateUpdateOp::verifySymbolUses(mlir::SymbolTableCollection &tables) {
  mlir::Operation *state = tables.lookupNearestSymbolFrom(getOperation(), getStateAttr());
  return emit_status(getOperation(), genie_verify_state_update(wrap(getOperation()), wrap(state)));
}

mlir::OpFoldResult ConstantOp::fold(FoldAdaptor) {
  return getValue();
}

}  // namespace genie

extern "C" {

void genie_dialect_load_all(MlirContext context) {
  unwrap(context)->loadDialect<mlir::func::FuncDialect, genie::GenieDialect>();
#ifdef GENIE_HAS_gplan
  unwrap(context)->loadDialect<gplan::GplanDialect>();
#endif
}

MlirAttribute genie_dialect_attributes(MlirOperation op) {
  return wrap(unwrap(op)->getAttrDictionary());
}

bool genie_dialect_is_pure(MlirOperation op) {
  return mlir::isMemoryEffectFree(unwrap(op));
}
}
