/* Members of a JSON object, written by YAJL. */
#ifndef VRS_CLI_JSON_H
#define VRS_CLI_JSON_H

#include <stdint.h>
#include <stdio.h>

#include <yajl/yajl_gen.h>

#include "vrseg/job.h"
#include "vrseg/status.h"

void vrs_json_key(yajl_gen gen, const char *name);
/* What is not UTF-8 is null. */
void vrs_json_text(yajl_gen gen, const char *name, const char *value);
void vrs_json_item(yajl_gen gen, const char *value); /* of an array; likewise */
void vrs_json_integer(yajl_gen gen, const char *name, int64_t value);
void vrs_json_number(yajl_gen gen, const char *name, double value);
/* With so many digits after the point; a negative value is one that is not known: null. */
void vrs_json_reading(yajl_gen gen, const char *name, double value, int decimals);

/* load.c: members of the open object: stages, latency, live mode, resources, bottleneck and the
 * timeline of a run. */
void vrs_load_json(yajl_gen gen, const vrs_job_stats *stats);

/* Writes what was generated as a line, and begins anew. */
void vrs_json_line(yajl_gen gen, FILE *out);

/* Writes what was generated into a file; "-" is standard output. VRS_NOT_FOUND, VRS_IO. */
vrs_status vrs_json_write(yajl_gen gen, const char *path) VRS_MUST_USE;

#endif
