/* How large batches may be while memory is short: pressure halves the largest batch at once, quiet
 * doubles it again, and the quiet that is asked for doubles each time that a growth did not last.
 * So a machine whose memory is short for good is asked ever more rarely, and the size does not
 * swing. No thread and no clock: calls are told the time. One thread at a time. */
#ifndef VRS_BATCH_ADAPT_H
#define VRS_BATCH_ADAPT_H

#include <stdbool.h>
#include <stdint.h>

#include "vrseg/status.h"

/* So long nothing may have been short before the batch grows, at first and at most. */
#define VRS_BATCH_QUIET_NS INT64_C(5000000000)
#define VRS_BATCH_MOST_QUIET_NS (256 * VRS_BATCH_QUIET_NS)

typedef struct vrs_batch_adapt {
    int32_t largest, limit; /* limit: the largest batch now, 1..largest */
    int64_t quiet_ns;       /* asked for now */
    int64_t pressed_ns;     /* last pressure */
    int64_t grown_ns;       /* last growth */
    bool grown;             /* there was one since the last pressure */
} vrs_batch_adapt;

VRS_API void vrs_batch_adapt_init(vrs_batch_adapt *adapt, int32_t largest);

/* Memory is short. True: the limit was lowered; false: it is 1 already. */
VRS_API bool vrs_batch_adapt_press(vrs_batch_adapt *adapt, int64_t now_ns);

/* True: there was quiet for long enough, and the limit was raised. Whoever cannot follow, because
 * the memory is not there after all, presses again. */
VRS_API bool vrs_batch_adapt_grow(vrs_batch_adapt *adapt, int64_t now_ns);

/* When vrs_batch_adapt_grow() will say yes if there is no pressure until then; INT64_MAX: nothing
 * is to grow. */
VRS_API int64_t vrs_batch_adapt_next_ns(const vrs_batch_adapt *adapt);

#endif
