/* vrseg in six parts: tour [PART] [--video FILE] [--model NAME] [--folder DIR] */
#include "tour.h"

#include <argp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "image/format.h"
#include "vrseg/job.h"

static const struct {
    const char *name, *title;
    void (*run)(const tour *t);
} parts[] = {
    {"kernels", "fused preprocessing, one pass over the frame", tour_kernels},
    {"engine", "the network, by precision and batch", tour_engine},
    {"memory", "pools, a budget that holds, a ledger", tour_memory},
    {"batching", "sixteen streams, priorities, deadlines", tour_batching},
    {"pipeline", "a video through five stages at once", tour_pipeline},
    {"profiler", "what ran when, and what to change", tour_profiler},
};
#define PARTS (sizeof(parts) / sizeof(parts[0]))

typedef struct options {
    tour tour;
    const char *part; /* NULL: all */
} options;

static const struct argp_option flags[] = {
    {"video", 'v', "FILE", 0, "The video of pipeline and profiler", 0},
    {"model", 'm', "NAME", 0, "The network (default selfie-landscape)", 0},
    {"folder", 'f', "DIR", 0, "Where traces and masks are written (default: here)", 0},
    {0},
};

void tour_require(vrs_status status)
{
    if (status != VRS_OK) {
        (void)fflush(stdout);
        (void)fprintf(stderr, "tour: %s: %s\n", vrs_status_text(status), vrs_last_error());
        exit(1);
    }
}

vrs_config *tour_config(const char *const *settings)
{
    vrs_config *config = NULL;
    tour_require(vrs_job_config_create(&config));
    for (; *settings != NULL; settings++) {
        char name[64] = "";
        const char *value = strchr(*settings, '=') + 1;
        (void)snprintf(name, sizeof name, "%.*s", (int)(value - *settings - 1), *settings);
        tour_require(vrs_config_set(config, name, value));
    }
    return config;
}

void tour_print(const char *lines)
{
    while (*lines != '\0') {
        size_t length = strcspn(lines, "\n");
        (void)printf("   %.*s\n", (int)length, lines);
        lines += length + (lines[length] == '\n');
    }
}

/* A light figure, a head over shoulders, that walks before a dark wall. */
vrs_image tour_picture(vrs_pixel_format format, int32_t width, int32_t height, int64_t number)
{
    vrs_image image;
    tour_require(vrs_image_alloc(&image, format, width, height));
    double middle = 0.5 + 0.2 * (double)(number % 60 - 30) / 30;
    for (int32_t y = 0; y < height; y++) {
        size_t bytes = vrs_plane_row_bytes(&image, 0);
        uint8_t *row = image.planes[0] + y * image.strides[0];
        for (size_t i = 0; i < bytes; i++) {
            double across = ((double)i / (double)bytes - middle) * width / height;
            double down = (double)y / height;
            double head = across * across + (down - 0.35) * (down - 0.35);
            int figure = head < 0.02 || (down > 0.5 && across * across < 0.06);
            row[i] = (uint8_t)((figure ? 190 : 60) + (int)((i * 7 + (size_t)y * 13) % 11));
        }
    }
    for (int plane = 1; plane < vrs_format_get(format)->planes; plane++) {
        for (int32_t y = 0; y < vrs_plane_height(&image, plane); y++) {
            memset(image.planes[plane] + y * image.strides[plane], 128,
                   vrs_plane_row_bytes(&image, plane));
        }
    }
    return image;
}

static error_t parse(int key, char *value, struct argp_state *state)
{
    options *o = state->input;
    switch (key) {
    case 'v':
        o->tour.video = value;
        return 0;
    case 'm':
        o->tour.model = value;
        return 0;
    case 'f':
        o->tour.folder = value;
        return 0;
    case ARGP_KEY_ARG:
        for (size_t i = 0; o->part == NULL && i < PARTS; i++)
            o->part = strcmp(parts[i].name, value) == 0 ? parts[i].name : NULL;
        if (state->arg_num > 0 || o->part == NULL) {
            argp_error(state,
                       "\"%s\" is no part: kernels, engine, memory, batching, pipeline or "
                       "profiler, or nothing for all",
                       value);
        }
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

int main(int argc, char **argv)
{
    static const struct argp parser = {
        flags,
        parse,
        "[PART]",
        "Shows what vrseg does on this machine: kernels, engine, memory, batching, pipeline, "
        "profiler.",
        NULL,
        NULL,
        NULL};
    options o = {.tour = {.video = CHECKOUT "/.local/sample/sample.mp4",
                          .model = "selfie-landscape",
                          .folder = "."}};
    argp_err_exit_status = 2;
    /* It is not installed: what it needs is in the checkout that it was built from. */
    (void)setenv("VRSEG_DESCRIPTORS_DIR", CHECKOUT "/models", 0);
    (void)setenv("VRSEG_LOCAL_DIR", CHECKOUT "/.local", 0);
    (void)argp_parse(&parser, argc, argv, 0, NULL, &o);
    for (size_t i = 0; i < PARTS; i++) {
        if (o.part == NULL || o.part == parts[i].name) {
            (void)printf("%zu. %s: %s\n", i + 1, parts[i].name, parts[i].title);
            parts[i].run(&o.tour);
            (void)fflush(stdout);
        }
    }
    return 0;
}
