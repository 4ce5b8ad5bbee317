#include "codegen/plan/weight_source.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "codegen/plan/weight_table.h"
#include "runtime/base/checked_math.h"

typedef struct mapped_file {
  MlirAttribute path;  // uniqued: compares by address
  const uint8_t *bytes;
  uint64_t size_bytes;
  struct mapped_file *next;
} mapped_file_t;

struct genie_weight_source {
  MlirSymbolTable symbols;
  mapped_file_t *files;
};

static MlirStringRef text_of(const char *text) {
  return mlirStringRefCreateFromCString(text);
}

genie_status_t genie_weight_source_create(MlirModule module, genie_weight_source_t **out_source) {
  void *memory = NULL;
  GENIE_RETURN_IF_ERROR(
      genie_allocator_allocate_array(genie_allocator_heap(), 1, sizeof(genie_weight_source_t), &memory));
  *out_source = memory;
  (*out_source)->symbols = mlirSymbolTableCreate(mlirModuleGetOperation(module));
  return GENIE_OK;
}

void genie_weight_source_destroy(genie_weight_source_t *source) {
  if (source == NULL) {
    return;
  }
  for (mapped_file_t *file = source->files; file != NULL;) {
    mapped_file_t *next = file->next;
    if (file->size_bytes > 0) {
      munmap((void *)file->bytes, file->size_bytes);
    }
    genie_allocator_free(genie_allocator_heap(), file);
    file = next;
  }
  mlirSymbolTableDestroy(source->symbols);
  genie_allocator_free(genie_allocator_heap(), source);
}

static genie_status_t map_bytes(MlirStringRef path, mapped_file_t *file) {
  const int descriptor = open(path.data, O_RDONLY | O_CLOEXEC);
  struct stat info;
  if (descriptor < 0 || fstat(descriptor, &info) != 0) {
    const int error = errno;
    if (descriptor >= 0) {
      close(descriptor);
    }
    return genie_status_make(GENIE_STATUS_NOT_FOUND, "%.*s: cannot read the weights: %s", (int)path.length, path.data,
                             strerror(error));
  }
  file->size_bytes = (uint64_t)info.st_size;
  void *bytes = file->size_bytes > 0 ? mmap(NULL, file->size_bytes, PROT_READ, MAP_PRIVATE, descriptor, 0) : NULL;
  close(descriptor);
  if (bytes == MAP_FAILED) {
    file->size_bytes = 0;
    return genie_status_make(GENIE_STATUS_RESOURCE_EXHAUSTED, "%.*s: cannot map: %s", (int)path.length, path.data,
                             strerror(errno));
  }
  file->bytes = bytes;
  return GENIE_OK;
}

static genie_status_t require_file(genie_weight_source_t *source, MlirAttribute path, const mapped_file_t **out_file) {
  for (mapped_file_t *file = source->files; file != NULL; file = file->next) {
    if (mlirAttributeEqual(file->path, path)) {
      *out_file = file;
      return GENIE_OK;
    }
  }
  void *memory = NULL;
  GENIE_RETURN_IF_ERROR(genie_allocator_allocate_array(genie_allocator_heap(), 1, sizeof(mapped_file_t), &memory));
  mapped_file_t *file = memory;
  *file = (mapped_file_t){.path = path, .next = source->files};
  source->files = file;  // destroy() releases it whether the mapping succeeds or not
  *out_file = file;
  return map_bytes(mlirStringAttrGetValue(path), file);
}

// Bytes from the first element to the end of the last one; false when that overflows.
static bool extent_of(const genie_host_tensor_t *tensor, const int64_t *strides, uint64_t *out_bytes) {
  int64_t last = 0;
  for (int i = 0; i < tensor->rank; ++i) {
    int64_t reach = 0;
    if (tensor->dims[i] == 0) {
      *out_bytes = 0;
      return true;
    }
    if (strides[i] < 0 || !genie_checked_mul_i64(tensor->dims[i] - 1, strides[i], &reach) ||
        !genie_checked_add_i64(last, reach, &last)) {
      return false;
    }
  }
  return genie_checked_add_i64(last, 1, &last) &&
         genie_checked_mul_u64((uint64_t)last, genie_dtype_bytes(tensor->dtype), out_bytes);
}

static bool is_dense(const genie_host_tensor_t *tensor, const int64_t *strides) {
  int64_t expected = 1;
  for (int i = tensor->rank - 1; i >= 0; --i) {
    if (tensor->dims[i] != 1 && strides[i] != expected) {
      return false;
    }
    expected *= tensor->dims[i];
  }
  return true;
}

// Row-major copy of a strided tensor, element by element along the last dimension.
static void gather(const genie_host_tensor_t *tensor, const int64_t *strides, const uint8_t *source, uint8_t *out) {
  const size_t element = genie_dtype_bytes(tensor->dtype);
  const int64_t count = genie_host_tensor_count(tensor);
  const int64_t row = tensor->rank == 0 ? 1 : tensor->dims[tensor->rank - 1];
  const int64_t step = tensor->rank == 0 ? 1 : strides[tensor->rank - 1];
  for (int64_t first = 0; first < count; first += row) {
    int64_t position = 0;
    int64_t rest = first / row;
    for (int dim = tensor->rank - 2; dim >= 0; --dim) {
      position += rest % tensor->dims[dim] * strides[dim];
      rest /= tensor->dims[dim];
    }
    for (int64_t i = 0; i < row; ++i) {
      memcpy(out + (size_t)(first + i) * element, source + (size_t)(position + i * step) * element, element);
    }
  }
}

static genie_status_t read_shape(MlirOperation weight, genie_host_tensor_t *out_tensor, int64_t *out_strides) {
  const genie_tensor_type_t type =
      genie_type_get(mlirTypeAttrGetValue(mlirOperationGetAttributeByName(weight, text_of("type"))));
  *out_tensor = (genie_host_tensor_t){.dtype = type.dtype, .rank = type.rank};
  for (int i = 0; i < type.rank; ++i) {
    out_tensor->dims[i] = genie_dim_value(type.dims[i]);
  }
  if (genie_ir_i64_array(weight, "strides", GENIE_IR_MAX_RANK, out_strides) != type.rank) {
    return genie_status_make(GENIE_STATUS_INVALID_ARGUMENT, "a weight has not one stride for each of its %d dimensions",
                             type.rank);
  }
  return GENIE_OK;
}

static genie_status_t load(genie_weight_source_t *source, MlirOperation weight, genie_host_tensor_t *out_tensor) {
  int64_t strides[GENIE_IR_MAX_RANK] = {0};
  GENIE_RETURN_IF_ERROR(read_shape(weight, out_tensor, strides));
  const mapped_file_t *file = NULL;
  GENIE_RETURN_IF_ERROR(require_file(source, mlirOperationGetAttributeByName(weight, text_of("file")), &file));
  const uint64_t offset = (uint64_t)genie_ir_i64(weight, "offset");
  uint64_t extent = 0;
  if (!extent_of(out_tensor, strides, &extent) || offset > file->size_bytes || extent > file->size_bytes - offset) {
    const MlirStringRef path = mlirStringAttrGetValue(file->path);
    return genie_status_make(GENIE_STATUS_DATA_LOSS, "%.*s: bytes %llu + %llu are beyond its end", (int)path.length,
                             path.data, (unsigned long long)offset, (unsigned long long)extent);
  }
  const uint8_t *bytes = file->bytes + offset;
  const bool is_aligned = (uintptr_t)bytes % genie_dtype_bytes(out_tensor->dtype) == 0;
  if (is_aligned && is_dense(out_tensor, strides)) {
    out_tensor->data = (void *)bytes;
    return GENIE_OK;
  }
  GENIE_RETURN_IF_ERROR(genie_allocator_allocate_array(genie_allocator_heap(), genie_host_tensor_bytes(out_tensor) + 1,
                                                       1, &out_tensor->owned));
  out_tensor->data = out_tensor->owned;
  gather(out_tensor, strides, bytes, out_tensor->data);
  return GENIE_OK;
}

genie_status_t genie_weight_source_load(void *source, MlirStringRef name, genie_host_tensor_t *out_tensor) {
  genie_weight_source_t *self = source;
  const MlirOperation weight = mlirSymbolTableLookup(self->symbols, name);
  if (mlirOperationIsNull(weight)) {
    return genie_status_make(GENIE_STATUS_INVALID_ARGUMENT, "weight @%.*s does not exist", (int)name.length, name.data);
  }
  return genie_status_annotate(load(self, weight, out_tensor), "weight @%.*s", (int)name.length, name.data);
}
