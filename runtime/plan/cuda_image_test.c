// Promises: a whole image is accepted; each broken bound, symbol, terminator and version is refused, one kernel named.
#include "runtime/plan/cuda_image.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "runtime/plan/format.h"

#include <cmocka.h>

typedef struct image {
  genie_cuda_image_header_t header;
  genie_cuda_kernel_record_t kernels[2];
  char ptx[16];
  char cubin[8];
} image_t;

static const uint64_t kOffsets[] = {offsetof(image_t, kernels), GENIE_PLAN_NO_CODE,
                                    offsetof(image_t, kernels) + sizeof(genie_cuda_kernel_record_t)};

static image_t make_image(void) {
  return (image_t){
      .header = {.magic = {'G', 'C', 'U', 'D', 'A', 'I', 'M', 'G'},
                 .version = 1,
                 .kernel_count = 2,
                 .ptx_offset = offsetof(image_t, ptx),
                 .ptx_bytes = 16,
                 .cubin_offset = offsetof(image_t, cubin),
                 .cubin_bytes = 8},
      .kernels = {{.symbol = "softmax_0", .threads_per_block = 256, .flags = 1},
                  {.symbol = "_a", .threads_per_block = 1024, .dynamic_shared_bytes = 1024}},
      .ptx = ".version 8.0 ;;",
  };
}

static genie_status_code_t check_bytes(const image_t *image, uint64_t byte_count) {
  const genie_status_t status = genie_cuda_image_check((const uint8_t *)image, byte_count, kOffsets, 3);
  const genie_status_code_t code = genie_status_code(status);
  if (status != GENIE_OK) {
    assert_null(strchr(genie_status_message(status), '\n'));
  }
  genie_status_free(status);
  return code;
}

static void accepts_a_whole_image(void **state) {
  (void)state;
  const image_t image = make_image();
  assert_int_equal(check_bytes(&image, sizeof(image)), GENIE_STATUS_OK);
  assert_string_equal(genie_cuda_image_ptx((const uint8_t *)&image), image.ptx);
}

static void refuses_every_truncation(void **state) {
  (void)state;
  const image_t image = make_image();
  for (uint64_t size = 0; size < sizeof(image); ++size) {
    assert_int_equal(check_bytes(&image, size), GENIE_STATUS_INVALID_ARGUMENT);
  }
}

#define REFUSES(code, change)                                   \
  do {                                                          \
    image_t image = make_image();                               \
    change;                                                     \
    assert_int_equal(check_bytes(&image, sizeof(image)), code); \
  } while (0)

static void refuses_broken_fields(void **state) {
  (void)state;
  REFUSES(GENIE_STATUS_INVALID_ARGUMENT, image.header.magic[7] = 'X');
  REFUSES(GENIE_STATUS_UNIMPLEMENTED, image.header.version = 2);
  REFUSES(GENIE_STATUS_INVALID_ARGUMENT, image.header.kernel_count = 3);
  REFUSES(GENIE_STATUS_INVALID_ARGUMENT, image.header.ptx_offset = UINT64_MAX);
  REFUSES(GENIE_STATUS_INVALID_ARGUMENT, image.header.ptx_bytes = 0);
  REFUSES(GENIE_STATUS_INVALID_ARGUMENT, image.header.cubin_bytes = UINT64_MAX - 7);
  REFUSES(GENIE_STATUS_INVALID_ARGUMENT, image.header.cubin_bytes = 0);
  REFUSES(GENIE_STATUS_INVALID_ARGUMENT, image.ptx[15] = ' ');
  REFUSES(GENIE_STATUS_INVALID_ARGUMENT, image.ptx[3] = '\0');
  REFUSES(GENIE_STATUS_INVALID_ARGUMENT, image.kernels[0].symbol[0] = '0');
  REFUSES(GENIE_STATUS_INVALID_ARGUMENT, image.kernels[0].symbol[0] = '\0');
  REFUSES(GENIE_STATUS_INVALID_ARGUMENT, image.kernels[0].symbol[3] = '\n');
  REFUSES(GENIE_STATUS_INVALID_ARGUMENT, memset(image.kernels[1].symbol, 'a', 64));
  REFUSES(GENIE_STATUS_INVALID_ARGUMENT, image.kernels[1].threads_per_block = 0);
  REFUSES(GENIE_STATUS_INVALID_ARGUMENT, image.kernels[1].threads_per_block = 1025);
  REFUSES(GENIE_STATUS_INVALID_ARGUMENT, image.kernels[1].dynamic_shared_bytes = 1 << 20);
  REFUSES(GENIE_STATUS_UNIMPLEMENTED, image.kernels[1].flags = 2);
  REFUSES(GENIE_STATUS_UNIMPLEMENTED, image.kernels[1].reserved = 1);
}

static void refuses_records_outside(void **state) {
  (void)state;
  const image_t image = make_image();
  const uint64_t bad[] = {0, 8, 52, sizeof(image) - 8, sizeof(image), UINT64_MAX - 8};
  for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); ++i) {
    const uint64_t offsets[] = {kOffsets[0], bad[i]};
    const genie_status_t status = genie_cuda_image_check((const uint8_t *)&image, sizeof(image), offsets, 2);
    assert_int_equal(genie_status_code(status), GENIE_STATUS_INVALID_ARGUMENT);
    assert_non_null(strstr(genie_status_message(status), "kernel 1"));
    genie_status_free(status);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(accepts_a_whole_image),
      cmocka_unit_test(refuses_every_truncation),
      cmocka_unit_test(refuses_broken_fields),
      cmocka_unit_test(refuses_records_outside),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
