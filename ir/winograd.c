#include "ir/winograd.h"

#include <assert.h>

// Row i is the powers of point i over the product of its distances to the other points.
static const double evaluate_2[4][3] = {{1, 0, 0}, {0.5, 0.5, 0.5}, {0.5, -0.5, 0.5}, {0, 0, 1}};

#define ROOT_HALF 0.70710678118654752440
#define ROOT_TWO 1.41421356237309504880
static const double evaluate_4[6][3] = {
    {1, 0, 0},
    {-2.0 / 3, -2.0 / 3 * ROOT_HALF, -1.0 / 3},
    {-2.0 / 3, 2.0 / 3 * ROOT_HALF, -1.0 / 3},
    {1.0 / 6, ROOT_TWO / 6, 1.0 / 3},
    {1.0 / 6, -ROOT_TWO / 6, 1.0 / 3},
    {0, 0, 1},
};

void genie_winograd_transform_filter(int tile, const float *filter, float *out_points) {
  assert(tile == 2 || tile == 4);
  const double (*g)[3] = tile == 2 ? evaluate_2 : evaluate_4;
  const int size = tile + 2;
  for (int i = 0; i < size; ++i) {
    double line[3];
    for (int j = 0; j < 3; ++j) {
      line[j] = g[i][0] * (double)filter[j] + g[i][1] * (double)filter[3 + j] + g[i][2] * (double)filter[6 + j];
    }
    for (int j = 0; j < size; ++j) {
      out_points[i * size + j] = (float)(g[j][0] * line[0] + g[j][1] * line[1] + g[j][2] * line[2]);
    }
  }
}
