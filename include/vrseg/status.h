/* Status codes of every fallible call, and the sentence that explains the last failure. */
#ifndef VRSEG_STATUS_H
#define VRSEG_STATUS_H

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define VRS_API __attribute__((visibility("default")))
#define VRS_MUST_USE __attribute__((warn_unused_result))
#define VRS_PRINTF(format_index, first_arg) __attribute__((format(printf, format_index, first_arg)))
#else
#define VRS_API
#define VRS_MUST_USE
#define VRS_PRINTF(format_index, first_arg)
#endif

/* X(number, name, sentence). Numbers are never changed or reused; new codes go at the end. */
#define VRS_STATUS_MAP(X)                                                     \
    X(0, OK, "done")                                                          \
    X(1, INVALID, "an argument or a setting is not valid")                    \
    X(2, NO_MEMORY, "memory could not be allocated")                          \
    X(3, TIMEOUT, "the time-out passed before there was something to return") \
    X(4, CLOSED, "the object was finished and takes nothing more")            \
    X(5, END, "there is nothing more to come")                                \
    X(6, FULL, "every ticket is in use and nobody fetches results")           \
    X(7, NOT_FOUND, "a file, a model or a name does not exist")               \
    X(8, IO, "reading or writing failed")                                     \
    X(9, NO_SPACE, "the disk is full")                                        \
    X(10, PERMISSION, "access was refused")                                   \
    X(11, FORMAT, "the data is in no format that can be read")                \
    X(12, CORRUPT, "the data is damaged")                                     \
    X(13, UNSUPPORTED, "this is valid but not supported here")                \
    X(14, MISSING, "a library that is opened at run time is missing")         \
    X(15, ENGINE, "the inference engine failed")                              \
    X(16, DEVICE, "the device failed")                                        \
    X(17, CANCELLED, "the work was cancelled")                                \
    X(18, DROPPED, "the frame was dropped")                                   \
    X(19, BUSY, "another run is using this")                                  \
    X(20, SYSTEM, "the operating system refused a resource")                  \
    X(21, DEVICE_LOST, "the device was lost")                                 \
    X(22, REFUSED, "the queue is full and takes no more for now")

typedef enum vrs_status_code {
#define VRS_STATUS_ENUM(number, name, sentence) VRS_##name = (number),
    VRS_STATUS_MAP(VRS_STATUS_ENUM)
#undef VRS_STATUS_ENUM
} vrs_status_code;

/* A status must be looked at: the attribute is on every function that returns it. */
typedef int vrs_status;

/* Bytes of a detail text, with its closing zero. */
#define VRS_DETAIL_SIZE 512

/* The name ("VRS_INVALID") and the sentence of a code; static text, "unknown status" for others. */
VRS_API const char *vrs_status_name(vrs_status status);
VRS_API const char *vrs_status_text(vrs_status status);

/* What the last failing vrseg call on this thread was doing, on what, and what can be done about
 * it. Never NULL; empty before the first failure. Valid until the next vrseg call on this thread.
 */
VRS_API const char *vrs_last_error(void);

/* Sets this thread's detail and returns `status`, for implementers of sources and sinks and for
 * vrseg itself: `return vrs_fail(VRS_IO, "%s: cannot read", path);`. Text beyond VRS_DETAIL_SIZE is
 * cut at a character's border. Keeps errno. */
VRS_API vrs_status vrs_fail(vrs_status status, const char *format, ...) VRS_PRINTF(2, 3);

/* Puts `prefix` and ": " before this thread's detail and returns `status`: adds the caller's
 * place to a failure that came from below. */
VRS_API vrs_status vrs_fail_in(vrs_status status, const char *prefix);

#ifdef __cplusplus
}
#endif
#endif
