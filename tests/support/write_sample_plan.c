// Writes the sample plan of the tests. usage: write_sample_plan PATH [FEATURES]; with FEATURES, as in sm_70, for a GPU
#include <stdio.h>

#include "tests/support/sample_plan.h"

int main(int argc, char **argv) {
  if (argc != 2 && argc != 3) {
    fprintf(stderr, "usage: write_sample_plan PATH [FEATURES]\n");
    return 2;
  }
  const genie_sample_options_t gpu = {.is_cuda = true, .features = argv[2]};
  const genie_status_t status = genie_sample_plan_write(argv[1], argc == 3 ? &gpu : NULL);
  if (status != GENIE_OK) {
    fprintf(stderr, "write_sample_plan: %s\n", genie_status_message(status));
    genie_status_free(status);
    return 1;
  }
  return 0;
}
