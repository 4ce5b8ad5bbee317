// The math library of templates and scalar hooks: branch-free C that vectorises after inlining, so that no call to libm
// survives. Errors are below 1 unit in the last place in f32, but 6 for tanh and erf, and below 3 in f64; pow_f64 is
// within 2e-14. NaN, infinities, signed zeros and subnormals behave as in C's math.h. Functions of angles lose digits
// above 1e9.
#ifndef GENIE_CODEGEN_TEMPLATES_MATH_H_
#define GENIE_CODEGEN_TEMPLATES_MATH_H_

float genie_math_exp_f32(float x);
float genie_math_expm1_f32(float x);
float genie_math_log_f32(float x);
float genie_math_log1p_f32(float x);
float genie_math_log2_f32(float x);
float genie_math_log10_f32(float x);
float genie_math_sin_f32(float x);
float genie_math_cos_f32(float x);
float genie_math_tan_f32(float x);
float genie_math_tanh_f32(float x);
float genie_math_erf_f32(float x);
float genie_math_pow_f32(float x, float y);
float genie_math_atan2_f32(float y, float x);
float genie_math_fmod_f32(float x, float y);

double genie_math_exp_f64(double x);
double genie_math_expm1_f64(double x);
double genie_math_log_f64(double x);
double genie_math_log1p_f64(double x);
double genie_math_log2_f64(double x);
double genie_math_log10_f64(double x);
double genie_math_sin_f64(double x);
double genie_math_cos_f64(double x);
double genie_math_tan_f64(double x);
double genie_math_tanh_f64(double x);
double genie_math_erf_f64(double x);
double genie_math_pow_f64(double x, double y);
double genie_math_atan2_f64(double y, double x);
double genie_math_fmod_f64(double x, double y);

#endif  // GENIE_CODEGEN_TEMPLATES_MATH_H_
