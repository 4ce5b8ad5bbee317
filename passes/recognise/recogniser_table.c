#include "passes/recognise/recogniser.h"

const genie_recogniser_info_t genie_recogniser_table[] = {
#define GENIE_RECOGNISER(function, name, writes, summary) {name, writes, summary, function},
#include "passes/recognise/recognisers.def"
#undef GENIE_RECOGNISER
};
const int genie_recogniser_count = (int)(sizeof genie_recogniser_table / sizeof genie_recogniser_table[0]);
