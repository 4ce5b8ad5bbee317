// Network memory: one suite over every kind that this machine and build have.
#include "remote_exec/memory/network_memory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { kMemoryBytes = 8 << 20, kPieceCount = 64, kRoundCount = 2000, kKindCount = 3 };

static genie_network_memory_t *make(genie_network_memory_kind_t kind) {
  const genie_network_memory_options_t options = {.kind = kind, .is_demanded = true, .size_bytes = kMemoryBytes};
  genie_network_memory_t *memory = NULL;
  const genie_status_t status = genie_network_memory_create(&options, genie_allocator_heap(), &memory);
  if (status != GENIE_OK) {
    print_message("%s\n", genie_status_message(status));
    genie_status_free(status);
    skip();
  }
  return memory;
}

static genie_network_memory_kind_t kind_of(void **state) {
  return *(const genie_network_memory_kind_t *)*state;
}

static genie_network_memory_report_t report_of(genie_network_memory_t *memory) {
  genie_network_memory_report_t report;
  genie_network_memory_get_report(memory, &report);
  return report;
}

static void all_of_it_can_be_written(void **state) {
  genie_network_memory_t *memory = make(kind_of(state));
  const genie_network_memory_report_t report = report_of(memory);
  assert_int_equal(report.kind, kind_of(state));
  assert_string_equal(report.reason, "");
  assert_true(report.size_bytes >= kMemoryBytes && report.page_bytes >= 4096);
  memset(genie_network_memory_base(memory), 0xa5, report.size_bytes);
  genie_network_memory_destroy(memory);
}

// Random pieces, each filled with its own byte: none overlaps another, and in the end the range is whole again.
static void pieces_are_apart_and_come_back(void **state) {
  genie_network_memory_t *memory = make(kind_of(state));
  uint8_t *pieces[kPieceCount] = {NULL};
  uint64_t sizes[kPieceCount];
  srand(1);
  for (int round = 0; round < kRoundCount; ++round) {
    const int i = rand() % kPieceCount;
    if (pieces[i] != NULL) {
      for (uint64_t at = 0; at < sizes[i]; at += 61) {
        assert_int_equal(pieces[i][at], i);
      }
      genie_network_memory_free(memory, pieces[i]);
      pieces[i] = NULL;
      continue;
    }
    void *piece = NULL;
    sizes[i] = (uint64_t)(rand() % (kMemoryBytes / 32));
    const genie_status_t status = genie_network_memory_allocate(memory, sizes[i], &piece);
    if (status != GENIE_OK) {
      assert_int_equal(genie_status_code(status), GENIE_STATUS_RESOURCE_EXHAUSTED);
      genie_status_free(status);
      continue;
    }
    assert_int_equal((uintptr_t)piece % GENIE_NETWORK_MEMORY_ALIGNMENT, 0);
    pieces[i] = piece;
    memset(piece, i, sizes[i]);
  }
  for (int i = 0; i < kPieceCount; ++i) {
    genie_network_memory_free(memory, pieces[i]);
  }
  void *whole = NULL;
  assert_int_equal(report_of(memory).used_bytes, 0);
  assert_int_equal(genie_network_memory_allocate(memory, report_of(memory).size_bytes, &whole), GENIE_OK);
  genie_network_memory_free(memory, whole);
  genie_network_memory_destroy(memory);
}

static void an_allocator_aligns(void **state) {
  genie_network_memory_t *memory = make(kind_of(state));
  const genie_allocator_t allocator = genie_network_memory_allocator(memory);
  void *large = allocator.allocate(allocator.self, 100, 4096), *small = allocator.allocate(allocator.self, 1, 16);
  assert_non_null(large);
  assert_non_null(small);
  assert_int_equal((uintptr_t)large % 4096, 0);
  memset(large, 1, 100);
  assert_null(allocator.allocate(allocator.self, SIZE_MAX, 64));
  allocator.deallocate(allocator.self, large);
  allocator.deallocate(allocator.self, small);
  allocator.deallocate(allocator.self, NULL);
  assert_int_equal(report_of(memory).used_bytes, 0);
  genie_network_memory_destroy(memory);
}

// ---- Registration ----

typedef struct library {
  genie_network_memory_t *memory;
  int added, removed;
  bool has_failure;
} library_t;

static genie_status_t add(void *self, void *address, uint64_t size_bytes, void **out_handle) {
  library_t *library = self;
  assert_ptr_equal(address, genie_network_memory_base(library->memory));
  assert_true(size_bytes >= kMemoryBytes);
  if (library->has_failure) {
    return genie_status_make(GENIE_STATUS_RESOURCE_EXHAUSTED, "the card is full");
  }
  library->added += 1;
  *out_handle = library;
  return GENIE_OK;
}

// The memory is still there.
static void remove_library(void *self, void *handle) {
  library_t *library = self;
  assert_ptr_equal(handle, library);
  *(volatile char *)genie_network_memory_base(library->memory) = 1;
  library->removed += 1;
}

static void a_library_learns_of_it_once(void **state) {
  genie_network_memory_t *memory = make(kind_of(state));
  library_t ucx = {.memory = memory}, cuda = {.memory = memory, .has_failure = true};
  const genie_network_registrar_t first = {.name = "ucx", .self = &ucx, .add = add, .remove = remove_library};
  const genie_network_registrar_t second = {.name = "cuda", .self = &cuda, .add = add, .remove = remove_library};
  assert_int_equal(genie_network_memory_register(memory, &first), GENIE_OK);
  assert_int_equal(genie_network_memory_register(memory, &first), GENIE_OK);
  assert_int_equal(ucx.added, 1);
  const genie_status_t status = genie_network_memory_register(memory, &second);
  assert_string_equal(genie_status_message(status), "the card is full");
  genie_status_free(status);
  assert_int_equal(report_of(memory).registration_count, 1);
  assert_ptr_equal(genie_network_memory_handle(memory, "ucx"), &ucx);
  assert_null(genie_network_memory_handle(memory, "cuda"));
  genie_network_memory_destroy(memory);
  assert_int_equal(ucx.removed, 1);
  assert_int_equal(cuda.removed, 0);
}

// ---- Falling back ----

// More huge pages than any machine has reserved.
static const uint64_t kTooMuch = (uint64_t)1 << 45;

static void another_kind_is_reported_never_silent(void **state) {
  (void)state;
  genie_network_memory_t *memory = NULL;
  genie_network_memory_options_t options = {
      .kind = GENIE_NETWORK_MEMORY_HUGEPAGE, .is_demanded = true, .size_bytes = kTooMuch};
  genie_status_t status = genie_network_memory_create(&options, genie_allocator_heap(), &memory);
  assert_int_equal(genie_status_code(status), GENIE_STATUS_FAILED_PRECONDITION);
  assert_non_null(strstr(genie_status_message(status), "'hugepage' was demanded"));
  genie_status_free(status);
#ifndef GENIE_DPDK
  options = (genie_network_memory_options_t){.kind = GENIE_NETWORK_MEMORY_DPDK, .size_bytes = kMemoryBytes};
  assert_int_equal(genie_network_memory_create(&options, genie_allocator_heap(), &memory), GENIE_OK);
  assert_int_equal(report_of(memory).kind, GENIE_NETWORK_MEMORY_PLAIN);
  assert_non_null(strstr(report_of(memory).reason, "built without DPDK"));
  genie_network_memory_destroy(memory);
#endif
}

static void nonsense_is_refused(void **state) {
  (void)state;
  genie_network_memory_t *memory = NULL;
  genie_network_memory_options_t options = {.size_bytes = 0};
  genie_status_t status = genie_network_memory_create(&options, genie_allocator_heap(), &memory);
  assert_int_equal(genie_status_code(status), GENIE_STATUS_INVALID_ARGUMENT);
  genie_status_free(status);
  options.size_bytes = UINT64_MAX;
  status = genie_network_memory_create(&options, genie_allocator_heap(), &memory);
  assert_int_equal(genie_status_code(status), GENIE_STATUS_RESOURCE_EXHAUSTED);
  genie_status_free(status);
}

// ---- Huge pages for the test, where it may reserve some ----

static const char kReserved[] = "/proc/sys/vm/nr_hugepages";

static long read_reserved(void) {
  long count = -1;
  FILE *file = fopen(kReserved, "re");
  if (file != NULL) {
    count = fscanf(file, "%ld", &count) == 1 ? count : -1;
    fclose(file);
  }
  return count;
}

static void write_reserved(long count) {
  FILE *file = fopen(kReserved, "we");
  if (file != NULL) {
    fprintf(file, "%ld", count);
    fclose(file);
  }
}

int main(void) {
  static genie_network_memory_kind_t kinds[kKindCount] = {GENIE_NETWORK_MEMORY_PLAIN, GENIE_NETWORK_MEMORY_HUGEPAGE,
                                                          GENIE_NETWORK_MEMORY_DPDK};
  const long reserved = read_reserved();
  if (reserved >= 0) {
    write_reserved(reserved + 2 * (kMemoryBytes >> 21));
  }
  int failed = 0;
  for (int i = 0; i < kKindCount; ++i) {
    const struct CMUnitTest suite[] = {
        cmocka_unit_test_prestate(all_of_it_can_be_written, &kinds[i]),
        cmocka_unit_test_prestate(pieces_are_apart_and_come_back, &kinds[i]),
        cmocka_unit_test_prestate(an_allocator_aligns, &kinds[i]),
        cmocka_unit_test_prestate(a_library_learns_of_it_once, &kinds[i]),
    };
    print_message("kind %s\n", genie_network_memory_kind_name(kinds[i]));
    failed += cmocka_run_group_tests(suite, NULL, NULL);
  }
  const struct CMUnitTest rest[] = {
      cmocka_unit_test(another_kind_is_reported_never_silent),
      cmocka_unit_test(nonsense_is_refused),
  };
  failed += cmocka_run_group_tests(rest, NULL, NULL);
  if (reserved >= 0) {
    write_reserved(reserved);
  }
  return failed;
}
