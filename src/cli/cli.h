/* The program: a file for each subcommand, on the public API alone. */
#ifndef VRS_CLI_H
#define VRS_CLI_H

#include <argp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>

#include "cli/run/expect.h"
#include "vrseg/compile.h"
#include "vrseg/job.h"
#include "vrseg/vrseg.h"

/* Exit codes. */
enum {
    VRS_EXIT_DONE = 0,
    VRS_EXIT_FAILED = 1,
    VRS_EXIT_USAGE = 2,   /* wrong usage or input */
    VRS_EXIT_FRAMES = 3,  /* done, but some frames or inputs failed */
    VRS_EXIT_TARGETS = 4, /* done, but a target was missed, with --strict-targets */
    VRS_EXIT_INTERRUPTED = 130,
};

/* A subcommand: argv[0] is "vrseg NAME". */
typedef struct vrs_command {
    const char *name;
    const char *arguments;
    const char *summary;
    int (*run)(int argc, char **argv);
    /* Its flags and its help, for the manual page and completion too; static. NULL: `arguments` say
     * all, words that '|' separates are what it takes first. */
    const struct argp *(*argp)(void);
} vrs_command;

/* main.c: all of them, ended by a NULL name. */
extern const vrs_command vrs_commands[];

int vrs_command_run(int argc, char **argv);
int vrs_command_join(int argc, char **argv);
int vrs_command_info(int argc, char **argv);
int vrs_command_preview(int argc, char **argv);
int vrs_command_models(int argc, char **argv);
int vrs_models_compare(int argc, char **argv); /* argv[0] is "vrseg models compare" */
int vrs_command_compile(int argc, char **argv);
int vrs_command_cache(int argc, char **argv);
int vrs_command_doctor(int argc, char **argv);
int vrs_command_monitor(int argc, char **argv);
int vrs_command_config(int argc, char **argv);
int vrs_command_report(int argc, char **argv);
int vrs_command_tune(int argc, char **argv);
int vrs_command_bench(int argc, char **argv);
int vrs_command_docs(int argc, char **argv);

const struct argp *vrs_run_argp(void);
const struct argp *vrs_join_argp(void);
const struct argp *vrs_info_argp(void);
const struct argp *vrs_preview_argp(void);
const struct argp *vrs_compile_argp(void);
const struct argp *vrs_tune_argp(void);
const struct argp *vrs_bench_argp(void);
const struct argp *vrs_doctor_argp(void);
const struct argp *vrs_monitor_argp(void);
const struct argp *vrs_report_argp(void);
const struct argp *vrs_config_argp(void);

/* Prints the last error as "vrseg: ..." and returns the exit code for a failed call. */
int vrs_report(vrs_status status);
int vrs_exit_code(vrs_status status);

/* flags.c: --config NAME|FILE, and a flag --some-name VALUE for each option of a config, as an argp
 * child. `input` of the child parser is the config, made by vrs_flags_config(). Static table, made
 * at the first call; NULL after a failure. */
const struct argp *vrs_flags_argp(void);
/* What the last --config was; NULL: there was none. */
const char *vrs_flags_file(void);
/* Returns owned: the options of a job, with what the environment sets. VRS_NO_MEMORY;
 * VRS_NOT_FOUND, VRS_INVALID: a variable is wrong. */
vrs_status vrs_flags_config(vrs_config **config) VRS_MUST_USE;
/* False, with a message, where a --flag is none of the command's: argp itself cannot name the
 * nearest. Adds the value to switches without one: "--live" is "--live=on". main.c asks it before
 * it calls the command. */
bool vrs_flags_known(const vrs_command *command, int argc, char **argv);

/* Calls `visit` for each flag of a command, its own first. `option` is what it sets in a config, or
 * NULL. `config` is any that vrs_flags_config() made. */
typedef void (*vrs_flag_fn)(void *opaque, const struct argp_option *flag,
                            const vrs_option_info *option);
void vrs_flags_visit(const vrs_command *command, const vrs_config *config, vrs_flag_fn visit,
                     void *opaque);
/* The `index`-th word that may follow a command without flags ("list" of models), its length in
 * `length`; NULL: no more. */
const char *vrs_command_word(const vrs_command *command, size_t index, size_t *length);
/* Whether `word` is none of them: then a message has named them, and the nearest. False, too, for
 * NULL. */
bool vrs_refuse_word(const char *command, const char *word);

/* What docs prints. The range: what an option takes, "1 to 16 views". */
void vrs_print_range(const vrs_option_info *option);
void vrs_print_man(const vrs_config *config, const vrs_command *command); /* NULL: of vrseg */
void vrs_print_bash(const vrs_config *config);
void vrs_print_zsh(const vrs_config *config);
void vrs_print_fish(const vrs_config *config);
/* schema.c: the JSON Schema of a configuration file. VRS_NO_MEMORY. */
vrs_status vrs_print_schema(const vrs_config *config) VRS_MUST_USE;

/* load.c: where the time of a run went: a line for each stage, its latency, live mode's steps. */
void vrs_load_print(FILE *out, const vrs_job_stats *stats);

/* kinds.c: the kind of output of a name that is `length` long; false: none. */
bool vrs_kind_find(const char *name, size_t length, vrs_job_output *kind);
/* Of "green:out.mp4" the kind, and where the path begins; without a kind that stays as it is.
 * VRS_INVALID: a word before the colon that is no kind, which is a slip more often than a name. */
vrs_status vrs_kind_split(const char *output, vrs_job_output *kind, const char **path) VRS_MUST_USE;

/* tuned.c: what a run's settings are remembered for. */
typedef struct vrs_tuned_texts {
    char model[200], precision[64], device[200];
    vrs_tuned_key key; /* these */
} vrs_tuned_texts;
/* By the options model, precision and device. Opens the GPU, if it is one. The errors of
 * vrs_model_load(). */
vrs_status vrs_tuned_texts_make(const vrs_config *config, vrs_tuned_texts *texts) VRS_MUST_USE;
/* Sets what is remembered, where the config has the default. `note`: VRS_TUNED_NOTE_SIZE. The
 * errors of vrs_tuned_load(), and those above. */
vrs_status vrs_tuned_use(vrs_config *config, char *note) VRS_MUST_USE;

/* summary.c */
void vrs_summary_print(FILE *out, const vrs_config *config, vrs_job *job,
                       const vrs_job_stats *stats);
/* Writes the stats as JSON, and what was expected. VRS_IO, VRS_NO_SPACE, VRS_PERMISSION. */
vrs_status vrs_summary_json(const char *path, const vrs_config *config, vrs_job *job,
                            const vrs_job_stats *stats, const vrs_expect_time *time) VRS_MUST_USE;

/* Around a line that a terminal shows until the next one overwrites it. It is cut at the terminal's
 * width: of one that is broken in two, only the second half is overwritten. */
#define VRS_LINE_CLEAR "\r\033[K"
#define VRS_LINE_BEGIN VRS_LINE_CLEAR "\033[?7l"
#define VRS_LINE_END "\033[?7h"

/* progress.c: one line that is overwritten on a terminal, a line every few seconds elsewhere, JSON
 * lines on request; all on standard error. */
typedef enum vrs_progress_kind {
    VRS_PROGRESS_AUTO = 0,
    VRS_PROGRESS_JSON = 1,
    VRS_PROGRESS_NONE = 2,
} vrs_progress_kind;

/* compiling.c: the same of a network that is compiled for a GPU. */
typedef struct vrs_compiling {
    vrs_progress_kind kind;
    bool terminal, shown; /* shown: a line stands that is to be overwritten */
    int64_t next_ns;      /* of the next line where it is no terminal */
} vrs_compiling;

void vrs_compiling_start(vrs_compiling *compiling, vrs_progress_kind kind);
/* A vrs_compile_progress_fn. */
void vrs_compiling_show(void *compiling, const vrs_compile_progress *progress);
/* Before anything else is written. */
void vrs_compiling_end(vrs_compiling *compiling);

typedef struct vrs_progress {
    vrs_progress_kind kind;
    vrs_compiling compiling;
    int terminal;
    double last_seconds;
    int shown;
    int named;       /* the device was said */
    int memory_said; /* what memory it takes */
    vrs_job *job;
    vrs_expect_time time;
} vrs_progress;

/* Borrows the job, whose progress it is, until the end. */
void vrs_progress_start(vrs_progress *progress, vrs_progress_kind kind, vrs_job *job);
void vrs_progress_show(void *progress, const vrs_job_stats *stats); /* a vrs_job_progress_fn */
void vrs_progress_end(vrs_progress *progress);

/* flags.c: values of a command's own flags, by their names without dashes; argp_error() where they
 * are wrong. A number from `low` to `high`; and --progress auto|none. */
double vrs_flag_number(const char *flag, const char *value, double low, double high,
                       struct argp_state *state);
vrs_progress_kind vrs_flag_progress(const char *value, struct argp_state *state);

/* interrupts.c: for commands that look now and then whether to end. After vrs_interrupts_catch()
 * SIGINT and SIGTERM end nothing, but set for good what vrs_interrupted() points to. */
void vrs_interrupts_catch(void);
const volatile sig_atomic_t *vrs_interrupted(void);

#endif
