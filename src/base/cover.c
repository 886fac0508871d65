#include "base/cover.h"

#include <string.h>

static void drop(vrs_cover *cover, int32_t at, int32_t dropped)
{
    size_t rest = (size_t)(cover->count - at - dropped);
    memmove(&cover->begin[at], &cover->begin[at + dropped], rest * sizeof(cover->begin[0]));
    memmove(&cover->end[at], &cover->end[at + dropped], rest * sizeof(cover->end[0]));
    cover->count -= dropped;
}

static void settle_oldest(vrs_cover *cover)
{
    cover->settled_ns += cover->end[0] - cover->begin[0];
    cover->settled_end = cover->end[0];
    drop(cover, 0, 1);
}

static void insert(vrs_cover *cover, int32_t at, int64_t begin_ns, int64_t end_ns)
{
    size_t rest = (size_t)(cover->count - at);
    memmove(&cover->begin[at + 1], &cover->begin[at], rest * sizeof(cover->begin[0]));
    memmove(&cover->end[at + 1], &cover->end[at], rest * sizeof(cover->end[0]));
    cover->begin[at] = begin_ns;
    cover->end[at] = end_ns;
    cover->count++;
}

void vrs_cover_add(vrs_cover *cover, int64_t begin_ns, int64_t end_ns)
{
    if (begin_ns < cover->settled_end)
        begin_ns = cover->settled_end;
    if (begin_ns >= end_ns)
        return;
    if (cover->count == VRS_COVER_KEPT) {
        settle_oldest(cover);
        if (begin_ns < cover->settled_end)
            begin_ns = cover->settled_end;
        if (begin_ns >= end_ns)
            return;
    }
    /* Those that it touches, first..last-1, become one with it. */
    int32_t first = 0;
    while (first < cover->count && cover->end[first] < begin_ns)
        first++;
    int32_t last = first;
    while (last < cover->count && cover->begin[last] <= end_ns) {
        begin_ns = cover->begin[last] < begin_ns ? cover->begin[last] : begin_ns;
        end_ns = cover->end[last] > end_ns ? cover->end[last] : end_ns;
        last++;
    }
    if (last > first)
        drop(cover, first, last - first);
    insert(cover, first, begin_ns, end_ns);
}

int64_t vrs_cover_total(const vrs_cover *cover)
{
    int64_t total = cover->settled_ns;
    for (int32_t i = 0; i < cover->count; i++)
        total += cover->end[i] - cover->begin[i];
    return total;
}
