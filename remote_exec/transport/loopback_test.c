// The loopback carrier, bare and below a fault carrier that injects none.
#include "remote_exec/transport/loopback.h"

#include <setjmp.h>
#include <stdarg.h>

#include "remote_exec/transport/channel_conformance.h"
#include "remote_exec/transport/fault.h"

#include <cmocka.h>

static void open_loopback(genie_channel_t **out_first, genie_channel_t **out_second) {
  assert_int_equal(genie_loopback_create(genie_allocator_heap(), out_first, out_second), GENIE_OK);
}

static void open_faultless(genie_channel_t **out_first, genie_channel_t **out_second) {
  genie_channel_t *first = NULL;
  genie_channel_t *second = NULL;
  open_loopback(&first, &second);
  const genie_fault_options_t none = {.seed = 1};
  assert_int_equal(genie_fault_wrap(first, &none, out_first), GENIE_OK);
  assert_int_equal(genie_fault_wrap(second, &none, out_second), GENIE_OK);
}

int main(void) {
  return genie_channel_conformance_run("loopback", open_loopback) +
         genie_channel_conformance_run("fault without faults", open_faultless);
}
