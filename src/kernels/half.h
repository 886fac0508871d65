/* IEEE binary16 on the CPU, as its bits. */
#ifndef VRS_KERNELS_HALF_H
#define VRS_KERNELS_HALF_H

#include <stdint.h>
#include <string.h>

static inline float vrs_half_to_float(uint16_t half)
{
    /* Its exponent's bias is 112 less than float's; subnormals become normal by the product. */
    const uint32_t sign = (uint32_t)(half & 0x8000) << 16, rest = half & 0x7fffU;
    uint32_t bits = rest << 13;
    float value;
    if (rest >= 0x7c00) {
        bits += UINT32_C(0x70000000);
        bits |= UINT32_C(0x7f800000);
        memcpy(&value, &bits, sizeof(value));
    } else {
        memcpy(&value, &bits, sizeof(value));
        value *= 0x1p112F;
        memcpy(&bits, &value, sizeof(bits));
    }
    bits |= sign;
    memcpy(&value, &bits, sizeof(value));
    return value;
}

/* Rounds to the nearest, ties to even; what is too large becomes infinite. */
static inline uint16_t vrs_half_from_float(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof(bits));
    const uint16_t sign = (uint16_t)(bits >> 16 & 0x8000);
    bits &= UINT32_C(0x7fffffff);
    if (bits > UINT32_C(0x7f800000))
        return sign | 0x7e00;
    if (bits >= UINT32_C(0x477ff000)) /* 65520 */
        return sign | 0x7c00;
    if (bits < UINT32_C(0x38800000)) { /* 2^-14: steps of 2^-24, which adding 1/2 rounds to */
        float size;
        memcpy(&size, &bits, sizeof(size));
        size += 0.5F;
        memcpy(&bits, &size, sizeof(bits));
        return (uint16_t)(sign | (bits - UINT32_C(0x3f000000)));
    }
    bits += 0xfff + (bits >> 13 & 1);
    return (uint16_t)(sign | ((bits - UINT32_C(0x38000000)) >> 13));
}

#endif
