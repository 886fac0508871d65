#include "tune/space.h"

#include <math.h>
#include <stddef.h>

static vrs_status check(const vrs_tune_parameter *p, int32_t number)
{
    if (p->name == NULL || p->values == NULL)
        return vrs_fail(VRS_INVALID, "parameter %d: has no name or no values", number);
    if (p->count < 1 || p->count > VRS_TUNE_MAX_VALUES)
        return vrs_fail(VRS_INVALID, "%s: %d values, expected 1 to %d", p->name, p->count,
                        VRS_TUNE_MAX_VALUES);
    if (p->start < 0 || p->start >= p->count)
        return vrs_fail(VRS_INVALID, "%s: starts with value %d, expected 0 to %d", p->name,
                        p->start, p->count - 1);
    for (int32_t i = 0; i < p->count; i++) {
        if (p->values[i] == NULL)
            return vrs_fail(VRS_INVALID, "%s: value %d is missing", p->name, i);
        if (p->positions != NULL && !isfinite(p->positions[i]))
            return vrs_fail(VRS_INVALID, "%s: the position of \"%s\" is not a finite number",
                            p->name, p->values[i]);
    }
    return VRS_OK;
}

vrs_status vrs_tune_space_make(const vrs_tune_parameter *parameters, int32_t count,
                               vrs_tune_space *space)
{
    if (parameters == NULL || count < 1 || count > VRS_TUNE_MAX_PARAMETERS)
        return vrs_fail(VRS_INVALID, "%d parameters, expected 1 to %d", count,
                        VRS_TUNE_MAX_PARAMETERS);
    for (int32_t i = 0; i < count; i++) {
        vrs_status status = check(&parameters[i], i);
        if (status != VRS_OK)
            return status;
    }
    *space = (vrs_tune_space){parameters, count, vrs_tune_combinations(parameters, count)};
    return VRS_OK;
}

int64_t vrs_tune_combinations(const vrs_tune_parameter *parameters, int32_t count)
{
    int64_t size = 1;
    for (int32_t i = 0; i < count; i++)
        size = size > INT64_MAX / parameters[i].count ? INT64_MAX : size * parameters[i].count;
    return size;
}

void vrs_tune_space_point(const vrs_tune_space *space, int64_t number, int32_t *point)
{
    for (int32_t d = space->dims - 1; d >= 0; d--) {
        point[d] = (int32_t)(number % space->parameters[d].count);
        number /= space->parameters[d].count;
    }
}

bool vrs_tune_space_equal(const vrs_tune_space *space, const int32_t *a, const int32_t *b)
{
    for (int32_t d = 0; d < space->dims; d++)
        if (a[d] != b[d])
            return false;
    return true;
}

double vrs_tune_space_distance(const vrs_tune_space *space, int32_t dim, int32_t a, int32_t b)
{
    const double *positions = space->parameters[dim].positions;
    if (positions == NULL)
        return a == b ? 0 : 1;
    return fabs(positions[a] - positions[b]);
}

uint64_t vrs_tune_random(uint64_t *state)
{
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

void vrs_tune_space_draw(const vrs_tune_space *space, uint64_t *state, int32_t *point)
{
    for (int32_t d = 0; d < space->dims; d++)
        point[d] = (int32_t)(vrs_tune_random(state) % (uint64_t)space->parameters[d].count);
}
