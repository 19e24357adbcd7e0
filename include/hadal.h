/* Hadal as a C library.
 *
 * Functions that can fail return a hadal_status, NULL for success; whoever gets one frees it. Nothing here ends the
 * process or throws. Strings are UTF-8. What a handle gives out (names, shapes, bytes) lives as long as the handle.
 * Different handles may be used by different threads at once; so may a program by several, and a session, whose runs
 * then follow one another. */
#ifndef HADAL_H
#define HADAL_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define HADAL_API __attribute__((visibility("default")))

/* Grows by one with each change that breaks callers; hadal_abi_version() is that of the library. */
#define HADAL_ABI_VERSION 2

HADAL_API uint32_t hadal_abi_version(void);
/* "0.1.0" */
HADAL_API const char* hadal_version(void);

/* Errors ------------------------------------------------------------------------------------------------------------
 */

typedef struct hadal_status hadal_status;
/* Dotted and stable, such as "input.shape"; what is wrong; where (or ""); what to do (or ""); all of it as one text. */
HADAL_API const char* hadal_status_code(const hadal_status*);
HADAL_API const char* hadal_status_message(const hadal_status*);
HADAL_API const char* hadal_status_place(const hadal_status*);
HADAL_API const char* hadal_status_remedy(const hadal_status*);
HADAL_API const char* hadal_status_text(const hadal_status*);
HADAL_API void hadal_status_free(hadal_status*);

/* Arrays ------------------------------------------------------------------------------------------------------------
 */

/* Dense and row-major. `dtype` is "f32", "f64", "f16", "bf16", "i8" to "i64", "u8" to "u64", "bool", ...; extents in
 * elements. */
typedef struct hadal_array {
  const char* name;
  const char* dtype;
  const int64_t* shape;
  size_t rank;
  const void* data; /* NULL where only the shape is told. */
  size_t bytes;
} hadal_array;

/* Programs ----------------------------------------------------------------------------------------------------------
 */

/* An input that the next run of a session finds as this one leaves an output, of the same type and shape: a cache, a
 * recurrent state. It stays in the chip's memory. A `*` in both names stands for the same text. */
typedef struct hadal_state {
  const char* input;
  const char* output;
} hadal_state;

/* Kernels in models: while a model is imported, `answer` is asked for every node of the operators named ("Type", or
 * "domain::Type"), and gives the tile program that computes it, or nothing: the node is then imported as usual.
 *   node: {"op", "name", "inputs": [{"dtype", "shape"}, or null where it is not given], "attributes": {}}
 *   answer: {"name": the kernel's, "tiles": a tile program, "inputs": [the shapes in which it sees the inputs],
 *            "results": [{"dtype", "shape"}], "shapes": [those of the results in the model]}
 *        or {"error": {"code", "message", "place", "remedy"}} */
typedef struct hadal_answer hadal_answer;
HADAL_API void hadal_answer_give(hadal_answer*, const char* json);
typedef struct hadal_kernels {
  const char* const* operators;
  size_t count;
  void (*answer)(void* user, const char* node, hadal_answer*);
  void* user;
} hadal_kernels;

/* All zero: everything by default. */
typedef struct hadal_options {
  const char* chip;         /* Name of a shipped chip, or a file; NULL: the program's, else hadal-1. */
  const char* profile;      /* Of measured software; NULL: none. */
  const char* precision;    /* Of stored floats: "bf16" ...; NULL: the model's own. */
  const hadal_array* given; /* Shapes of inputs, and with data the values that decide shapes. */
  size_t given_count;
  int32_t threads;              /* Of this computer; 0: all usable CPUs. */
  int32_t no_values;            /* Not 0: only to be timed; weights may be absent. */
  int32_t exact;                /* Not 0: values by plain loops in a fixed order. */
  int32_t exact_memory;         /* Not 0: time DRAM command by command. */
  int64_t memory_limit;         /* Bytes of this computer; 0: 80 % of what is usable. */
  const hadal_kernels* kernels; /* NULL: none. They are asked during hadal_program_load, and not for a profile. */
  const hadal_state* states;
  size_t state_count;
} hadal_options;

/* A model compiled for a chip. */
typedef struct hadal_program hadal_program;
/* Compiles a .onnx model, or reads a program: its file, or its text (.hasm). Errors: those of the model, the chip, the
 * assembler and the compiler. */
HADAL_API hadal_status* hadal_program_load(const char* file, const hadal_options*, hadal_program** out);
/* Lowers a tile program, as the kernel language of the Python package traces it: JSON, described in docs/kernels.md. Of
 * the options, those of values, threads and memory count. Errors: tiles.syntax, tiles.field, those of the chip, of
 * lowering and of the verifier. */
HADAL_API hadal_status* hadal_program_from_tiles(const char* json, const hadal_options*, hadal_program** out);
/* The same tile program as text to read; to be freed by hadal_string_free. Errors: tiles.syntax, tiles.field. */
HADAL_API hadal_status* hadal_tiles_text(const char* json, char** text);
HADAL_API void hadal_program_free(hadal_program*);
/* Its instructions as text, weights left out; to be freed by hadal_string_free. */
HADAL_API hadal_status* hadal_program_text(const hadal_program*, char** text);
/* Writes a program file. */
HADAL_API hadal_status* hadal_program_save(const hadal_program*, const char* file);
/* Looks for races, deadlocks and reads of what nothing has written; a finding is an error. */
HADAL_API hadal_status* hadal_program_check(const hadal_program*);
/* Times it: `json` becomes the report of docs/report.md, to be freed by hadal_string_free. */
HADAL_API hadal_status* hadal_program_simulate(const hadal_program*, char** json);
HADAL_API void hadal_string_free(char*);

HADAL_API size_t hadal_program_input_count(const hadal_program*);
HADAL_API size_t hadal_program_output_count(const hadal_program*);
/* Name, type and shape; no data. `index` is below the count. */
/* Which output an input of state follows; SIZE_MAX: it is none. */
HADAL_API size_t hadal_program_state(const hadal_program*, size_t input);
HADAL_API void hadal_program_input(const hadal_program*, size_t index, hadal_array* out);
HADAL_API void hadal_program_output(const hadal_program*, size_t index, hadal_array* out);

/* Values ------------------------------------------------------------------------------------------------------------
 */

/* A program made ready to compute values. It keeps the program; that may be freed before. */
typedef struct hadal_session hadal_session;
typedef struct hadal_outputs hadal_outputs;
/* Errors: run.precision, memory.limit, program.weights. */
HADAL_API hadal_status* hadal_session_new(const hadal_program*, hadal_session** out);
HADAL_API void hadal_session_free(hadal_session*);
/* All inputs by name, in any order; their bytes are read where they are, and left alone afterwards. State that is not
 * given is as the last run left it, at first 0. Outputs of state have no data. Errors: input.name, input.missing,
 * input.shape, input.type; run.cancelled; those of the program. */
HADAL_API hadal_status* hadal_session_run(hadal_session*, const hadal_array* inputs, size_t count, hadal_outputs** out);
/* A copy of the state, at the places of its outputs; others have no data. */
HADAL_API hadal_status* hadal_session_state(hadal_session*, hadal_outputs** out);
/* All state is 0 again. */
HADAL_API hadal_status* hadal_session_reset(hadal_session*);
/* From another thread: the run under way ends soon, in run.cancelled. */
HADAL_API void hadal_session_cancel(hadal_session*);

HADAL_API void hadal_outputs_free(hadal_outputs*);
/* In the program's order. */
HADAL_API void hadal_outputs_get(const hadal_outputs*, size_t index, hadal_array* out);

/* Debugging ---------------------------------------------------------------------------------------------------------
 */

/* A run of a program, instruction by instruction. It keeps the program; that may be freed before. One thread at a
 * time. */
typedef struct hadal_debugger hadal_debugger;
/* Inputs by name, which are copied; those that are not given are made up. Errors: run.values, run.precision, input.*,
 * memory.limit, program.weights. */
HADAL_API hadal_status* hadal_debugger_new(const hadal_program*, const hadal_array* inputs, size_t count,
                                           hadal_debugger** out);
HADAL_API void hadal_debugger_free(hadal_debugger*);
/* Does a command of docs/debugger.md; `text` becomes what it prints, to be freed by hadal_string_free. After an error
 * the debugger is where it was, or where the program has failed. */
HADAL_API hadal_status* hadal_debugger_do(hadal_debugger*, const char* command, char** text);

/* Runs a model, or a program that was compiled from `model` (NULL: the file is a model), and compares what each layer
 * stores with the reference evaluation of its nodes, on what the chip had stored before. `tolerance`: the largest
 * max |got - want| / max |want|; NULL: 1e-3 in f32, 2e-2 in bf16. `json` becomes, to be freed by hadal_string_free,
 *   {"layers", "values": how many, "failure": null, or the error that ended the run, "differences": [{"layer", "op",
 *    "nodes", "value", "stored", "error", "bound", "beyond", "elements", "index", "expected", "got"}]},
 * the first layer's first; numbers may be "inf", "-inf" or "nan". Errors: debug.model; those of hadal_program_load and
 * of hadal_debugger_new. */
HADAL_API hadal_status* hadal_bisect(const char* file, const char* model, const hadal_options*,
                                     const hadal_array* inputs, size_t count, const double* tolerance, char** json);

/* Chips -------------------------------------------------------------------------------------------------------------
 */

/* Names of the shipped chips, as a JSON array. */
HADAL_API hadal_status* hadal_chips(char** json);
/* The instruction table, as a JSON array of {name, queues, summary, semantics, operands, fields}; docs/isa.md explains
 * it. */
HADAL_API hadal_status* hadal_instructions(char** json);
/* The fields of a chip (a name or a file), as a JSON array of {name, unit, meaning, value, source}. */
HADAL_API hadal_status* hadal_chip(const char* chip, char** json);

#ifdef __cplusplus
}
#endif
#endif
