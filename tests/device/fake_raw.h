/* A stand-in for a GPU's raw calls (device/raw.h) that only keeps the books: it counts bytes,
 * refuses what it does not have, and fails where failure injection says so ("raw"). Checks that
 * what is given back was taken, and that unmapping names what was mapped. */
#ifndef TESTS_DEVICE_FAKE_RAW_H
#define TESTS_DEVICE_FAKE_RAW_H

#include "device/device.h"

/* A device with `bytes` of memory, none in use; not while another test uses it. */
void fake_raw_reset(uint64_t bytes);
vrs_device *fake_raw_device(void);

void fake_raw_set_others(uint64_t bytes); /* what other programs hold */
uint64_t fake_raw_used(void);             /* bytes of ours */
uint64_t fake_raw_reserved(void);         /* bytes of reserved addresses */
uint64_t fake_raw_calls(void);            /* of all functions that take or give back */

#endif
