/* The parts of `vrseg doctor`. */
#ifndef VRS_CLI_DOCTOR_H
#define VRS_CLI_DOCTOR_H

#include <stdbool.h>
#include <stddef.h>

#include "vrseg/job.h"
#include "vrseg/vrseg.h"

typedef enum vrs_doctor_section {
    VRS_DOCTOR_REQUIREMENTS = 0,
    VRS_DOCTOR_DEPLOYMENT = 1,
    VRS_DOCTOR_SELF_TEST = 2,
    VRS_DOCTOR_SECTIONS = 3,
} vrs_doctor_section;

/* Checks as they were told. */
typedef struct vrs_doctor_list {
    vrs_check *checks; /* owned: free() */
    size_t count, room;
} vrs_doctor_list;

/* Everything that is printed. */
typedef struct vrs_doctor {
    vrs_config *config;
    bool json, self_test;
    const char *deploy; /* a configuration; NULL: no checklist */
    const char *config_file;
    vrs_deploy_options options;
    vrs_system_info system;
    vrs_media_details media;
    vrs_gpu_info *gpus; /* owned: free() */
    int32_t gpu_count;
    char no_gpu[VRS_DETAIL_SIZE]; /* why there is none */
    vrs_disk_info disk;           /* of the working folder */
    double write_rate, read_rate; /* bytes a second; 0: not measured */
    char models_folder[4096];
    int32_t models_installed, models_known;
    vrs_doctor_section section; /* that is being checked */
    vrs_doctor_list lists[VRS_DOCTOR_SECTIONS];
    int32_t failed; /* required checks */
    bool out_of_memory;
} vrs_doctor;

/* doctor_text.c: for people; wrapped where standard output is a terminal. */
void vrs_doctor_print_machine(const vrs_doctor *doctor);
void vrs_doctor_print_heading(const char *heading);
void vrs_doctor_print_check(const vrs_check *check, vrs_doctor_section section);

/* doctor_json.c: the whole as one JSON object on standard output; docs/doctor.md describes it. */
#define VRS_DOCTOR_SCHEMA_VERSION 1
void vrs_doctor_print_json(const vrs_doctor *doctor);

/* doctor_python.c: the Python packages of tools/, by the lists that they are installed from. */
void vrs_doctor_check_python(vrs_check_fn visit, void *opaque);

#endif
