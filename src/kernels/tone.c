#include "kernels/tone.h"

#include <math.h>

#define DIFFUSE_WHITE 203.0
#define SHOULDER 0.75

/* SMPTE ST 2084:2014, equation 4.1 and its constants. */
static double pq_light(double code)
{
    const double m1 = 2610.0 / 16384.0;
    const double m2 = 2523.0 / 4096.0 * 128.0;
    const double c1 = 3424.0 / 4096.0;
    const double c2 = 2413.0 / 4096.0 * 32.0;
    const double c3 = 2392.0 / 4096.0 * 32.0;
    const double power = pow(code, 1.0 / m2);
    return 10000.0 * pow(fmax(power - c1, 0.0) / (c2 - c3 * power), 1.0 / m1);
}

/* BT.2100-2, table 5. */
static double hlg_light(double code)
{
    const double a = 0.17883277;
    const double b = 1.0 - 4.0 * a;
    const double c = 0.5 - a * log(4.0 * a);
    const double scene = code <= 0.5 ? code * code / 3.0 : (exp((code - c) / a) + b) / 12.0;
    return 1000.0 * pow(scene, 1.2);
}

double vrs_tone_map(vrs_transfer transfer, double code)
{
    const double light = transfer == VRS_TRANSFER_PQ ? pq_light(code) : hlg_light(code);
    double level = light / DIFFUSE_WHITE;
    if (level > SHOULDER) {
        const double above = (level - SHOULDER) / (1.0 - SHOULDER);
        level = SHOULDER + (1.0 - SHOULDER) * above / (1.0 + above);
    }
    return pow(level, 1.0 / 2.4);
}

void vrs_tone_table(vrs_transfer transfer, float table[VRS_TONE_STEPS + 1])
{
    for (int i = 0; i <= VRS_TONE_STEPS; i++)
        table[i] = (float)vrs_tone_map(transfer, (double)i / VRS_TONE_STEPS);
}
