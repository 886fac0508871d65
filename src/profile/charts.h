/* The charts of a report, in the page's order. */
#ifndef VRS_PROFILE_CHARTS_H
#define VRS_PROFILE_CHARTS_H

#include "profile/figures.h"
#include "profile/svg.h"

typedef struct vrs_report_chart {
    const char *file; /* name without its ending */
    bool wide;        /* it needs a desk's width to be read */
    /* False: the trace holds nothing for it, and nothing is added. */
    bool (*draw)(vrs_buffer *out, const vrs_profile_report *report, bool alone);
} vrs_report_chart;

#define VRS_REPORT_CHARTS 9
extern const vrs_report_chart vrs_report_charts[VRS_REPORT_CHARTS];

#endif
