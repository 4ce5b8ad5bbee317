// Minimal filtering of 3 x 3 taps (Winograd; Lavin and Gray, arXiv:1509.09308): F(m x m, 3 x 3) computes a tile of m x
// m outputs of a convolution from (m + 2) x (m + 2) inputs d and filter w in (m + 2)^2 products,
//
//     y = AT ((G w G^T) * (BT d B)) A,
//
// where the matrices evaluate polynomials at points and interpolate. m = 2: at 0, 1, -1 and infinity. m = 4: at 0,
// +-sqrt(1/2), +-sqrt(2) and infinity. codegen/templates/conv_winograd.c owns AT and BT, this file G.
#ifndef GENIE_IR_WINOGRAD_H_
#define GENIE_IR_WINOGRAD_H_

enum { GENIE_WINOGRAD_MAX_POINTS = 36 };

// G w G^T, (tile + 2)^2 values, of the row-major 3 x 3 `filter`, for `tile` 2 or 4; computed in f64 and rounded once.
void genie_winograd_transform_filter(int tile, const float *filter, float *out_points);

#endif  // GENIE_IR_WINOGRAD_H_
