// Promise: no change to the bytes of a plan makes the reader crash or read out of bounds. Thousands of plans that
// differ from a good one in some bytes, with hashes that fit again so that the verifier sees the change, are refused or
// verify; one that verifies can be evaluated and printed.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "runtime/plan/disassemble.h"
#include "runtime/plan/plan_bad_case.h"
#include "runtime/plan/reader.h"

#include <cmocka.h>

enum { kMutations = 20000 };

static uint64_t random_state = 0x243f6a8885a308d3ull;

// xorshift64*
static uint64_t next_random(void) {
  random_state ^= random_state >> 12;
  random_state ^= random_state << 25;
  random_state ^= random_state >> 27;
  return random_state * 0x2545f4914f6cdd1dull;
}

static void use_plan(const genie_plan_t *plan) {
  int64_t symbols[GENIE_PLAN_MAX_SYMBOLS];
  int64_t *values = calloc(plan->expr_count + 1, sizeof(*values));
  for (uint32_t entry = 0; entry < plan->entry_count; ++entry) {
    for (uint32_t i = 0; i < plan->entries[entry].symbol_count; ++i) {
      symbols[i] = plan->symbols[plan->entries[entry].first_symbol + i].maximum;
    }
    genie_plan_evaluate(plan, entry, symbols, values);
  }
  free(values);
  genie_string_builder_t text;
  genie_string_builder_init(genie_allocator_heap(), &text);
  assert_int_equal(genie_plan_disassemble(plan, &text), GENIE_OK);
  genie_string_builder_deinit(&text);
}

// Changes a word of the header or of a section of the `good` plan in a way that is often nearly right.
static void mutate(const uint8_t *good, uint8_t *bytes) {
  const genie_plan_header_t *header = (const genie_plan_header_t *)good;
  const genie_plan_section_t *section = &header->sections[next_random() % (header->section_count - 1)];
  uint64_t offset = next_random() % sizeof(genie_plan_header_t);
  if (section->size_bytes >= 4 && next_random() % 8 != 0) {
    offset = section->offset + next_random() % (section->size_bytes / 4) * 4;
  }
  uint32_t word = 0;
  memcpy(&word, bytes + offset, sizeof(word));
  switch (next_random() % 5) {
    case 0:
      word ^= 1u << next_random() % 32;
      break;
    case 1:
      word += 1;
      break;
    case 2:
      word -= 1;
      break;
    case 3:
      word = (uint32_t)next_random() % 70;
      break;
    default:
      word = UINT32_MAX - (uint32_t)next_random() % 2;
      break;
  }
  memcpy(bytes + offset, &word, sizeof(word));
}

static void survive_changes(const genie_plan_example_t *example) {
  char path[] = "/tmp/genie_mutation_XXXXXX";
  close(mkstemp(path));
  assert_int_equal(genie_plan_example_write(example, path, NULL), GENIE_OK);
  uint8_t *good = NULL;
  uint64_t size_bytes = 0;
  assert_int_equal(genie_plan_example_read(path, &good, &size_bytes), GENIE_OK);
  unlink(path);
  void *bytes = aligned_alloc(64, (size_bytes + 63) & ~63ull);
  int accepted = 0;
  int found_by_hash = 0;
  for (int i = 0; i < kMutations; ++i) {
    memcpy(bytes, good, size_bytes);
    const int changes = 1 + (int)(next_random() % 2);
    for (int change = 0; change < changes; ++change) {
      mutate(good, bytes);
    }
    genie_plan_t *plan = NULL;
    const bool is_rehashed = i % 16 != 0 && memcmp(bytes, good, GENIE_PLAN_HEADER_BYTES) == 0;
    if (is_rehashed) {
      assert_int_equal(genie_plan_example_rehash(bytes), GENIE_OK);
    }
    const genie_status_t status = genie_plan_open_memory(bytes, size_bytes, NULL, genie_allocator_heap(), &plan);
    if (status == GENIE_OK) {
      ++accepted;
      use_plan(plan);
      genie_plan_close(plan);
    }
    assert_int_not_equal(genie_status_code(status), GENIE_STATUS_INTERNAL);
    found_by_hash += genie_status_code(status) == GENIE_STATUS_DATA_LOSS;
    genie_status_free(status);
  }
  free(bytes);
  genie_allocator_free(genie_allocator_heap(), good);
  assert_true(found_by_hash > 100);
  assert_true(accepted > 100 && accepted < kMutations / 2);
}

static void survives_any_change(void **state) {
  (void)state;
  genie_plan_example_t example;
  genie_plan_example_make(&example);
  survive_changes(&example);
}

static void survives_any_change_of_several_places(void **state) {
  (void)state;
  genie_plan_example_t example;
  genie_plan_example_make_places(&example);
  survive_changes(&example);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(survives_any_change),
      cmocka_unit_test(survives_any_change_of_several_places),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
