// The parts of `ebmcl quickstart`: data from the grammar, three trainings through the library, one report.
#ifndef EBM_QUICKSTART_H
#define EBM_QUICKSTART_H

#include "calibration.h"
#include "grammar.h"
#include "reliability.h"
#include "report.h"
#include "trainer.h"

// Sizes of the data sets, and what is drawn for them (`part` of ebm_grammar_dataset).
typedef enum {
    QUICKSTART_TRAIN,
    QUICKSTART_VALIDATION,
    QUICKSTART_TEST,
    QUICKSTART_SETS,
} quickstart_set;

enum { QUICKSTART_BINS = 10 };       // of the reliability diagrams
enum { QUICKSTART_MAX_LENGTH = 32 }; // tokens; the grammar's longest text has 11 words

typedef struct {
    const char *output_dir, *device_name;
    bool overwrite, json;
    int64_t seed;
    size_t max_steps; // of each training, 0: by epochs
} quickstart_options;

typedef struct {
    quickstart_options set;
    const char *directory; // where everything is written while it is not complete
    ebm_device *device;
    ebm_grammar *grammar;
    ebm_dataset *data[QUICKSTART_SETS];
    double perplexity; // of the noise model, on the validation texts
} quickstart;

// One model on the test texts: as trained, and divided by the temperature fitted on the validation texts.
typedef struct {
    ebm_temperature fit;
    ebm_evaluation raw, scaled;
    double kl_raw, kl_scaled;                 // KL(true posterior || model), mean
    ebm_reliability_bin bin[QUICKSTART_BINS]; // as trained
} quickstart_result;

// The classifiers, in the order of the report.
typedef struct {
    const char *directory, *title, *key; // its folder, its row in the table, its name in JSON
    ebm_objective_kind objective;
    double epochs;
} quickstart_model;
enum { QUICKSTART_MODELS = 3 };
extern const quickstart_model quickstart_models[QUICKSTART_MODELS]; // command_quickstart.c
#define QUICKSTART_NOISE "noise"

// quickstart_train.c: each leaves a model directory.
ebm_status quickstart_train_noise(quickstart *q);
ebm_status quickstart_train_classifier(quickstart *q, const quickstart_model *model);

// quickstart_report.c: prints the report (or one JSON object) to standard output; stores temperatures and results.json.
ebm_status quickstart_report(quickstart *q, double seconds);

#endif
