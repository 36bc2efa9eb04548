// What the built-in grammar is made of (grammar.c): labels, words and templates with their weights for each label.
// Weights of a slot's words, and of the templates, are divided by their sum for each label: p(word | slot, label) and
// p(template | label).
#ifndef EBM_GRAMMAR_TABLES_H
#define EBM_GRAMMAR_TABLES_H

#include <stddef.h>

#include "grammar.h"

typedef struct {
    const char *slot, *words;
    double weight[EBM_GRAMMAR_LABELS]; // of each of these words
} ebm_grammar_group;

// Names in capitals are slots; one behind '?' is left out of half the texts.
typedef struct {
    const char *text;
    double weight[EBM_GRAMMAR_LABELS];
} ebm_grammar_template;

extern const char *const ebm_grammar_labels[EBM_GRAMMAR_LABELS];
extern const double ebm_grammar_prior[EBM_GRAMMAR_LABELS];
extern const ebm_grammar_group ebm_grammar_groups[];
extern const size_t ebm_grammar_group_count;
extern const ebm_grammar_template ebm_grammar_templates[];
extern const size_t ebm_grammar_template_count;

#endif
