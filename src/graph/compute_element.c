/* The interpreter: element by element. */
#include <math.h>
#include <string.h>

#include "graph/compute.h"

static float clip(float x, float least, float most)
{
    /* The upper bound wins where the two are the wrong way round; NaN goes through. */
    float raised = x < least ? least : x;
    return raised > most ? most : raised;
}

static double activate(const vrs_act *act, double x, double slope)
{
    switch (act->kind) {
    case VRS_ACT_RELU:
        return x < 0 ? 0 : x;
    case VRS_ACT_CLIP:
        return clip((float)x, act->min, act->max);
    case VRS_ACT_LEAKY_RELU:
        return x < 0 ? (double)act->alpha * x : x;
    case VRS_ACT_PRELU:
        return x < 0 ? slope * x : x;
    case VRS_ACT_ELU:
        return x < 0 ? (double)act->alpha * expm1(x) : x;
    case VRS_ACT_HARD_SIGMOID:
        return fmin(fmax((double)act->alpha * x + (double)act->beta, 0), 1);
    case VRS_ACT_HARD_SWISH:
        return x * fmin(fmax(x / 6 + 0.5, 0), 1);
    case VRS_ACT_SIGMOID:
        return 1 / (1 + exp(-x));
    case VRS_ACT_SILU:
        return x / (1 + exp(-x));
    case VRS_ACT_TANH:
        return tanh(x);
    case VRS_ACT_SOFTPLUS:
        return fmax(x, 0) + log1p(exp(-fabs(x)));
    case VRS_ACT_GELU:
        return x / 2 * (1 + erf(x / sqrt(2)));
    default:
        return x;
    }
}

void apply_activation(const compute *c, float *y)
{
    const vrs_act *act = &c->node->act;
    const vrs_value *value = compute_out(c, 0);
    int64_t count = (int64_t)vrs_value_elements(value), channels = 1, pixels = count;
    const float *slopes = NULL;
    float no_slope = 0;
    if (act->kind == VRS_ACT_PRELU) {
        slopes = c->graph->values[act->slope].data;
        if (vrs_value_elements(&c->graph->values[act->slope]) > 1) {
            channels = value->dims[1];
            pixels = dims_product(value, 2, value->rank);
        }
    }
    for (int64_t i = 0; i < count; i++) {
        float slope = slopes ? slopes[i / pixels % channels] : no_slope;
        y[i] = (float)activate(act, y[i], slope);
    }
}

vrs_status compute_activation(const compute *c)
{
    memcpy(c->out[0], c->in[0], vrs_value_bytes(compute_in(c, 0)));
    return VRS_OK; /* the activation itself follows every node's result */
}

vrs_status compute_scale_shift(const compute *c)
{
    const vrs_value *x = compute_in(c, 0);
    const float *from = c->in[0], *scale = c->in[1], *shift = c->in[2];
    float *to = c->out[0];
    int64_t count = (int64_t)vrs_value_elements(x), pixels = dims_product(x, 2, x->rank);
    for (int64_t i = 0; i < count; i++) {
        int64_t channel = i / pixels % x->dims[1];
        to[i] = from[i] * scale[channel] + shift[channel];
    }
    return VRS_OK;
}

static double unary_float(vrs_unary kind, double x)
{
    switch (kind) {
    case VRS_UNARY_EXP:
        return exp(x);
    case VRS_UNARY_LOG:
        return log(x);
    case VRS_UNARY_SQRT:
        return sqrt(x);
    case VRS_UNARY_RECIPROCAL:
        return 1 / x;
    case VRS_UNARY_ABS:
        return fabs(x);
    case VRS_UNARY_NEG:
        return -x;
    case VRS_UNARY_FLOOR:
        return floor(x);
    case VRS_UNARY_CEIL:
        return ceil(x);
    case VRS_UNARY_ROUND:
        return nearbyint(x);
    case VRS_UNARY_ERF:
        return erf(x);
    case VRS_UNARY_SIGN:
        return x > 0 ? 1 : x < 0 ? -1 : x;
    case VRS_UNARY_SIN:
        return sin(x);
    case VRS_UNARY_COS:
        return cos(x);
    default:
        return x;
    }
}

static int64_t unary_integer(vrs_unary kind, int64_t x)
{
    int64_t negative = (int64_t)(0 - (uint64_t)x);
    switch (kind) {
    case VRS_UNARY_ABS:
        return x < 0 ? negative : x;
    case VRS_UNARY_NEG:
        return negative;
    case VRS_UNARY_SIGN:
        return (x > 0) - (x < 0);
    default:
        return !x; /* NOT */
    }
}

vrs_status compute_unary(const compute *c)
{
    vrs_dtype dtype = compute_in(c, 0)->dtype;
    int64_t count = (int64_t)vrs_value_elements(compute_in(c, 0));
    for (int64_t i = 0; i < count; i++) {
        if (dtype == VRS_DTYPE_F32) {
            ((float *)c->out[0])[i] =
                (float)unary_float(c->node->as.unary, ((const float *)c->in[0])[i]);
        } else {
            store_integer(dtype, c->out[0], i,
                          unary_integer(c->node->as.unary, load_integer(dtype, c->in[0], i)));
        }
    }
    return VRS_OK;
}

/* In double, then rounded: for + - * / that is the float's own result. */
static double binary_float(vrs_binary kind, double a, double b, bool fmod_sign)
{
    switch (kind) {
    case VRS_BINARY_ADD:
        return a + b;
    case VRS_BINARY_SUB:
        return a - b;
    case VRS_BINARY_MUL:
        return a * b;
    case VRS_BINARY_DIV:
        return a / b;
    case VRS_BINARY_POW:
        return pow(a, b);
    case VRS_BINARY_MIN:
        return a < b || isnan(a) ? a : b;
    case VRS_BINARY_MAX:
        return a > b || isnan(a) ? a : b;
    default: { /* MOD */
        double rest = fmod(a, b);
        return !fmod_sign && rest != 0 && (rest < 0) != (b < 0) ? rest + b : rest;
    }
    }
}

/* Wraps around where it overflows; a division by 0 gives 0. */
static int64_t binary_integer(vrs_binary kind, int64_t a, int64_t b, bool fmod_sign)
{
    switch (kind) {
    case VRS_BINARY_ADD:
        return (int64_t)((uint64_t)a + (uint64_t)b);
    case VRS_BINARY_SUB:
        return (int64_t)((uint64_t)a - (uint64_t)b);
    case VRS_BINARY_MUL:
        return (int64_t)((uint64_t)a * (uint64_t)b);
    case VRS_BINARY_MIN:
        return a < b ? a : b;
    case VRS_BINARY_MAX:
        return a > b ? a : b;
    case VRS_BINARY_POW: {
        double power = pow((double)a, (double)b);
        return fabs(power) < 0x1p62 ? (int64_t)power : 0;
    }
    case VRS_BINARY_DIV:
        return b == 0 ? 0 : b == -1 ? (int64_t)(0 - (uint64_t)a) : a / b;
    default: { /* MOD */
        int64_t rest = b == 0 || b == -1 ? 0 : a % b;
        return !fmod_sign && rest != 0 && (rest < 0) != (b < 0) ? rest + b : rest;
    }
    }
}

static bool compare(vrs_binary kind, double a, double b)
{
    switch (kind) {
    case VRS_BINARY_EQUAL:
        return a == b;
    case VRS_BINARY_LESS:
        return a < b;
    case VRS_BINARY_LESS_EQUAL:
        return a <= b;
    case VRS_BINARY_GREATER:
        return a > b;
    default:
        return a >= b;
    }
}

static bool compare_integers(vrs_binary kind, int64_t a, int64_t b)
{
    switch (kind) {
    case VRS_BINARY_EQUAL:
        return a == b;
    case VRS_BINARY_LESS:
        return a < b;
    case VRS_BINARY_LESS_EQUAL:
        return a <= b;
    case VRS_BINARY_GREATER:
        return a > b;
    case VRS_BINARY_GREATER_EQUAL:
        return a >= b;
    case VRS_BINARY_AND:
        return a != 0 && b != 0;
    case VRS_BINARY_OR:
        return a != 0 || b != 0;
    default:
        return (a != 0) != (b != 0); /* XOR */
    }
}

vrs_status compute_binary(const compute *c)
{
    const vrs_value *y = compute_out(c, 0);
    vrs_binary kind = c->node->as.binary.kind;
    bool fmod_sign = c->node->as.binary.fmod, truth = kind >= VRS_BINARY_EQUAL;
    vrs_dtype dtype = compute_in(c, 0)->dtype;
    odometer o = odometer_over(y);
    odometer_broadcast(&o, 0, compute_in(c, 0));
    odometer_broadcast(&o, 1, compute_in(c, 1));
    int64_t count = (int64_t)vrs_value_elements(y);
    for (int64_t i = 0; i < count; i++, odometer_next(&o)) {
        if (dtype == VRS_DTYPE_F32) {
            double a = ((const float *)c->in[0])[o.offset[0]];
            double b = ((const float *)c->in[1])[o.offset[1]];
            if (truth)
                ((uint8_t *)c->out[0])[i] = compare(kind, a, b);
            else
                ((float *)c->out[0])[i] = (float)binary_float(kind, a, b, fmod_sign);
            continue;
        }
        int64_t a = load_integer(dtype, c->in[0], o.offset[0]);
        int64_t b = load_integer(dtype, c->in[1], o.offset[1]);
        int64_t result =
            truth ? compare_integers(kind, a, b) : binary_integer(kind, a, b, fmod_sign);
        store_integer(y->dtype, c->out[0], i, result);
    }
    return VRS_OK;
}

vrs_status compute_where(const compute *c)
{
    const vrs_value *y = compute_out(c, 0);
    odometer o = odometer_over(y);
    for (int32_t i = 0; i < 3; i++)
        odometer_broadcast(&o, i, compute_in(c, i));
    int64_t count = (int64_t)vrs_value_elements(y);
    for (int64_t i = 0; i < count; i++, odometer_next(&o)) {
        int32_t chosen = ((const uint8_t *)c->in[0])[o.offset[0]] != 0 ? 1 : 2;
        copy_element(c->out[0], i, c->in[chosen], o.offset[chosen], vrs_dtype_bytes(y->dtype));
    }
    return VRS_OK;
}

/* Towards zero; what does not fit becomes the nearest that does, NaN 0. */
static int64_t to_integer(vrs_dtype dtype, float x)
{
    double least = -0x1p63, most = 0x1p63;
    if (dtype == VRS_DTYPE_I32) {
        least = INT32_MIN;
        most = INT32_MAX;
    } else if (dtype == VRS_DTYPE_I8) {
        least = INT8_MIN;
        most = INT8_MAX;
    } else if (dtype == VRS_DTYPE_U8) {
        least = 0;
        most = UINT8_MAX;
    }
    if (isnan(x))
        return 0;
    double number = trunc((double)x);
    if (number >= 0x1p63)
        return dtype == VRS_DTYPE_I64 ? INT64_MAX : (int64_t)most;
    return (int64_t)(number < least ? least : number > most ? most : number);
}

vrs_status compute_cast(const compute *c)
{
    const vrs_value *x = compute_in(c, 0), *y = compute_out(c, 0);
    int64_t count = (int64_t)vrs_value_elements(x);
    for (int64_t i = 0; i < count; i++) {
        if (x->dtype == VRS_DTYPE_F32) {
            float number = ((const float *)c->in[0])[i];
            store_integer(y->dtype, c->out[0], i,
                          y->dtype == VRS_DTYPE_BOOL ? number != 0 : to_integer(y->dtype, number));
            continue;
        }
        int64_t number = load_integer(x->dtype, c->in[0], i);
        if (y->dtype == VRS_DTYPE_F32)
            ((float *)c->out[0])[i] = (float)number;
        else
            store_integer(y->dtype, c->out[0], i, number);
    }
    return VRS_OK;
}

/* Index of the scale and of the zero point of element `i`. */
static int64_t channel_of(const compute *c, int64_t i)
{
    const vrs_value *x = compute_in(c, 0);
    int32_t axis = c->node->as.quantize.axis;
    return axis < x->rank ? i / dims_product(x, axis + 1, x->rank) % x->dims[axis] : 0;
}

vrs_status compute_quantize(const compute *c)
{
    const vrs_value *y = compute_out(c, 0);
    const float *x = c->in[0], *scales = c->in[1];
    bool many = vrs_value_elements(compute_in(c, 1)) > 1;
    bool zeros = vrs_value_elements(compute_in(c, 2)) > 1;
    float least = y->dtype == VRS_DTYPE_I8 ? INT8_MIN : 0;
    float most = y->dtype == VRS_DTYPE_I8 ? INT8_MAX : UINT8_MAX;
    int64_t count = (int64_t)vrs_value_elements(y);
    for (int64_t i = 0; i < count; i++) {
        int64_t channel = many ? channel_of(c, i) : 0;
        int64_t zero = load_integer(y->dtype, c->in[2], zeros ? channel : 0);
        float number = nearbyintf(x[i] / scales[channel]) + (float)zero;
        store_integer(y->dtype, c->out[0], i,
                      isnan(number) ? 0 : (int64_t)clip(number, least, most));
    }
    return VRS_OK;
}

vrs_status compute_dequantize(const compute *c)
{
    const vrs_value *x = compute_in(c, 0);
    const float *scales = c->in[1];
    float *y = c->out[0];
    bool many = vrs_value_elements(compute_in(c, 1)) > 1;
    bool zeros = vrs_value_elements(compute_in(c, 2)) > 1;
    int64_t count = (int64_t)vrs_value_elements(x);
    for (int64_t i = 0; i < count; i++) {
        int64_t channel = many ? channel_of(c, i) : 0;
        int64_t zero = load_integer(x->dtype, c->in[2], zeros ? channel : 0);
        y[i] = (float)(load_integer(x->dtype, c->in[0], i) - zero) * scales[channel];
    }
    return VRS_OK;
}
