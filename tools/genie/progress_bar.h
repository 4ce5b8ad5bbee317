// How far something is: a bar that is redrawn on a terminal; elsewhere nothing but what is worth a line of its own.
#ifndef GENIE_TOOLS_GENIE_PROGRESS_BAR_H_
#define GENIE_TOOLS_GENIE_PROGRESS_BAR_H_

#include <stdbool.h>
#include <stdint.h>

// In the caller's memory; one thread. It draws on stderr.
typedef struct genie_progress_bar {
  bool is_terminal;
  uint32_t done, total;
} genie_progress_bar_t;

void genie_progress_bar_init(uint32_t total, genie_progress_bar_t *out_bar);

// One step of the total begins: `label` says what is done now.
void genie_progress_bar_step(genie_progress_bar_t *bar, const char *label);

// Takes the bar off the terminal.
void genie_progress_bar_clear(genie_progress_bar_t *bar);

#endif  // GENIE_TOOLS_GENIE_PROGRESS_BAR_H_
