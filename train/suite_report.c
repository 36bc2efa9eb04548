#include "suite_report.h"

#include <math.h>
#include <string.h>

#include "report_internal.h"

// ---- tables

static bool has_section(const ebm_suite *suite, int section)
{
    for (size_t i = 0; i < suite->count; i++)
        if (suite->rows[i].section == section && !isnan(suite->rows[i].value)) return true;
    return false;
}

static void print_heading(FILE *stream, const ebm_suite *suite, const char *title, bool floors)
{
    fprintf(stream, "%-22s %8s", title, suite->difference ? "change" : "value");
    if (suite->options.resamples) fprintf(stream, "%20s", "95 % interval");
    if (suite->options.resamples && suite->difference) fprintf(stream, "%9s", "p");
    if (floors) fprintf(stream, "%11s%9s%7s", "floor mean", "its 95 %", "p");
    fputc('\n', stream);
}

static void print_row(FILE *stream, const ebm_suite *suite, const ebm_suite_row *row)
{
    if (isnan(row->value)) return;
    fprintf(stream, "%-22s %8.4f", row->name, row->value);
    if (suite->options.resamples) {
        if (isnan(row->interval.low))
            fprintf(stream, "   %8s %8s", "-", "-");
        else
            fprintf(stream, "   %8.4f %8.4f", row->interval.low, row->interval.high);
        if (suite->difference) fprintf(stream, "  %7.4f", row->p);
    }
    if (row->has_floor) fprintf(stream, "   %8.4f %8.4f %6.3f", row->floor.mean, row->floor.high, row->floor.p);
    fputc('\n', stream);
}

static void print_rows(FILE *stream, const ebm_suite *suite, int section, const char *title)
{
    bool floors = false;
    if (!has_section(suite, section)) return;
    for (size_t i = 0; i < suite->count; i++) floors |= suite->rows[i].section == section && suite->rows[i].has_floor;
    print_heading(stream, suite, title, floors);
    for (size_t i = 0; i < suite->count; i++)
        if (suite->rows[i].section == section) print_row(stream, suite, suite->rows + i);
}

typedef struct {
    const char *name, *heading; // of the row without "_<certainty>"
} column;

static void print_cell(FILE *stream, const ebm_suite *suite, const char *name, const char *certainty)
{
    char full[80];
    snprintf(full, sizeof full, "%s_%s", name, certainty);
    const ebm_suite_row *row = ebm_suite_find(suite, full);
    if (!row || isnan(row->value))
        fprintf(stream, "%9s", "-");
    else
        fprintf(stream, "%9.4f", row->value);
}

static void print_certainties(FILE *stream, const ebm_suite *suite, const char *title, const column *columns,
                              size_t count)
{
    fprintf(stream, "\n%-17s", title);
    for (size_t i = 0; i < count; i++) fprintf(stream, "%9s", columns[i].heading);
    fputc('\n', stream);
    for (int c = 0; c < EBM_CERTAINTIES; c++) {
        if (!(suite->certainties >> c & 1)) continue;
        const char *name = ebm_certainty_name((ebm_certainty)c);
        fprintf(stream, "%-17s", name);
        for (size_t i = 0; i < count; i++) print_cell(stream, suite, columns[i].name, name);
        fputc('\n', stream);
    }
}

static void print_selective(FILE *stream, const ebm_suite *suite)
{
    static const column risks[] = {
        {"aurc", "aurc"},
        {"excess_aurc", "excess"},
        {"accuracy_at_50", "acc@50%"},
        {"accuracy_at_80", "@80%"},
        {"accuracy_at_90", "@90%"},
        {"accuracy_at_95", "@95%"},
        {"coverage_at_risk_5", "cov@5%"},
    };
    static const column errors[] = {
        {"error_auroc", "auroc"},
        {"error_aupr_in", "aupr:yes"},
        {"error_aupr_out", "aupr:no"},
        {"error_fpr_at_95_tpr", "fpr@95%"},
    };
    static const column others[] = {
        {"ood_auroc", "auroc"},
        {"ood_aupr_in", "aupr:in"},
        {"ood_aupr_out", "aupr:out"},
        {"ood_fpr_at_95_tpr", "fpr@95%"},
    };
    if (!has_section(suite, EBM_SUITE_SELECTIVE)) return;
    print_certainties(stream, suite, "answer the surest", risks, sizeof risks / sizeof *risks);
    print_certainties(stream, suite, "right from wrong", errors, sizeof errors / sizeof *errors);
    if (suite->has_others) print_certainties(stream, suite, "in from out", others, sizeof others / sizeof *others);
}

static void print_first_line(FILE *stream, const ebm_suite *suite)
{
    fprintf(stream, "%zu examples, %d labels, %d seed%s", suite->examples, suite->labels, suite->seeds,
            suite->seeds > 1 ? "s" : "");
    if (suite->halves > 1) fprintf(stream, ", mean of both halves");
    fprintf(stream, ", %d bins\n", suite->options.bins);
    if (suite->options.resamples) fprintf(stream, "intervals from %d resamples\n", suite->options.resamples);
}

ebm_status ebm_suite_print(FILE *stream, const ebm_suite *suite)
{
    const bool whole = suite->options.sections & EBM_SUITE_METRICS;
    if (whole) {
        print_first_line(stream, suite);
        print_rows(stream, suite, EBM_SUITE_METRICS, "metric");
    }
    if (whole && has_section(suite, EBM_SUITE_MISCALIBRATION)) fputc('\n', stream);
    print_rows(stream, suite, EBM_SUITE_MISCALIBRATION, "more on calibration");
    print_selective(stream, suite);
    if (has_section(suite, EBM_SUITE_AGREEMENT)) fputc('\n', stream);
    print_rows(stream, suite, EBM_SUITE_AGREEMENT, "with annotators");
    if (ferror(stream)) return ebm_fail(EBM_ERROR_IO, "evaluation: writing the tables failed");
    return ebm_ok();
}

// ---- JSON

static int put_row(json_t *object, const ebm_suite *suite, const ebm_suite_row *row)
{
    int failed = ebm_evaluation_put(object, row->name, "", row->value);
    if (suite->options.resamples) {
        failed |= ebm_evaluation_put(object, row->name, "_low", row->interval.low);
        failed |= ebm_evaluation_put(object, row->name, "_high", row->interval.high);
        if (suite->difference) failed |= ebm_evaluation_put(object, row->name, "_p", row->p);
    }
    if (row->has_floor) {
        failed |= ebm_evaluation_put(object, row->name, "_floor", row->floor.mean);
        failed |= ebm_evaluation_put(object, row->name, "_floor_95", row->floor.high);
        failed |= ebm_evaluation_put(object, row->name, "_floor_p", row->floor.p);
    }
    return failed;
}

json_t *ebm_suite_object(const ebm_suite *suite)
{
    json_t *object = json_object();
    int failed = !object;
    for (size_t i = 0; i < suite->count && !failed; i++) failed = put_row(object, suite, suite->rows + i);
    if (!failed) return object;
    json_decref(object);
    return NULL;
}

ebm_status ebm_suite_json(const ebm_suite *suite, char **text)
{
    return ebm_evaluation_text(ebm_suite_object(suite), text);
}
