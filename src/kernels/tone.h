/* Tone mapping of HDR pictures for the network: a curve from a PQ or HLG code to an SDR code. */
#ifndef VRS_KERNELS_TONE_H
#define VRS_KERNELS_TONE_H

#include "vrseg/image.h"

/* Intervals of the table; it has one entry more. Read by linear interpolation. */
#define VRS_TONE_STEPS 4096

/* SDR code (0..1) of a code 0..1 of the transfer (PQ or HLG). Each of R, G, B goes through alone:
 *   1. light in cd/m2: PQ by the EOTF of SMPTE ST 2084:2014; HLG by the inverse OETF of BT.2100-2
 *      and its OOTF for a display of 1000 cd/m2 (gamma 1.2), of the channel in place of luminance;
 *   2. x = light / 203 (BT.2408: diffuse white is 203 cd/m2);
 *   3. y = x up to 0.75, from there 0.75 + 0.25 * t / (1 + t) with t = (x - 0.75) / 0.25: straight,
 *      then a shoulder of the same slope that tends to 1;
 *   4. y to the power of 1 / 2.4, the inverse of BT.1886.
 * Primaries are not converted: the network gets BT.2020 colours as they are. */
double vrs_tone_map(vrs_transfer transfer, double code);

/* table[i] = vrs_tone_map(i / VRS_TONE_STEPS). */
void vrs_tone_table(vrs_transfer transfer, float table[VRS_TONE_STEPS + 1]);

#endif
