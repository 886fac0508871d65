#include "media/file/write_times.h"

#include "vrseg/system.h"

static _Thread_local vrs_write_times times;

vrs_write_times vrs_write_times_get(void)
{
    return times;
}

void vrs_write_times_add(bool pipe, int64_t begin_ns)
{
    int64_t *sum = pipe ? &times.pipe_ns : &times.disk_ns;
    *sum += vrs_now_ns() - begin_ns;
}
