/* Between the two parts of the stand-in. */
#ifndef TESTS_FAKE_CUPTI_COUNTERS_H
#define TESTS_FAKE_CUPTI_COUNTERS_H

#include "device/cupti_api.h"

/* What the function of that name returns. */
vrs_cupti_result fake_cupti_leave(const char *function);
/* What of the range profiler was not given back. */
int fake_cupti_counters_left(void);

#endif
