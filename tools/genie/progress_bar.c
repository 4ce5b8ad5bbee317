#include "tools/genie/progress_bar.h"

#include <stdio.h>
#include <unistd.h>

enum { kWidth = 30 };
static const char kFilled[] = "##############################";

void genie_progress_bar_init(uint32_t total, genie_progress_bar_t *out_bar) {
  *out_bar = (genie_progress_bar_t){.is_terminal = isatty(STDERR_FILENO) == 1, .total = total};
}

void genie_progress_bar_step(genie_progress_bar_t *bar, const char *label) {
  if (bar->is_terminal && bar->total > 0) {
    const uint32_t done = bar->done < bar->total ? bar->done : bar->total;
    const int filled = (int)((uint64_t)kWidth * done / bar->total);
    fprintf(stderr, "\r\033[K[%.*s%*s] %u/%u %.60s", filled, kFilled, kWidth - filled, "", done + 1, bar->total, label);
    fflush(stderr);
  }
  bar->done += 1;
}

void genie_progress_bar_clear(genie_progress_bar_t *bar) {
  if (bar->is_terminal) {
    fprintf(stderr, "\r\033[K");
    fflush(stderr);
  }
}
