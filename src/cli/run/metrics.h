/* The metrics of a profile at http://ADDRESS:PORT/metrics. */
#ifndef VRS_CLI_METRICS_H
#define VRS_CLI_METRICS_H

#include <netinet/in.h>

#include "cli/cli.h"

typedef struct vrs_metrics vrs_metrics;

/* "[ADDRESS:]PORT": a port from 0 (a free one) to 65535, and a numeric IPv4 address, 127.0.0.1
 * where none is given. False: it is no such text. */
bool vrs_metrics_parse(const char *text, struct sockaddr_in *address);

/* Serves until it is stopped, on a thread of its own. Shares the profile. Returns owned. VRS_BUSY:
 * another program listens there; VRS_PERMISSION, VRS_INVALID (no such address here), VRS_SYSTEM,
 * VRS_NO_MEMORY. */
vrs_status vrs_metrics_start(vrs_profile *profile, const struct sockaddr_in *address,
                             vrs_metrics **metrics) VRS_MUST_USE;
/* "127.0.0.1:9090", with the port that was taken. Lives as long as the server. */
const char *vrs_metrics_where(const vrs_metrics *metrics);
void vrs_metrics_stop(vrs_metrics *metrics);

#endif
