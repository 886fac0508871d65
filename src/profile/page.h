/* The page of a report: HTML with everything in it, and no scripts, so that nothing is missing
 * where they are off. */
#ifndef VRS_PROFILE_PAGE_H
#define VRS_PROFILE_PAGE_H

#include "profile/buffer.h"
#include "profile/figures.h"

void vrs_page_write(vrs_buffer *out, const vrs_profile_report *report,
                    const vrs_profile_report *old);

#endif
