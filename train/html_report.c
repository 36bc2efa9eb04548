#include "html_report.h"

#include <stdlib.h>
#include <string.h>

#include "card_text.h"
#include "html_report_internal.h"
#include "model_card_internal.h"

char *ebm_report_name(const ebm_report_page *p, size_t folder, const char *what)
{
    char *name = NULL;
    if (p->count == 1) return strdup(what);
    return asprintf(&name, "%s, %s", p->folders[folder].name, what) < 0 ? NULL : name;
}

// ---- what is missing

static void say_missing(ebm_report_page *p)
{
    for (size_t i = 0; i < p->count; i++) {
        const ebm_report_folder *f = &p->folders[i];
        if (!f->has_examples && f->results)
            ebm_html_note(
                p->page,
                "%s has no %s: its metrics are those of eval_results.json, and what needs single texts is left "
                "out.",
                f->name, EBM_EVAL_PREDICTIONS);
        else if (!f->has_examples)
            ebm_html_note(p->page, "%s has neither %s nor eval_results.json: there are no metrics of it.", f->name,
                          EBM_EVAL_PREDICTIONS);
        if (json_array_size(f->log) == 0)
            ebm_html_note(p->page, "%s has no trainer_log.jsonl: there are no curves of its training.", f->name);
        if (!f->settings) ebm_html_note(p->page, "%s has no training_args.json: its settings are not known.", f->name);
    }
}

// ---- settings

static char *value_text(const char *key, const json_t *value)
{
    if (!value) return strdup("");
    if (json_is_null(value)) return strdup("\xE2\x80\x93");
    if (!json_is_string(value)) return json_dumps(value, JSON_ENCODE_ANY | JSON_REAL_PRECISION(15));
    const char *text = json_string_value(value);
    return ebm_card_is_path(key, text) || strcmp(key, "output_dir") == 0 ? ebm_card_base_name(text) : strdup(text);
}

typedef json_t *(*object_of)(const ebm_report_folder *folder);
static json_t *settings_of(const ebm_report_folder *f) { return f->settings; }
static json_t *training_of(const ebm_report_folder *f) { return f->training; }

static bool differs(const ebm_report_page *p, object_of of, const char *key)
{
    const json_t *first = json_object_get(of(&p->folders[0]), key);
    for (size_t i = 1; i < p->count; i++) {
        const json_t *other = json_object_get(of(&p->folders[i]), key);
        if (!first != !other || (first && !json_equal(first, other))) return true;
    }
    return false;
}

static bool is_in_earlier(const ebm_report_page *p, object_of of, size_t folder, const char *key)
{
    for (size_t i = 0; i < folder; i++)
        if (json_object_get(of(&p->folders[i]), key)) return true;
    return false;
}

static ebm_status put_setting(ebm_report_page *p, object_of of, const char *key)
{
    char *name = NULL;
    if (asprintf(&name, "%s%s", key, differs(p, of, key) ? " *" : "") < 0) name = NULL;
    if (!name) return ebm_fail(EBM_ERROR_MEMORY, "no memory for settings");
    ebm_html_row(p->page, name);
    free(name);
    for (size_t i = 0; i < p->count; i++) {
        char *text = value_text(key, json_object_get(of(&p->folders[i]), key));
        if (!text) return ebm_fail(EBM_ERROR_MEMORY, "no memory for settings");
        ebm_html_text_cell(p->page, text);
        free(text);
    }
    return ebm_ok();
}

static ebm_status put_objects(ebm_report_page *p, const char *caption, object_of of)
{
    const char **head = calloc(p->count + 1, sizeof *head);
    if (!head) return ebm_fail(EBM_ERROR_MEMORY, "no memory for settings");
    head[0] = "setting";
    for (size_t i = 0; i < p->count; i++) head[i + 1] = p->folders[i].name;
    ebm_html_table_begin(p->page, caption, head, p->count + 1);
    free(head);
    ebm_status status = ebm_ok();
    for (size_t i = 0; i < p->count; i++) {
        const char *key;
        json_t *value;
        json_object_foreach(of(&p->folders[i]), key, value)
        {
            if (status.code == EBM_OK && !is_in_earlier(p, of, i, key)) status = put_setting(p, of, key);
        }
    }
    ebm_html_table_end(p->page);
    return status;
}

static bool any_has(const ebm_report_page *p, object_of of)
{
    for (size_t i = 0; i < p->count; i++)
        if (of(&p->folders[i])) return true;
    return false;
}

ebm_status ebm_report_settings(ebm_report_page *p)
{
    const bool settings = any_has(p, settings_of), training = any_has(p, training_of);
    if (!settings && !training) return ebm_ok();
    ebm_html_heading(p->page, 2, "Settings");
    if (p->count > 1) ebm_html_note(p->page, "Rows with a * differ between the runs.");
    if (settings) EBM_TRY(put_objects(p, "Options of training (training_args.json)", settings_of));
    return training ? put_objects(p, "Data, program and device (train_results.json)", training_of) : ebm_ok();
}

// ---- the page

static ebm_status put_sections(ebm_report_page *p)
{
    say_missing(p);
    EBM_TRY(ebm_report_metrics(p));
    EBM_TRY(ebm_report_reliability(p));
    EBM_TRY(ebm_report_selective(p));
    EBM_TRY(ebm_report_energy(p));
    EBM_TRY(ebm_report_training(p));
    EBM_TRY(ebm_report_wrong(p));
    EBM_TRY(ebm_report_settings(p));
    if (p->report->made_with) ebm_html_note(p->page, "Made with %s.", p->report->made_with);
    return ebm_ok();
}

static char *title_of(const ebm_report_page *p)
{
    char *title = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&title, &size);
    if (!out) return NULL;
    fputs("Report on ", out);
    for (size_t i = 0; i < p->count; i++) fprintf(out, "%s%s", i ? ", " : "", p->folders[i].name);
    return fclose(out) == 0 ? title : NULL;
}

static ebm_status make_page(ebm_report_page *p, const char *path)
{
    char *made = p->report->title ? NULL : title_of(p);
    const char *title = p->report->title ? p->report->title : made;
    ebm_status status = title ? ebm_html_create(title, &p->page) : ebm_fail(EBM_ERROR_MEMORY, "no memory for a report");
    if (status.code == EBM_OK) status = put_sections(p);
    if (status.code == EBM_OK) status = ebm_html_save(p->page, path);
    ebm_html_free(p->page);
    free(made);
    return status;
}

ebm_status ebm_html_report_write(const ebm_html_report *report, const char *path)
{
    const int resamples = report->brief ? 200 : EBM_RESAMPLES_DEFAULT, redraws = EBM_REDRAWS_DEFAULT;
    ebm_report_page p = {.report = report, .count = report->count};
    ebm_status status = ebm_ok();
    size_t opened = 0;
    p.folders = calloc(report->count ? report->count : 1, sizeof *p.folders);
    if (!p.folders) return ebm_fail(EBM_ERROR_MEMORY, "no memory for a report");
    if (report->count == 0) status = ebm_fail(EBM_ERROR_INPUT, "a report: at least one directory expected, found none");
    for (; status.code == EBM_OK && opened < report->count; opened++)
        status = ebm_report_folder_read(report->directories[opened], &p.folders[opened]);
    if (status.code == EBM_OK) status = ebm_report_folder_names(p.folders, p.count);
    for (size_t i = 0; i < p.count && status.code == EBM_OK; i++)
        status = ebm_report_folder_measure(&p.folders[i], resamples, redraws);
    if (status.code == EBM_OK) status = make_page(&p, path);
    for (size_t i = 0; i < opened; i++) ebm_report_folder_free(&p.folders[i]);
    free(p.folders);
    return status;
}
