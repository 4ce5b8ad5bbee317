// Writes the sample plan of the tests. usage: write_sample_plan PATH [FEATURES [faulty]]; with FEATURES, as in sm_70,
// for a GPU
#include <stdio.h>
#include <string.h>

#include "tests/support/sample_plan.h"

int main(int argc, char **argv) {
  const bool is_faulty = argc == 4 && strcmp(argv[3], "faulty") == 0;
  if (argc < 2 || (argc > 3 && !is_faulty)) {
    fprintf(stderr, "usage: write_sample_plan PATH [FEATURES [faulty]]\n");
    return 2;
  }
  const genie_sample_options_t gpu = {.is_cuda = true, .features = argv[2], .is_faulty = is_faulty};
  const genie_status_t status = genie_sample_plan_write(argv[1], argc > 2 ? &gpu : NULL);
  if (status != GENIE_OK) {
    fprintf(stderr, "write_sample_plan: %s\n", genie_status_message(status));
    genie_status_free(status);
    return 1;
  }
  return 0;
}
