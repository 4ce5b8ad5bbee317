// Promises: ranges that live at the same time never overlap; what is planned lies between the largest sum that lives at
// once and the sum of all; equal input gives equal offsets.
#include "codegen/plan/memory_plan.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

enum { kRanges = 120, kSteps = 60, kRounds = 50 };

static uint64_t random_state = 88172645463325252ull;

static uint64_t next_random(uint64_t bound) {
  random_state ^= random_state << 13;
  random_state ^= random_state >> 7;
  random_state ^= random_state << 17;
  return random_state % bound;
}

static uint64_t rounded(uint64_t bytes) {
  return (bytes + 63) & ~63ull;
}

static void make_ranges(genie_memory_range_t ranges[kRanges]) {
  for (int i = 0; i < kRanges; ++i) {
    const int first = (int)next_random(kSteps);
    ranges[i] = (genie_memory_range_t){
        .size_bytes = next_random(8) == 0 ? 0 : next_random(5000), .first = first, .last = first + (int)next_random(6)};
  }
}

static void check_disjoint(const genie_memory_range_t ranges[kRanges]) {
  for (int i = 0; i < kRanges; ++i) {
    assert_int_equal(ranges[i].offset % 64, 0);
    for (int j = 0; j < i; ++j) {
      const bool meets = ranges[i].first <= ranges[j].last && ranges[j].first <= ranges[i].last;
      const bool overlaps = ranges[i].offset < ranges[j].offset + ranges[j].size_bytes &&
                            ranges[j].offset < ranges[i].offset + ranges[i].size_bytes;
      assert_false(meets && overlaps && ranges[i].size_bytes > 0 && ranges[j].size_bytes > 0);
    }
  }
}

static void lives_at_once_lies_apart(void **state) {
  (void)state;
  for (int round = 0; round < kRounds; ++round) {
    genie_arena_t arena;
    genie_arena_init(genie_allocator_heap(), 0, &arena);
    genie_memory_range_t ranges[kRanges];
    genie_memory_range_t again[kRanges];
    make_ranges(ranges);
    memcpy(again, ranges, sizeof(ranges));
    uint64_t total = 0;
    uint64_t total_again = 0;
    assert_int_equal(genie_memory_plan(&arena, kRanges, ranges, &total), GENIE_OK);
    assert_int_equal(genie_memory_plan(&arena, kRanges, again, &total_again), GENIE_OK);
    check_disjoint(ranges);
    assert_int_equal(total, total_again);
    assert_memory_equal(ranges, again, sizeof(ranges));
    uint64_t sum = 0;
    uint64_t peak = 0;
    for (int step = 0; step < kSteps + 6; ++step) {
      uint64_t live = 0;
      for (int i = 0; i < kRanges; ++i) {
        live += ranges[i].first <= step && step <= ranges[i].last ? rounded(ranges[i].size_bytes) : 0;
      }
      peak = live > peak ? live : peak;
    }
    for (int i = 0; i < kRanges; ++i) {
      sum += rounded(ranges[i].size_bytes);
    }
    assert_true(total >= peak && total <= sum);
    assert_true(total <= peak + peak / 2);  // far from the sum; greedy by size is near the peak
    genie_arena_deinit(&arena);
  }
}

static void nothing_needs_no_memory(void **state) {
  (void)state;
  genie_arena_t arena;
  genie_arena_init(genie_allocator_heap(), 0, &arena);
  uint64_t total = 1;
  assert_int_equal(genie_memory_plan(&arena, 0, NULL, &total), GENIE_OK);
  assert_int_equal(total, 0);
  genie_arena_deinit(&arena);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(lives_at_once_lies_apart),
      cmocka_unit_test(nothing_needs_no_memory),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
